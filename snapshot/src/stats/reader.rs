//! The control plane's end of the stats pages.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::counters::{CELL_WORDS, TriggerStats};
use super::layout::{
    APPLIED, CELL_ID, CHUNK_MAGIC, HEARTBEAT, PUBLISHER, REASON_WORDS, STATS, STATS_MAGIC, STRIDE, Shape,
    VERSION, chunk_name, header, refusal, shard_at, stats_words,
};
use crate::Generation;
use crate::dir::{self, DirError, DirProblem, io_error};
use crate::limits::{CHUNKS_MAX, REASON_BYTES_MAX};
use crate::model::Id;
use crate::page::{Page, RemotePage, Words};

/// How often a read starts over because a new data plane took the place of the
/// one being read.
const RESTARTS_MAX: usize = 3;

/// How often a record that is being written is read again.
const REREADS_MAX: usize = 8;

/// Reads what a data plane reports in a directory.
#[derive(Clone, Debug)]
pub struct StatsReader {
    dir: PathBuf,
}

/// What the data plane reports, taken word by word: figures may be a moment
/// apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tells one run of the data plane from the next; counters start at 0 with
    /// each.
    pub instance: u64,
    /// Its process id.
    pub pid: u32,
    /// When it started, Unix milliseconds.
    pub started_ms: u64,
    /// The snapshot it refused last, if it has refused any.
    pub refused: Option<Refusal>,
    /// Its shards, in order.
    pub shards: Vec<ShardStatus>,
    /// Its triggers, each summed over the shards.
    pub triggers: BTreeMap<Id, TriggerStats>,
}

/// A snapshot the data plane did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub generation: Generation,
    /// Why, cut at [`REASON_BYTES_MAX`] bytes.
    pub reason: String,
}

/// What a shard reports of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// The generation it works with.
    pub applied: Generation,
    /// Its last sign of life, milliseconds of the machine's monotonic clock; 0
    /// before the first.
    pub heartbeat_ms: u64,
}

impl Stats {
    /// The generation of the shard that is behind the others:
    /// [`Generation::NONE`] until all have one, and while they have those of
    /// several publishers.
    pub fn applied(&self) -> Generation {
        let slowest = self.shards.iter().map(|shard| shard.applied).min_by_key(|applied| applied.number);
        let slowest = slowest.unwrap_or_default();
        if self.has_applied(slowest) { slowest } else { Generation::NONE }
    }

    /// Whether every shard works with `generation`, or a later one of its
    /// publisher.
    pub fn has_applied(&self, generation: Generation) -> bool {
        !self.shards.is_empty() && self.shards.iter().all(|shard| shard.applied.has_reached(generation))
    }
}

impl StatsReader {
    /// Opens `dir`, creating it with mode 0700 if it is missing: either plane
    /// may start first.
    pub fn open(dir: &Path) -> Result<StatsReader, DirError> {
        dir::open_private(dir)?;
        Ok(StatsReader { dir: dir.to_owned() })
    }

    /// What the data plane reports now; `None` if none has run here yet.
    ///
    /// Opens the pages anew each time, so that a restarted data plane needs no
    /// special case. Meant for scrapes and displays, not for every event.
    pub fn read(&self) -> Result<Option<Stats>, DirError> {
        self.read_part(true)
    }

    /// The same without the triggers, whose counters are most of the work.
    pub fn read_shards(&self) -> Result<Option<Stats>, DirError> {
        self.read_part(false)
    }

    fn read_part(&self, triggers: bool) -> Result<Option<Stats>, DirError> {
        let mut restarts = 0;
        loop {
            match self.read_instance(triggers) {
                // Its chunks went while we read: there is a new instance.
                Err(DirError { problem: DirProblem::Io { cause, .. }, .. })
                    if cause.kind() == io::ErrorKind::NotFound && restarts < RESTARTS_MAX =>
                {
                    restarts += 1;
                }
                result => return result,
            }
        }
    }

    fn read_instance(&self, triggers: bool) -> Result<Option<Stats>, DirError> {
        let path = self.dir.join(STATS);
        let Some((instance, shape)) = shape(&path)? else { return Ok(None) };
        let page = map(&path, stats_words(shape.shards), STATS_MAGIC)?;
        // Replaced between the two opens.
        if page.load(header::INSTANCE) != Some(instance) {
            return Err(io_error(&path, "open")(io::ErrorKind::NotFound.into()));
        }
        let mut stats = read_stats(&page, &shape);
        if !triggers {
            return Ok(Some(stats));
        }
        let chunks = page.load(header::CHUNKS).unwrap_or(0);
        if chunks > CHUNKS_MAX as u64 {
            return Err(DirError { path, problem: DirProblem::Contents("number of chunks") });
        }
        for index in 0..chunks as usize {
            let path = self.dir.join(chunk_name(instance, index));
            read_chunk(&map(&path, shape.chunk_words(), CHUNK_MAGIC)?, &shape, &mut stats.triggers);
        }
        Ok(Some(stats))
    }
}

/// What the header of `stats` says: the instance, and the size of everything;
/// `None` if there is no page.
fn shape(path: &Path) -> Result<Option<(u64, Shape)>, DirError> {
    let page = match map(path, stats_words(0), STATS_MAGIC) {
        Ok(page) => page,
        Err(DirError { problem: DirProblem::Io { cause, .. }, .. })
            if cause.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let word = |index| page.load(index).and_then(|word| usize::try_from(word).ok()).unwrap_or(usize::MAX);
    let stride = Some(word(header::STRIDE)).filter(|stride| *stride != 0).unwrap_or(STRIDE);
    let Some(shape) = Shape::new(word(header::SHARDS), word(header::SLOTS), stride) else {
        let problem = DirProblem::Contents("number of shards or slots");
        return Err(DirError { path: path.to_owned(), problem });
    };
    Ok(Some((page.load(header::INSTANCE).unwrap_or(0), shape)))
}

/// What the pages of one directory hold.
pub(super) fn read_pages(stats: &Page, chunks: &[Arc<Page>], shape: &Shape) -> Stats {
    let mut sum = read_stats(stats, shape);
    chunks.iter().for_each(|chunk| read_chunk(&**chunk, shape, &mut sum.triggers));
    sum
}

/// Everything but the counts of triggers.
fn read_stats(page: &impl Words, shape: &Shape) -> Stats {
    let word = |index| page.load(index).unwrap_or(0);
    let shard = |shard| ShardStatus {
        applied: read_applied(page, shard_at(shard)).unwrap_or_default(),
        heartbeat_ms: word(shard_at(shard) + HEARTBEAT),
    };
    Stats {
        instance: word(header::INSTANCE),
        pid: word(header::PID) as u32,
        started_ms: word(header::STARTED),
        refused: read_refusal(page),
        shards: (0..shape.shards).map(shard).collect(),
        triggers: BTreeMap::new(),
    }
}

/// Adds the counts of a chunk.
fn read_chunk(page: &impl Words, shape: &Shape, triggers: &mut BTreeMap<Id, TriggerStats>) {
    // Of a writer of another version, the words that both know.
    let words = CELL_WORDS.min(shape.stride);
    for shard in 0..shape.shards {
        for slot in 0..shape.slots {
            if let Some((id, cell)) = read_cell(page, shape.cell_at(shard, slot), words) {
                triggers.entry(id).or_default().add(cell.into_iter().skip(1).take(words - 1));
            }
        }
    }
}

/// Maps a page and checks how it begins.
fn map(path: &Path, words: usize, magic: u64) -> Result<RemotePage, DirError> {
    let file = dir::open_read(path).map_err(io_error(path, "open"))?;
    let page = RemotePage::map(&file, words).map_err(io_error(path, "map"))?;
    let problem = match (page.load(header::MAGIC), page.load(header::VERSION)) {
        (Some(found), Some(VERSION)) if found == magic => return Ok(page),
        (Some(found), Some(version)) if found == magic => {
            DirProblem::Version { found: version, expected: VERSION }
        }
        _ => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}

/// What a shard works with; `None` if it is just changing from one publisher to
/// another.
pub(super) fn read_applied(page: &impl Words, line: usize) -> Option<Generation> {
    for _ in 0..REREADS_MAX {
        let number = page.load(line + APPLIED)?;
        let publisher = page.load(line + PUBLISHER)?;
        if page.load(line + APPLIED)? == number {
            return Some(Generation { publisher, number });
        }
    }
    None
}

/// The first words of a cell that belonged to one trigger throughout; `None` if
/// it is nobody's or just changing hands.
pub(super) fn read_cell(page: &impl Words, at: usize, words: usize) -> Option<(Id, [u64; CELL_WORDS])> {
    let id = page.load(at + CELL_ID).filter(|&id| id != 0)?;
    let mut cell = [0; CELL_WORDS];
    for (index, value) in cell.iter_mut().take(words).enumerate() {
        *value = page.load(at + index)?;
    }
    (page.load(at + CELL_ID)? == id).then_some((Id(id), cell))
}

/// The last refusal; `None` if there is none, or if its writer died in it.
fn read_refusal(page: &impl Words) -> Option<Refusal> {
    for _ in 0..REREADS_MAX {
        let sequence = page.load(refusal::SEQUENCE)?;
        let publisher = page.load(refusal::PUBLISHER)?;
        let generation = Generation { publisher, number: page.load(refusal::GENERATION)? };
        let bytes = page.load(refusal::BYTES)?.min(REASON_BYTES_MAX as u64) as usize;
        let mut text = Vec::with_capacity(REASON_BYTES_MAX);
        for index in 0..REASON_WORDS {
            text.extend_from_slice(&page.load(refusal::TEXT + index)?.to_le_bytes());
        }
        if sequence == 0 {
            return None;
        }
        if sequence % 2 == 0 && page.load(refusal::SEQUENCE)? == sequence {
            let reason = String::from_utf8_lossy(&text[..bytes]).into_owned();
            return Some(Refusal { generation, reason });
        }
    }
    None
}
