//! Follows the control plane: every new generation is checked and compiled on a
//! thread of its own, then handed to the shards.
//!
//! A generation that is refused leaves the one before in force and is reported
//! on the stats page.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use eagre_snapshot::{DirError, Generation, SlotMap, Snapshot, StatsWriter, Subscriber, Swap};
use eagre_wal::Options;

use crate::{
    mail::{Mail, Post},
    table::Table,
};

/// The table in force, for shards and admin.
pub(crate) type Tables = Arc<Swap<Table>>;

/// An empty table, before the first generation.
pub(crate) fn no_table() -> Tables {
    Arc::new(Swap::new(Generation::NONE, Arc::new(Table::default())))
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

/// Starts following the snapshots in `directory` until `stop` is set.
pub(crate) fn start(
    directory: &Path,
    stats: StatsWriter,
    tables: Tables,
    post: Post,
    shards: usize,
    triggers_max: usize,
    stop: Arc<AtomicBool>,
) -> Result<thread::JoinHandle<()>, DirError> {
    let subscriber = Subscriber::open(directory)?;
    let slots = SlotMap::new();
    let current = Arc::default();
    let mut follower = Follower { subscriber, stats, slots, current, tables, post, shards, triggers_max };
    let run = move || {
        while !stop.load(Relaxed) {
            follower.turn();
        }
    };
    Ok(thread::Builder::new()
        .name("eagre-config".into())
        .spawn(run)
        .expect("the system refuses a thread at start"))
}

struct Follower {
    subscriber: Subscriber,
    stats: StatsWriter,
    slots: SlotMap,
    current: Arc<Table>,
    tables: Tables,
    post: Post,
    shards: usize,
    triggers_max: usize,
}

impl Follower {
    fn turn(&mut self) {
        match self.subscriber.load() {
            Ok(Some((generation, snapshot))) => self.take(generation, snapshot),
            Ok(None) => self.subscriber.wait(Generation(self.current.generation), WAIT),
            Err(refused) => {
                self.refuse(refused.generation, &refused.reason.to_string());
                thread::sleep(REFUSED_PAUSE);
            }
        }
    }

    fn take(&mut self, generation: Generation, snapshot: Snapshot) {
        let (brokers, triggers) = (snapshot.brokers.len(), snapshot.triggers.len());
        if triggers > self.triggers_max {
            let max = self.triggers_max;
            let reason = format!(
                "{triggers} triggers, and the cursors of {max} have room in a segment of the log; raise wal.segment_bytes"
            );
            return self.refuse(generation, &reason);
        }
        let kept: std::collections::HashSet<_> = snapshot.triggers.iter().map(|t| t.id).collect();
        self.slots.retain(|id| kept.contains(&id));
        match Table::compile(generation.0, snapshot, &self.current, &mut self.slots) {
            Ok(table) => {
                self.current = Arc::new(table);
                self.tables.store(generation, Arc::clone(&self.current));
                tracing::info!(generation = generation.0, brokers, triggers, "configuration compiled");
                for shard in 0..self.shards {
                    // A mailbox that is full of connections has room soon.
                    while self.post.send(shard, Mail::Table).is_err() {
                        thread::sleep(MAILBOX_PAUSE);
                    }
                }
            }
            Err(error) => self.refuse(generation, &error.to_string()),
        }
    }

    fn refuse(&mut self, generation: Generation, reason: &str) {
        tracing::error!(generation = generation.0, "configuration refused, the one before stays: {reason}");
        self.stats.refuse(generation, reason);
    }
}

/// How soon a request to stop is noticed.
const WAIT: Duration = Duration::from_millis(200);
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
const MAILBOX_PAUSE: Duration = Duration::from_millis(1);

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
