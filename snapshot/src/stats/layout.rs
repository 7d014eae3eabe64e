//! Where things stand in the pages, in 64-bit words.

use crate::limits::REASON_BYTES_MAX;

pub(super) const STATS: &str = "stats";
pub(super) const LOCK: &str = "dataplane.lock";
pub(super) const CHUNK_PREFIX: &str = "counters-";

pub(super) const STATS_MAGIC: u64 = u64::from_le_bytes(*b"EAGRSTAT");
pub(super) const CHUNK_MAGIC: u64 = u64::from_le_bytes(*b"EAGRCNTS");
pub(super) const VERSION: u64 = 1;

/// Two cache lines: what one core writes is not prefetched away by the core
/// that writes what is next to it.
const STRIDE: usize = 16;

/// The header both kinds of page begin with.
pub(super) mod header {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const VERSION: usize = 1;
    /// Tells one run of the data plane from the next.
    pub(crate) const INSTANCE: usize = 2;
    pub(crate) const SHARDS: usize = 3;
    /// Slots of one chunk.
    pub(crate) const SLOTS: usize = 4;
    /// In `stats`: how many chunks there are. In a chunk: its index.
    pub(crate) const CHUNKS: usize = 5;
    /// Process id of the writer, in `stats`.
    pub(crate) const PID: usize = 6;
    /// When it started, Unix milliseconds, in `stats`.
    pub(crate) const STARTED: usize = 7;
}

/// The last refused generation, in `stats`. A sequence lock: odd while it is
/// being written.
pub(super) mod refusal {
    pub(crate) const SEQUENCE: usize = 16;
    pub(crate) const GENERATION: usize = 17;
    pub(crate) const BYTES: usize = 18;
    pub(crate) const TEXT: usize = 19;
}
pub(super) const REASON_WORDS: usize = REASON_BYTES_MAX / 8;

/// A shard's words in `stats`, relative to [`shard_at`].
pub(super) const APPLIED: usize = 0;
pub(super) const HEARTBEAT: usize = 1;

/// The first word of a shard in `stats`.
pub(super) fn shard_at(shard: usize) -> usize {
    (refusal::TEXT + REASON_WORDS).next_multiple_of(STRIDE) + shard * STRIDE
}

/// Words of `stats`.
pub(super) fn stats_words(shards: usize) -> usize {
    shard_at(shards)
}

/// The word of a cell that says whose it is; the counters follow.
pub(super) const CELL_ID: usize = 0;

/// The first word of a cell in its chunk. Shard by shard, so that no two
/// shards write to one memory page.
pub(super) fn cell_at(slots: usize, shard: usize, slot: usize) -> usize {
    STRIDE + (shard * slots + slot) * STRIDE
}

/// Words of a chunk.
pub(super) fn chunk_words(shards: usize, slots: usize) -> usize {
    cell_at(slots, shards, 0)
}

pub(super) fn chunk_name(instance: u64, index: usize) -> String {
    format!("{CHUNK_PREFIX}{instance}-{index}")
}

/// What is counted per trigger. The value is the word of the cell: part of the
/// format, append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Events accepted for it.
    Matched = 1,
    /// Events its subscriber took.
    Delivered = 2,
    /// Attempts that did not succeed.
    FailedAttempts = 3,
    /// Attempts after the first.
    Retried = 4,
    /// Events its dead letter sink took.
    DeadLettered = 5,
    /// Events its subscriber answered with.
    Replies = 6,
    /// Events given up without a dead letter sink.
    Dropped = 7,
    /// Gauge: attempts in flight.
    InFlight = 8,
    /// Gauge: events matched and not finished.
    LagEvents = 9,
    /// Gauge: arrival of the oldest unfinished event, Unix milliseconds; 0 if
    /// there is none.
    LagSinceMs = 10,
    /// Events that no sink took and that the data plane keeps as dead letters.
    Kept = 11,
}

/// Words of a cell in use: the id and every [`Counter`].
pub(super) const CELL_WORDS: usize = Counter::Kept as usize + 1;

const _: () = assert!(CELL_WORDS <= STRIDE && REASON_BYTES_MAX.is_multiple_of(8));
