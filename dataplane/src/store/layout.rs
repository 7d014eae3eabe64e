//! Where a shard's logs lie, and how large they may be. One place for the log,
//! the backlogs and the dead letters.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use eagre_wal::{Backend, Fsync, OpenError, Options, Retain};

use super::commit;
use crate::{
    limits,
    runtime::{disk, driver::Driver},
    tuning::Config,
};

/// Beside a shard's log: the backlogs of its brokers.
pub(super) const BACKLOGS: &str = "backlog";
/// Beside a shard's log: dead letters that no sink took.
pub(super) const DEAD_LETTERS: &str = "dead-letters";

/// Where shard `index` keeps its log.
pub(crate) fn shard_directory(data: &Path, index: usize) -> PathBuf {
    data.join(format!("shard-{index}"))
}

/// How a shard's logs are kept. `shards` is the number that runs, which every
/// share is a part of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(super) directory: PathBuf,
    pub(super) shards: u64,
    /// When an event counts as stored, where its broker does not say.
    pub(super) fsync: Fsync,
    /// Bytes of a backlog, on all shards together, where its broker does not say.
    pub(super) backlog_bytes_max_per_broker: u64,
    pub(super) log: Options,
    backlogs_bytes_max: u64,
    event_bytes_max: u64,
}

impl Settings {
    /// Those of shard `index` of `shards`.
    pub(crate) fn new(config: &Config, driver: Driver, data: &Path, index: usize, shards: usize) -> Self {
        let wal = &config.wal;
        let overhead = limits::wal::record_overhead_bytes(config.ingress.head_bytes_max as u64);
        Self {
            directory: shard_directory(data, index),
            shards: shards as u64,
            fsync: durability(wal.fsync),
            backlog_bytes_max_per_broker: wal.backlog_bytes_max_per_broker,
            log: Options {
                segment_bytes: wal.segment_bytes,
                max_bytes: wal.max_bytes_per_shard(shards),
                pending_bytes_max: config.limits.pending_batch_bytes as u64,
                retain: Retain {
                    age: wal.retain_age,
                    bytes: wal.retain_bytes.map(|bytes| bytes / shards as u64),
                },
                backend: match driver {
                    Driver::Uring => Backend::Ring,
                    Driver::Epoll => Backend::Thread,
                },
            },
            backlogs_bytes_max: wal.backlog_bytes_max / shards as u64,
            event_bytes_max: config.ingress.body_bytes_max as u64 + overhead,
        }
    }

    /// Of a backlog: files large enough for the largest event, and no larger than
    /// they must be, since every broker that is behind has two of them.
    pub(super) fn backlog(&self) -> Options {
        let wanted = (4 * self.event_bytes_max).next_power_of_two().max(limits::wal::BACKLOG_SEGMENT_BYTES);
        // A record grows by sixteen bytes when it is moved.
        let segment_bytes = wanted.min(self.log.segment_bytes + eagre_wal::SEGMENT_ALIGN_BYTES);
        let max_bytes = self.backlogs_bytes_max.max(eagre_wal::SEGMENTS_MIN * segment_bytes);
        Options { segment_bytes, max_bytes, retain: Retain::default(), ..self.log.clone() }
    }

    /// Of the dead letters: an eighth of what the log may take. Rare as they are,
    /// they wait for a person.
    pub(super) fn dead_letters(&self) -> Options {
        let max_bytes = (self.log.max_bytes / 8).max(self.log.segment_bytes * eagre_wal::SEGMENTS_MIN);
        Options { max_bytes, retain: Retain::default(), ..self.log.clone() }
    }
}

/// What the log calls it.
pub(super) fn durability(fsync: eagre_settings::Fsync) -> Fsync {
    match fsync {
        eagre_settings::Fsync::Always => Fsync::Always,
        eagre_settings::Fsync::Interval { ms } => Fsync::Interval(Duration::from_millis(ms)),
        eagre_settings::Fsync::Never => Fsync::Never,
    }
}

/// Opens one of the logs and tells what was found.
pub(super) fn open(directory: &Path, options: Options) -> Result<eagre_wal::Log, OpenError> {
    let (log, recovery) = disk::open(directory, options)?;
    commit::report_recovery(directory, &recovery);
    Ok(log)
}

/// How many triggers have room for their cursors in a log with segments of this
/// size. A trigger has up to two, its own and its backlog's; and those that a
/// new configuration replaces keep theirs for a while.
pub(crate) fn triggers_max(segment_bytes: u64) -> usize {
    let log = Options { segment_bytes, ..Options::default() };
    (log.cursors_bytes_max() / (2 * 2 * CURSOR_BYTES)) as usize
}

/// Of the log's format (`docs/format.md`), without the events under way.
const CURSOR_BYTES: u64 = 24;

#[cfg(test)]
mod tests {
    use eagre_snapshot::TRIGGERS_MAX;

    use super::*;

    #[test]
    fn a_log_of_default_segments_has_room_for_every_trigger_that_a_control_plane_lets_pass() {
        assert!(triggers_max(Options::default().segment_bytes) >= TRIGGERS_MAX);
        assert_eq!(triggers_max(4 << 20), 10_922);
    }
}
