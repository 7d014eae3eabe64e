//! The control plane's end of the stats pages.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::layout::{
    APPLIED, CELL_ID, CELL_WORDS, CHUNK_MAGIC, Counter, HEARTBEAT, REASON_WORDS, STATS, STATS_MAGIC, VERSION,
    cell_at, chunk_name, chunk_words, header, refusal, shard_at, stats_words,
};
use crate::Generation;
use crate::dir::{self, DirError, DirProblem, io_error};
use crate::limits::{CHUNK_CELLS_MAX, CHUNKS_MAX, REASON_BYTES_MAX, SHARDS_MAX};
use crate::model::Id;
use crate::page::View;

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
    /// Its last sign of life, Unix milliseconds; 0 before the first.
    pub heartbeat_ms: u64,
}

/// The counts of one trigger over all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggerStats {
    /// [`Counter::Matched`].
    pub matched: u64,
    /// [`Counter::Delivered`].
    pub delivered: u64,
    /// [`Counter::FailedAttempts`].
    pub failed_attempts: u64,
    /// [`Counter::Retried`].
    pub retried: u64,
    /// [`Counter::DeadLettered`].
    pub dead_lettered: u64,
    /// [`Counter::Replies`].
    pub replies: u64,
    /// [`Counter::Dropped`].
    pub dropped: u64,
    /// [`Counter::InFlight`].
    pub in_flight: u64,
    /// [`Counter::LagEvents`].
    pub lag_events: u64,
    /// [`Counter::LagSinceMs`] of the shard where it is earliest; 0 if none
    /// lags.
    pub lag_since_ms: u64,
    /// [`Counter::Kept`].
    pub kept: u64,
}

impl Stats {
    /// The generation that every shard works with, or a newer one:
    /// [`Generation::NONE`] until all have one.
    pub fn applied(&self) -> Generation {
        self.shards.iter().map(|shard| shard.applied).min().unwrap_or_default()
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
        let mut restarts = 0;
        loop {
            match self.read_instance() {
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

    fn read_instance(&self) -> Result<Option<Stats>, DirError> {
        let path = self.dir.join(STATS);
        let Some(shape) = Shape::of(&path)? else { return Ok(None) };
        let page = map(&path, stats_words(shape.shards), STATS_MAGIC)?;
        let word = |index| page.load(index).unwrap_or(0);
        // Replaced between the two opens.
        if word(header::INSTANCE) != shape.instance {
            return Err(io_error(&path, "open")(io::ErrorKind::NotFound.into()));
        }
        let shard = |shard| ShardStatus {
            applied: Generation(word(shard_at(shard) + APPLIED)),
            heartbeat_ms: word(shard_at(shard) + HEARTBEAT),
        };
        let mut stats = Stats {
            instance: shape.instance,
            pid: word(header::PID) as u32,
            started_ms: word(header::STARTED),
            refused: read_refusal(&page),
            shards: (0..shape.shards).map(shard).collect(),
            triggers: BTreeMap::new(),
        };
        let chunks = word(header::CHUNKS);
        if chunks > CHUNKS_MAX as u64 {
            return Err(DirError { path, problem: DirProblem::Contents("number of chunks") });
        }
        for index in 0..chunks as usize {
            self.add_chunk(&shape, index, &mut stats.triggers)?;
        }
        Ok(Some(stats))
    }

    fn add_chunk(
        &self,
        shape: &Shape,
        index: usize,
        triggers: &mut BTreeMap<Id, TriggerStats>,
    ) -> Result<(), DirError> {
        let path = self.dir.join(chunk_name(shape.instance, index));
        let page = map(&path, chunk_words(shape.shards, shape.slots), CHUNK_MAGIC)?;
        for shard in 0..shape.shards {
            for slot in 0..shape.slots {
                if let Some((id, cell)) = read_cell(&page, cell_at(shape.slots, shard, slot)) {
                    triggers.entry(id).or_default().add(&cell);
                }
            }
        }
        Ok(())
    }
}

/// What the header of `stats` says about the size of everything.
struct Shape {
    instance: u64,
    shards: usize,
    slots: usize,
}

impl Shape {
    /// `None` if there is no page.
    fn of(path: &Path) -> Result<Option<Shape>, DirError> {
        let page = match map(path, stats_words(0), STATS_MAGIC) {
            Ok(page) => page,
            Err(DirError { problem: DirProblem::Io { cause, .. }, .. })
                if cause.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let word = |index| page.load(index).and_then(|word| usize::try_from(word).ok()).unwrap_or(0);
        let (shards, slots) = (word(header::SHARDS), word(header::SLOTS));
        let fits =
            (1..=SHARDS_MAX).contains(&shards) && (1..=CHUNK_CELLS_MAX / shards.max(1)).contains(&slots);
        if !fits {
            let problem = DirProblem::Contents("number of shards or slots");
            return Err(DirError { path: path.to_owned(), problem });
        }
        Ok(Some(Shape { instance: page.load(header::INSTANCE).unwrap_or(0), shards, slots }))
    }
}

/// Maps a page and checks how it begins.
fn map(path: &Path, words: usize, magic: u64) -> Result<View, DirError> {
    let file = dir::open_read(path).map_err(io_error(path, "open"))?;
    let page = View::map(&file, words).map_err(io_error(path, "map"))?;
    let problem = match (page.load(header::MAGIC), page.load(header::VERSION)) {
        (Some(found), Some(VERSION)) if found == magic => return Ok(page),
        (Some(found), Some(version)) if found == magic => {
            DirProblem::Version { found: version, expected: VERSION }
        }
        _ => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}

/// A cell that belonged to one trigger throughout; `None` if it is nobody's or
/// just changing hands.
fn read_cell(page: &View, at: usize) -> Option<(Id, [u64; CELL_WORDS])> {
    let id = page.load(at + CELL_ID).filter(|&id| id != 0)?;
    let mut cell = [0; CELL_WORDS];
    for (index, value) in cell.iter_mut().enumerate() {
        *value = page.load(at + index)?;
    }
    (page.load(at + CELL_ID)? == id).then_some((Id(id), cell))
}

/// The last refusal; `None` if there is none, or if its writer died in it.
fn read_refusal(page: &View) -> Option<Refusal> {
    for _ in 0..REREADS_MAX {
        let sequence = page.load(refusal::SEQUENCE)?;
        let generation = Generation(page.load(refusal::GENERATION)?);
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

impl TriggerStats {
    /// Adds one shard's cell.
    fn add(&mut self, cell: &[u64; CELL_WORDS]) {
        for (sum, counter) in [
            (&mut self.matched, Counter::Matched),
            (&mut self.delivered, Counter::Delivered),
            (&mut self.failed_attempts, Counter::FailedAttempts),
            (&mut self.retried, Counter::Retried),
            (&mut self.dead_lettered, Counter::DeadLettered),
            (&mut self.replies, Counter::Replies),
            (&mut self.dropped, Counter::Dropped),
            (&mut self.kept, Counter::Kept),
            (&mut self.in_flight, Counter::InFlight),
            (&mut self.lag_events, Counter::LagEvents),
        ] {
            *sum = sum.saturating_add(cell[counter as usize]);
        }
        let since = cell[Counter::LagSinceMs as usize];
        self.lag_since_ms = match (self.lag_since_ms, since) {
            (0, other) | (other, 0) => other,
            (one, other) => one.min(other),
        };
    }
}
