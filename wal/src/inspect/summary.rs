//! What a log consists of, as far as its two ends and every header and seal tell.

use std::path::{Path, PathBuf};

use super::{Depth, InspectError, Source, file_name};
use crate::{
    cursor::Cursors,
    error::Damage,
    lsn::Lsn,
    recover::{self, Decision, Missing, Refusal, Seen},
    segment::{BadHeader, Header},
};

/// What a log consists of.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The log's directory.
    pub path: PathBuf,
    /// The process that has the log now, if it can be seen; then the end of the
    /// log may be older than what is on the disk.
    pub holder: Option<u32>,
    /// All segment files, ascending.
    pub segments: Vec<SegmentSummary>,
    /// As a start would find them.
    pub cursors: Cursors,
    /// Before the oldest record.
    pub first: Lsn,
    /// Behind the last record.
    pub end: Lsn,
    /// Everything below is known to have been on the disk: the highest mark seen.
    pub durable: Lsn,
    /// Number of the owner's record that comes next.
    pub next_sequence: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files of segments that were never finished, or of a log that was being removed;
    /// the next start removes them.
    pub unfinished: Vec<String>,
    /// Names in the directory that are not the log's.
    pub unknown_files: Vec<String>,
    /// Records that an earlier salvage could not keep, by the segment that had them.
    pub missing: Vec<Missing>,
    /// What a start would make of it.
    pub start: Start,
    /// The last segment with records.
    pub(crate) last_used: Option<Lsn>,
}

/// One segment file.
#[derive(Clone, Debug)]
pub struct SegmentSummary {
    /// The position that its name says.
    pub base: Lsn,
    /// Its name.
    pub file: String,
    /// Its size.
    pub file_bytes: u64,
    /// What its header says, if that can be believed.
    pub header: Option<Header>,
    /// What it is to a start.
    pub state: SegmentState,
    /// Owner's records in it.
    pub records: u64,
    /// Times of its first and its last record, by the owner's clock.
    pub times_ms: Option<(u64, u64)>,
    /// Where its records end.
    pub end: Lsn,
    /// Why a start refuses it.
    pub refusal: Option<Damage>,
}

/// What a segment is to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Full.
    Sealed,
    /// Records are added to it.
    Active,
    /// Empty; waits for its turn.
    Prepared,
    /// A start refuses it.
    Damaged,
    /// It was written by a later release, in this version of the format.
    Future(u16),
}

/// What a start would do.
#[derive(Clone, Debug)]
pub enum Start {
    /// It opens the log.
    Opens {
        /// And overwrites this with zeros first: a torn tail. Nobody was told that
        /// anything in it was durable.
        truncates: Option<(Lsn, Lsn)>,
    },
    /// It refuses.
    Refuses(Damage),
    /// It refuses, as a later release wrote the log.
    FutureVersion {
        /// The first such segment.
        base: Lsn,
        /// Its version.
        version: u16,
    },
}

/// Looks at a log. Reads the header and the seal of every segment, and the last one
/// with records, and those behind it, whole.
///
/// # Errors
/// There is no log, or a file cannot be opened.
pub fn inspect(dir: &Path) -> Result<Inspection, InspectError> {
    look(&Source::open(dir)?)
}

pub(crate) fn look(source: &Source) -> Result<Inspection, InspectError> {
    let mut segments: Vec<Seen> = Vec::new();
    let mut cursors = Ok(Cursors::default());
    let mut last_used = None;
    for base in source.segments.iter().rev() {
        let depth = if last_used.is_none() { Depth::Whole } else { Depth::Ends };
        // The owner removes segments from the oldest on.
        let Some(content) = source.read(*base, depth)? else { break };
        let seen = Seen::of(*base, &content.bytes, depth == Depth::Whole);
        if let (None, Some(scan), Ok(header)) = (last_used, seen.scan, seen.header) {
            cursors = recover::cursors(&content.bytes, &header, scan.end);
        }
        last_used = last_used.or(seen.is_used().then_some(*base));
        segments.push(seen);
    }
    segments.reverse();
    let decisions: Vec<_> = recover::decisions(&segments).collect();
    let mut start = start(&segments, &decisions);
    if let (Start::Opens { .. }, Err(Refusal::Damage(damage))) = (&start, &cursors) {
        start = Start::Refuses(damage.clone());
    }
    let summaries: Vec<_> =
        segments.iter().zip(decisions).map(|(seen, decided)| summary(seen, decided)).collect();
    let used = || summaries.iter().zip(&segments).filter(|(_, seen)| seen.is_used());
    let first = used().next().map_or(Lsn::ZERO, |(summary, _)| summary.base);
    let proven = segments.iter().map(|seen| {
        let by_seal = seen.seal.map_or(Lsn::ZERO, |seal| seal.records_end);
        seen.scan.map_or(by_seal, |scan| scan.proven)
    });
    Ok(Inspection {
        path: source.path.clone(),
        holder: source.holder,
        first,
        end: used().next_back().map_or(first, |(summary, _)| summary.end),
        durable: proven.max().unwrap_or(Lsn::ZERO),
        next_sequence: segments.iter().rev().find_map(|seen| seen.scan?.next_sequence).unwrap_or(0),
        bytes: segments.iter().map(|seen| seen.file_bytes).sum(),
        unfinished: source.unfinished.clone(),
        unknown_files: source.unknown.clone(),
        missing: recover::missing(&segments),
        segments: summaries,
        cursors: cursors.unwrap_or_default(),
        start,
        last_used,
    })
}

fn start(segments: &[Seen], decisions: &[(Decision, Option<Refusal>)]) -> Start {
    let mut truncates = None;
    for (seen, (decision, refusal)) in segments.iter().zip(decisions) {
        match refusal {
            Some(Refusal::Damage(damage)) => return Start::Refuses(damage.clone()),
            Some(Refusal::FutureVersion { base, version }) => {
                return Start::FutureVersion { base: *base, version: *version };
            }
            Some(Refusal::Io(_)) | None => {}
        }
        if *decision == Decision::Truncate {
            truncates = truncates.or(seen.scan.and_then(|scan| Some((scan.end, scan.residue_end?))));
        }
    }
    Start::Opens { truncates }
}

fn summary(seen: &Seen, (decision, refusal): (Decision, Option<Refusal>)) -> SegmentSummary {
    let has_records = seen.scan.is_some_and(|scan| scan.next_sequence.is_some());
    let state = match (decision, seen.header) {
        (_, Err(BadHeader::Future(version))) => SegmentState::Future(version),
        (Decision::Keep, _) => SegmentState::Sealed,
        (Decision::Append, _) => SegmentState::Active,
        (Decision::Truncate, _) if has_records => SegmentState::Active,
        (Decision::Truncate | Decision::Spare, _) => SegmentState::Prepared,
        _ => SegmentState::Damaged,
    };
    let first_frame = seen.header.map_or(seen.base, |header| header.first_frame());
    let scanned = seen.scan.map(|scan| {
        let times = has_records.then_some((scan.first_time_ms, scan.last_time_ms));
        (scan.records, times, scan.end)
    });
    let sealed =
        seen.seal.map(|seal| (seal.records, Some((seal.first_time_ms, seal.last_time_ms)), seal.records_end));
    let (records, times_ms, end) = scanned.or(sealed).unwrap_or((0, None, first_frame));
    SegmentSummary {
        base: seen.base,
        file: file_name(seen.base),
        file_bytes: seen.file_bytes,
        header: seen.header.ok(),
        state,
        records,
        times_ms,
        end,
        refusal: match refusal {
            Some(Refusal::Damage(damage)) => Some(damage),
            _ => None,
        },
    }
}
