//! The stats pages of one directory, from the side that writes them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use super::counters::CELL_WORDS;
use super::layout::{
    APPLIED, CELL_ID, CHUNK_MAGIC, CHUNK_PREFIX, HEARTBEAT, LOCK, PUBLISHER, STATS, STATS_MAGIC, Shape,
    VERSION, chunk_name, header, refusal, shard_at, stats_words,
};
use super::reader::{read_applied, read_cell};
use crate::Generation;
use crate::dir::{self, DirError, DirProblem, Identity, Lock, TEMPORARY_PREFIX};
use crate::limits::{CHUNKS_MAX, REASON_BYTES_MAX};
use crate::page::{Page, Words};

/// One run of the data plane, in one directory.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) run: Run,
    pub(super) stats: Page,
    /// Of the file of `stats`.
    identity: Identity,
    /// Grows; taken only to look for a chunk that the shard has not seen yet.
    chunks: Mutex<Vec<Arc<Page>>>,
    pub(super) lock: Arc<Lock>,
}

/// What is the same wherever it reports.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) dir: PathBuf,
    /// Tells one run from the next.
    pub(super) instance: u64,
    /// Unix milliseconds.
    pub(super) started_ms: u64,
    pub(super) shape: Shape,
}

impl Pages {
    /// Makes new pages in the directory that has `lock`. Removes what an earlier
    /// run left.
    pub(super) fn create(run: Run, lock: Arc<Lock>) -> Result<Pages, DirError> {
        let Run { dir, instance, started_ms, shape } = &run;
        let (stats, identity) = dir::place(dir, STATS, 0o600, |file| {
            let page = Page::map(file, stats_words(shape.shards))?;
            write_header(&page, STATS_MAGIC, *instance, shape);
            page.words()[header::PID].store(u64::from(std::process::id()), Ordering::Relaxed);
            page.words()[header::STARTED].store(*started_ms, Ordering::Relaxed);
            Ok((page, Identity::of(file)?))
        })?;
        // Only now: a reader that has the old page still finds its chunks, or finds the new page.
        dir::sweep(dir, |name| name.strip_prefix(TEMPORARY_PREFIX).unwrap_or(name).starts_with(CHUNK_PREFIX));
        Ok(Pages { run, stats, identity, chunks: Mutex::default(), lock })
    }

    /// Whether whoever opens the directory by its path finds other pages, or none.
    pub(super) fn are_displaced(&self) -> bool {
        let at = |name| self.run.dir.join(name);
        Identity::at(&at(STATS)) != Some(self.identity) || !self.lock.is_at(&at(LOCK))
    }

    /// The chunks there are.
    pub(super) fn chunks(&self) -> Vec<Arc<Page>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All chunks, after making those up to `index`.
    pub(super) fn grown(&self, index: usize) -> Result<Vec<Arc<Page>>, DirError> {
        let Run { dir, instance, shape, .. } = &self.run;
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        while chunks.len() <= index {
            let next = chunks.len();
            let name = chunk_name(*instance, next);
            if next >= CHUNKS_MAX {
                return Err(DirError { path: dir.join(name), problem: DirProblem::Chunks });
            }
            let page = dir::place(dir, &name, 0o600, |file| {
                let page = Page::map(file, shape.chunk_words())?;
                write_header(&page, CHUNK_MAGIC, *instance, shape);
                page.words()[header::CHUNKS].store(next as u64, Ordering::Relaxed);
                Ok(page)
            })?;
            chunks.push(Arc::new(page));
            // Release: who loads this number finds the file.
            self.stats.words()[header::CHUNKS].store(chunks.len() as u64, Ordering::Release);
        }
        Ok(chunks.clone())
    }

    /// Of `reason`, the first [`REASON_BYTES_MAX`] bytes are kept.
    pub(super) fn refuse(&self, generation: Generation, reason: &str) {
        let words = self.stats.words();
        let text = &reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)];
        let sequence = words[refusal::SEQUENCE].load(Ordering::Relaxed);
        words[refusal::SEQUENCE].store(sequence.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees any word below sees the odd sequence, too.
        fence(Ordering::Release);
        words[refusal::GENERATION].store(generation.number, Ordering::Relaxed);
        words[refusal::PUBLISHER].store(generation.publisher, Ordering::Relaxed);
        words[refusal::BYTES].store(text.len() as u64, Ordering::Relaxed);
        for (word, piece) in words[refusal::TEXT..].iter().zip(text.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..piece.len()].copy_from_slice(piece);
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        words[refusal::SEQUENCE].store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// A shard's words. Its only writer is that shard, or who copies from it.
    pub(super) fn line(&self, shard: usize) -> Line<'_> {
        Line(&self.stats.words()[shard_at(shard)..])
    }

    /// Takes over what the shards report in `home`. One thread only.
    pub(super) fn copy(&self, home: &Pages) -> Result<(), DirError> {
        for shard in 0..self.run.shape.shards {
            let applied = read_applied(&home.stats, shard_at(shard));
            if let Some(applied) = applied {
                self.line(shard).applied(applied);
            }
            let heartbeat_ms = home.stats.load(shard_at(shard) + HEARTBEAT).unwrap_or(0);
            self.line(shard).beat(heartbeat_ms);
        }
        let chunks = home.chunks();
        let Some(last) = chunks.len().checked_sub(1) else { return Ok(()) };
        for (from, to) in chunks.iter().zip(self.grown(last)?) {
            self.run.shape.cells().for_each(|at| copy_cell(from, &to, at));
        }
        Ok(())
    }
}

/// A shard's words in `stats`.
pub(super) struct Line<'p>(&'p [AtomicU64]);

impl Line<'_> {
    pub(super) fn applied(&self, generation: Generation) {
        let Line(words) = self;
        if words[PUBLISHER].load(Ordering::Relaxed) != generation.publisher {
            words[APPLIED].store(0, Ordering::Relaxed);
            // A reader that sees the new publisher does not see the old number.
            fence(Ordering::Release);
            words[PUBLISHER].store(generation.publisher, Ordering::Relaxed);
        }
        // Release: a reader that sees the number sees whose it is.
        words[APPLIED].store(generation.number, Ordering::Release);
    }

    pub(super) fn beat(&self, now_ms: u64) {
        self.0[HEARTBEAT].store(now_ms, Ordering::Relaxed);
    }
}

/// Makes a cell that of trigger `id`, with zeros in it, unless it is already.
pub(super) fn claim_cell(cell: &[AtomicU64], id: u64) {
    if cell[CELL_ID].load(Ordering::Relaxed) != id {
        clear_cell(cell);
        // Release: a reader that sees the id does not see its predecessor's counts.
        cell[CELL_ID].store(id, Ordering::Release);
    }
}

/// Makes a cell nobody's, with zeros in it.
pub(super) fn clear_cell(cell: &[AtomicU64]) {
    cell[CELL_ID].store(0, Ordering::Relaxed);
    // A reader that sees a zero below sees that the cell is no longer whose it was.
    fence(Ordering::Release);
    for word in &cell[CELL_ID + 1..] {
        word.store(0, Ordering::Relaxed);
    }
}

fn copy_cell(from: &Page, to: &Page, at: usize) {
    let target = &to.words()[at..at + CELL_WORDS];
    let (id, counts) =
        read_cell(from, at, CELL_WORDS).map_or((0, [0; CELL_WORDS]), |(id, cell)| (id.0, cell));
    claim_cell(target, id);
    if id != 0 {
        target
            .iter()
            .zip(counts)
            .skip(CELL_ID + 1)
            .for_each(|(word, count)| word.store(count, Ordering::Relaxed));
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
