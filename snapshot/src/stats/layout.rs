//! Where things stand in the pages, in 64-bit words.
//!
//! A word that nobody has written is 0, and a reader looks at the words it
//! knows. So writers and readers of neighbouring versions get along: a new word
//! is one that was unused, and a cell that grows beyond its stride says so in
//! the header.

use super::counters::CELL_WORDS;
use crate::limits::{CHUNK_CELLS_MAX, REASON_BYTES_MAX, SHARDS_MAX};

pub(super) const STATS: &str = "stats";
pub(super) const LOCK: &str = "dataplane.lock";
pub(super) const CHUNK_PREFIX: &str = "counters-";

pub(super) const STATS_MAGIC: u64 = u64::from_le_bytes(*b"EAGRSTAT");
pub(super) const CHUNK_MAGIC: u64 = u64::from_le_bytes(*b"EAGRCNTS");
pub(super) const VERSION: u64 = 1;

/// Words of a page's header, of a shard's line, and of a cell. Two cache lines:
/// what one core writes is not prefetched away by the core that writes what is
/// next to it.
pub(super) const STRIDE: usize = 16;
/// Words of a cell that a reader believes.
pub(super) const STRIDE_MAX: usize = 256;

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
    /// Words from one cell to the next; 0 stands for 16.
    pub(crate) const STRIDE: usize = 8;
}

/// The last refused generation, in `stats`. A sequence lock: odd while it is
/// being written.
pub(super) mod refusal {
    pub(crate) const SEQUENCE: usize = 16;
    pub(crate) const GENERATION: usize = 17;
    pub(crate) const BYTES: usize = 18;
    pub(crate) const TEXT: usize = 19;
    pub(crate) const PUBLISHER: usize = TEXT + super::REASON_WORDS;
}
pub(super) const REASON_WORDS: usize = REASON_BYTES_MAX / 8;

/// A shard's words in `stats`, relative to [`shard_at`].
pub(super) const APPLIED: usize = 0;
pub(super) const HEARTBEAT: usize = 1;
/// Whose generation that is; 0 where it is not told.
pub(super) const PUBLISHER: usize = 2;

/// The first word of a shard in `stats`.
pub(super) fn shard_at(shard: usize) -> usize {
    (refusal::PUBLISHER + 1).next_multiple_of(STRIDE) + shard * STRIDE
}

/// Words of `stats`.
pub(super) fn stats_words(shards: usize) -> usize {
    shard_at(shards)
}

/// The word of a cell that says whose it is; the counters follow.
pub(super) const CELL_ID: usize = 0;

/// The size of every chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) shards: usize,
    /// Slots of one chunk.
    pub(super) slots: usize,
    /// Words from one cell to the next.
    pub(super) stride: usize,
}

impl Shape {
    /// `None` if there cannot be such pages.
    pub(super) fn new(shards: usize, slots: usize, stride: usize) -> Option<Shape> {
        let fits = (1..=SHARDS_MAX).contains(&shards)
            && (1..=CHUNK_CELLS_MAX / shards).contains(&slots)
            && (1..=STRIDE_MAX).contains(&stride);
        fits.then_some(Shape { shards, slots, stride })
    }

    /// The first word of a cell in its chunk. Shard by shard, so that no two
    /// shards write to one memory page.
    pub(super) fn cell_at(&self, shard: usize, slot: usize) -> usize {
        STRIDE + (shard * self.slots + slot) * self.stride
    }

    /// The first word of every cell of a chunk.
    pub(super) fn cells(&self) -> impl Iterator<Item = usize> {
        let Shape { shards, slots, stride } = *self;
        (0..shards * slots).map(move |cell| STRIDE + cell * stride)
    }

    /// Words of a chunk.
    pub(super) fn chunk_words(&self) -> usize {
        self.cell_at(self.shards, 0)
    }
}

pub(super) fn chunk_name(instance: u64, index: usize) -> String {
    format!("{CHUNK_PREFIX}{instance}-{index}")
}

const _: () = assert!(CELL_WORDS <= STRIDE && REASON_BYTES_MAX.is_multiple_of(8));
