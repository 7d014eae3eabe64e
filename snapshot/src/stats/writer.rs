//! The data plane's end of the stats pages.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use super::counters::{CELL_WORDS, Counter};
use super::layout::{CELL_ID, LOCK, STRIDE, Shape};
use super::pages::{Pages, Run, claim_cell, clear_cell};
use super::reader::{Stats, read_pages};
use crate::Generation;
use crate::dir::{self, DirError, DirProblem};
use crate::model::Id;
use crate::page::Page;
use eagre_lock::ATTEMPTS;

/// The one data plane of a directory. Its thread that loads snapshots keeps
/// this; each shard gets a [`ShardStats`].
///
/// The shards count in the pages that were made at the start, for as long as
/// they live. Where those are no longer found at the path, there is a second
/// set, and this takes their figures over into it now and then.
#[derive(Debug)]
pub struct StatsWriter {
    home: Arc<Pages>,
    copy: Option<Pages>,
    /// Which shards have their handle.
    taken: Vec<AtomicBool>,
}

/// What one shard reports. Its only writer is the thread of that shard.
#[derive(Debug)]
pub struct ShardStats {
    home: Arc<Pages>,
    shard: usize,
    chunks: Vec<Arc<Page>>,
}

/// A trigger's counters on one shard. Cheap to clone; all clones stay on the
/// shard's thread, or counts get lost.
///
/// Once its slot is another trigger's, a handle that is still around counts
/// nothing.
#[derive(Clone, Debug)]
pub struct Counters {
    chunk: Arc<Page>,
    /// First word of the cell.
    at: usize,
    id: Id,
}

/// What this data plane reports, read from its own memory: it does not depend on
/// what becomes of the directory.
#[derive(Clone, Debug)]
pub struct OwnStats(Arc<Pages>);

impl StatsWriter {
    /// Starts a new instance in `dir` for `shards` shards, whose table grows
    /// `slots` trigger slots at a time. Removes what an earlier one left.
    ///
    /// Fails if another data plane has the directory, or if it is not private.
    pub fn create(dir: &Path, shards: usize, slots: usize) -> Result<StatsWriter, DirError> {
        let problem = DirProblem::Size { shards, slots };
        let shape = Shape::new(shards, slots, STRIDE).ok_or(DirError { path: dir.to_owned(), problem })?;
        dir::open_private(dir)?;
        let lock = dir::lock(dir, LOCK, ATTEMPTS)?;
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (instance, started_ms) = (started.as_nanos() as u64, started.as_millis() as u64);
        let run = Run { dir: dir.to_owned(), instance, started_ms, shape };
        let home = Arc::new(Pages::create(run, Arc::new(lock))?);
        Ok(StatsWriter { home, copy: None, taken: (0..shards).map(|_| AtomicBool::new(false)).collect() })
    }

    /// The handle of shard `shard`; `None` if there is no such shard, or its
    /// handle has been given out.
    pub fn shard(&self, shard: usize) -> Option<ShardStats> {
        if self.taken.get(shard)?.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(ShardStats { home: Arc::clone(&self.home), shard, chunks: Vec::new() })
    }

    /// What this data plane reports, for itself.
    pub fn own(&self) -> OwnStats {
        OwnStats(Arc::clone(&self.home))
    }

    /// Reports that `generation` was refused. Of `reason`, the first
    /// [`REASON_BYTES_MAX`](crate::REASON_BYTES_MAX) bytes are kept.
    pub fn refuse(&mut self, generation: Generation, reason: &str) {
        self.home.refuse(generation, reason);
        self.copy.iter().for_each(|copy| copy.refuse(generation, reason));
    }

    /// Looks whether the pages are still found at the path, and makes others where
    /// not (the directory, too); true if so. To be called again and again: that
    /// is how figures get there.
    ///
    /// After an error, such as that another data plane has the directory by now,
    /// the shards go on counting, and the next call tries again.
    pub fn follow(&mut self) -> Result<bool, DirError> {
        let moved = self.copy.as_ref().unwrap_or(&self.home).are_displaced();
        if moved {
            self.copy = if self.home.are_displaced() { Some(self.make_copy()?) } else { None };
        }
        if let Some(copy) = &self.copy {
            copy.copy(&self.home)?;
        }
        Ok(moved)
    }

    fn make_copy(&self) -> Result<Pages, DirError> {
        let run = self.home.run.clone();
        dir::open_private(&run.dir)?;
        // The lock may be left where the pages are gone; it cannot be taken twice.
        let held = [Some(&*self.home), self.copy.as_ref()].into_iter().flatten().map(|pages| &pages.lock);
        let lock = match held.into_iter().find(|lock| lock.is_at(&run.dir.join(LOCK))) {
            Some(lock) => Arc::clone(lock),
            None => Arc::new(dir::lock(&run.dir, LOCK, 1)?),
        };
        Pages::create(run, lock)
    }
}

impl OwnStats {
    /// What the shards report now.
    pub fn read(&self) -> Stats {
        read_pages(&self.0.stats, &self.0.chunks(), &self.0.run.shape)
    }
}

impl ShardStats {
    /// Reports the generation this shard now works with.
    pub fn applied(&self, generation: Generation) {
        self.home.line(self.shard).applied(generation);
    }

    /// Reports that this shard is alive, at a time of the machine's monotonic clock:
    /// a calendar that is set makes no shard look dead.
    pub fn beat(&self, now_ms: u64) {
        self.home.line(self.shard).beat(now_ms);
    }

    /// The counters of trigger `id` in `slot`. They go on where they were if
    /// the slot has been this trigger's, else they start at 0.
    ///
    /// Makes the chunk if the slot is the first of a new one; this fails when
    /// memory runs out, or above the limit of [`CHUNKS_MAX`](crate::CHUNKS_MAX).
    pub fn claim(&mut self, slot: u32, id: Id) -> Result<Counters, DirError> {
        let (index, at) = self.place(slot);
        if index >= self.chunks.len() {
            self.chunks = self.home.grown(index)?;
        }
        let chunk = Arc::clone(&self.chunks[index]);
        claim_cell(&chunk.words()[at..at + CELL_WORDS], id.0);
        Ok(Counters { chunk, at, id })
    }

    /// The chunk of a slot, and the first word of its cell there.
    fn place(&self, slot: u32) -> (usize, usize) {
        let shape = &self.home.run.shape;
        (slot as usize / shape.slots, shape.cell_at(self.shard, slot as usize % shape.slots))
    }
}

impl Counters {
    /// Counts `count` more.
    #[inline]
    pub fn add(&self, counter: Counter, count: u64) {
        self.change(counter, |value| value.wrapping_add(count));
    }

    /// Counts `count` less, down to 0: for the gauges.
    #[inline]
    pub fn sub(&self, counter: Counter, count: u64) {
        self.change(counter, |value| value.saturating_sub(count));
    }

    /// Sets a gauge.
    #[inline]
    pub fn set(&self, counter: Counter, value: u64) {
        self.change(counter, |_| value);
    }

    /// The present value; 0 once the slot is another trigger's.
    #[inline]
    pub fn get(&self, counter: Counter) -> u64 {
        self.word(counter).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Forgets the trigger: it is listed no more. Changes nothing once its slot is
    /// another's.
    pub fn release(&self) {
        let cell = &self.chunk.words()[self.at..self.at + CELL_WORDS];
        if cell[CELL_ID].load(Ordering::Relaxed) == self.id.0 {
            clear_cell(cell);
        }
    }

    /// Counts on where `before` is, which is released, if the trigger has another
    /// slot now: both together would count it twice.
    pub fn continue_from(&self, before: &Counters) {
        if Arc::ptr_eq(&self.chunk, &before.chunk) && self.at == before.at {
            return;
        }
        let counts: Vec<_> = Counter::ALL.iter().map(|counter| (*counter, before.get(*counter))).collect();
        before.release();
        counts.into_iter().for_each(|(counter, count)| self.set(counter, count));
    }

    /// Load and store, not read-modify-write: there is one writer.
    #[inline]
    fn change(&self, counter: Counter, change: impl FnOnce(u64) -> u64) {
        if let Some(word) = self.word(counter) {
            word.store(change(word.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    #[inline]
    fn word(&self, counter: Counter) -> Option<&AtomicU64> {
        let cell = &self.chunk.words()[self.at..self.at + CELL_WORDS];
        (cell[CELL_ID].load(Ordering::Relaxed) == self.id.0).then(|| &cell[counter as usize])
    }
}
