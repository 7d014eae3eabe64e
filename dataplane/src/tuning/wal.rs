//! `[wal]`

use std::time::Duration;

use eagre_settings::{BACKLOG_BYTES_RANGE, Fsync};

use super::section::section;
use crate::limits::{
    units::{DAY, GIB, MIB},
    wal::SEGMENTS_PER_SHARD_MIN,
};

section! {
    /// The log, and what it keeps.
    [wal] Wal (shards: usize)

    /// Bytes of one file of the log: the unit in which space is prepared and freed. One
    /// smaller than 1 MiB is used up faster than the next is prepared. A multiple of 4096.
    segment_bytes: u64 = 64 * MIB, in MIB..=4 * GIB;

    /// Bytes of disk for the logs of all shards together. Each shard needs a segment that
    /// it writes, one prepared, and one being freed.
    max_bytes: u64 = (10 * GIB).max(shards as u64 * SEGMENTS_PER_SHARD_MIN * segment_bytes),
        unset "10GiB, or three segments for each shard where that is more", like 10 * GIB,
        in MIB..=1 << 50;

    /// When an event counts as stored and 202 is sent, where its broker does not say: once
    /// the disk has it (always), at most so long before that (5ms), or once the page cache
    /// has it (never). An interval is what a power cut may cost: below 1 ms it is always,
    /// beyond a minute never.
    fsync: Fsync = Fsync::Always;

    /// Keep events that no trigger needs any more for readers of the past, until they are
    /// so old or there is no room. Less than a second keeps nothing worth reading; ten
    /// years are as good as for ever.
    retain_age: Option<Duration> = None,
        unset "no age; without `retain_bytes` too, events go once no trigger needs them", like Some(DAY),
        in Some(Duration::from_secs(1))..=Some(3650 * DAY);

    /// Keep no more than so many bytes of them, on all shards together.
    retain_bytes: Option<u64> = None, unset "as much as there is room for", like Some(5 * GIB),
        in Some(MIB)..=Some(1 << 50);

    /// Bytes of disk, beside `max_bytes` and on all shards together, that the backlogs of all
    /// brokers may take: events that only triggers still need which are far behind. As
    /// much again as the log, so that a log full of what one trigger needs can be moved as
    /// a whole.
    backlog_bytes_max: u64 = max_bytes, unset "as `max_bytes`", like 10 * GIB, in BACKLOG_BYTES_RANGE;

    /// Bytes of them for one broker, whose ConfigMap may say otherwise; beyond it, it is
    /// answered 429. A part of the whole, so that one broker that is far behind does not
    /// use up what is there for all.
    backlog_bytes_max_per_broker: u64 = backlog_bytes_max / 4,
        unset "a quarter of `backlog_bytes_max`", like 2560 * MIB, in BACKLOG_BYTES_RANGE;
}

impl Wal {
    /// Bytes of disk for the log of one of `shards` shards, in whole segments.
    #[must_use]
    pub fn max_bytes_per_shard(&self, shards: usize) -> u64 {
        let share = self.max_bytes / shards as u64;
        share - share % self.segment_bytes
    }
}
