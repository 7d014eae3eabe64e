//! The data plane's end of the stats pages.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::counters::{CELL_WORDS, Counter};
use super::layout::{
    APPLIED, CELL_ID, CHUNK_MAGIC, CHUNK_PREFIX, HEARTBEAT, LOCK, STATS, STATS_MAGIC, STRIDE, Shape, VERSION,
    chunk_name, header, refusal, shard_at, stats_words,
};
use crate::Generation;
use crate::dir::{self, DirError, DirProblem, TEMPORARY_PREFIX};
use crate::limits::{CHUNKS_MAX, REASON_BYTES_MAX};
use crate::model::Id;
use crate::page::Page;

/// The one data plane of a directory. Its thread that loads snapshots keeps
/// this; each shard gets a [`ShardStats`].
#[derive(Debug)]
pub struct StatsWriter {
    shared: Arc<Shared>,
    /// Which shards have their handle.
    taken: Vec<AtomicBool>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    stats: Page,
    instance: u64,
    shape: Shape,
    /// Grows; taken only to look for a chunk the shard has not seen yet.
    chunks: Mutex<Vec<Arc<Page>>>,
    _lock: File,
}

/// What one shard reports. Its only writer is the thread of that shard.
#[derive(Debug)]
pub struct ShardStats {
    shared: Arc<Shared>,
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

impl StatsWriter {
    /// Starts a new instance in `dir` for `shards` shards, whose table grows
    /// `slots` trigger slots at a time. Removes what an earlier one left.
    ///
    /// Fails if another data plane has the directory, or if it is not private.
    pub fn create(dir: &Path, shards: usize, slots: usize) -> Result<StatsWriter, DirError> {
        let problem = DirProblem::Size { shards, slots };
        let shape = Shape::new(shards, slots, STRIDE).ok_or(DirError { path: dir.to_owned(), problem })?;
        dir::open_private(dir)?;
        let lock = dir::lock(dir, LOCK)?;
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let instance = started.as_nanos() as u64;
        let stats = dir::place(dir, STATS, 0o600, |file| {
            let page = Page::map(file, stats_words(shards))?;
            write_header(&page, STATS_MAGIC, instance, &shape);
            page.words()[header::PID].store(u64::from(std::process::id()), Ordering::Relaxed);
            page.words()[header::STARTED].store(started.as_millis() as u64, Ordering::Relaxed);
            Ok(page)
        })?;
        // Only now: a reader that has the old page still finds its chunks, or finds the new page.
        dir::sweep(dir, |name| name.strip_prefix(TEMPORARY_PREFIX).unwrap_or(name).starts_with(CHUNK_PREFIX));
        let chunks = Mutex::new(Vec::new());
        let shared = Shared { dir: dir.to_owned(), stats, instance, shape, chunks, _lock: lock };
        let taken = (0..shards).map(|_| AtomicBool::new(false)).collect();
        Ok(StatsWriter { shared: Arc::new(shared), taken })
    }

    /// The handle of shard `shard`; `None` if there is no such shard, or its
    /// handle has been given out.
    pub fn shard(&self, shard: usize) -> Option<ShardStats> {
        if self.taken.get(shard)?.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(ShardStats { shared: Arc::clone(&self.shared), shard, chunks: Vec::new() })
    }

    /// Reports that `generation` was refused. Of `reason`, the first
    /// [`REASON_BYTES_MAX`] bytes are kept.
    pub fn refuse(&mut self, generation: Generation, reason: &str) {
        let words = self.shared.stats.words();
        let text = &reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)];
        let sequence = words[refusal::SEQUENCE].load(Ordering::Relaxed);
        words[refusal::SEQUENCE].store(sequence.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees any word below sees the odd sequence, too.
        fence(Ordering::Release);
        words[refusal::GENERATION].store(generation.0, Ordering::Relaxed);
        words[refusal::BYTES].store(text.len() as u64, Ordering::Relaxed);
        for (word, piece) in words[refusal::TEXT..].iter().zip(text.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..piece.len()].copy_from_slice(piece);
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        words[refusal::SEQUENCE].store(sequence.wrapping_add(2), Ordering::Release);
    }
}

impl ShardStats {
    /// Reports the generation this shard now works with.
    pub fn applied(&self, generation: Generation) {
        self.line()[APPLIED].store(generation.0, Ordering::Relaxed);
    }

    /// Reports that this shard is alive, at a time of the machine's monotonic clock:
    /// a calendar that is set makes no shard look dead.
    pub fn beat(&self, now_ms: u64) {
        self.line()[HEARTBEAT].store(now_ms, Ordering::Relaxed);
    }

    /// The counters of trigger `id` in `slot`. They go on where they were if
    /// the slot has been this trigger's, else they start at 0.
    ///
    /// Makes the chunk if the slot is the first of a new one; this fails when
    /// memory runs out, or above the limit of [`CHUNKS_MAX`].
    pub fn claim(&mut self, slot: u32, id: Id) -> Result<Counters, DirError> {
        let (index, at) = self.place(slot);
        if index >= self.chunks.len() {
            self.chunks = self.shared.grown(index)?;
        }
        let chunk = Arc::clone(&self.chunks[index]);
        let cell = &chunk.words()[at..at + CELL_WORDS];
        if cell[CELL_ID].load(Ordering::Relaxed) != id.0 {
            clear(cell);
            // Release: a reader that sees the id does not see its predecessor's counts.
            cell[CELL_ID].store(id.0, Ordering::Release);
        }
        Ok(Counters { chunk, at, id })
    }

    /// The chunk of a slot, and the first word of its cell there.
    fn place(&self, slot: u32) -> (usize, usize) {
        let shape = &self.shared.shape;
        (slot as usize / shape.slots, shape.cell_at(self.shard, slot as usize % shape.slots))
    }

    fn line(&self) -> &[AtomicU64] {
        &self.shared.stats.words()[shard_at(self.shard)..]
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
            clear(cell);
        }
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

impl Shared {
    /// All chunks, after making those up to `index`.
    fn grown(&self, index: usize) -> Result<Vec<Arc<Page>>, DirError> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        while chunks.len() <= index {
            let next = chunks.len();
            let name = chunk_name(self.instance, next);
            if next >= CHUNKS_MAX {
                return Err(DirError { path: self.dir.join(name), problem: DirProblem::Chunks });
            }
            let page = dir::place(&self.dir, &name, 0o600, |file| {
                let page = Page::map(file, self.shape.chunk_words())?;
                write_header(&page, CHUNK_MAGIC, self.instance, &self.shape);
                page.words()[header::CHUNKS].store(next as u64, Ordering::Relaxed);
                Ok(page)
            })?;
            chunks.push(Arc::new(page));
            // Release: who loads this number finds the file.
            self.stats.words()[header::CHUNKS].store(chunks.len() as u64, Ordering::Release);
        }
        Ok(chunks.clone())
    }
}

/// Makes a cell nobody's, with zeros in it.
fn clear(cell: &[AtomicU64]) {
    cell[CELL_ID].store(0, Ordering::Relaxed);
    // A reader that sees a zero below sees that the cell is no longer whose it was.
    fence(Ordering::Release);
    for word in &cell[CELL_ID + 1..] {
        word.store(0, Ordering::Relaxed);
    }
}

/// Before the page has its name: no order needed.
fn write_header(page: &Page, magic: u64, instance: u64, shape: &Shape) {
    let words = page.words();
    words[header::MAGIC].store(magic, Ordering::Relaxed);
    words[header::VERSION].store(VERSION, Ordering::Relaxed);
    words[header::INSTANCE].store(instance, Ordering::Relaxed);
    words[header::SHARDS].store(shape.shards as u64, Ordering::Relaxed);
    words[header::SLOTS].store(shape.slots as u64, Ordering::Relaxed);
    words[header::STRIDE].store(shape.stride as u64, Ordering::Relaxed);
}
