//! The way out when a log is damaged and no copy of it exists: what is whole is
//! written to a new directory.
//!
//! # What it promises
//!
//! - The damaged log is only read.
//! - Every whole record keeps its position and its number, so that cursors stay
//!   valid. Of a group that is broken off nothing is kept, for it was never to be
//!   seen without its end. Whether what lies behind a lost range was the rest of a
//!   group cannot be known; it is kept: rather a record too many than one too few.
//! - What is lost is bridged by a frame of kind [`Kind::GAP`], so that a start
//!   passes over it knowingly, and the numbers of the records tell what is missing.
//! - No cursor is newer than one that was in the log: cursors are those of the last
//!   whole checkpoint, advanced by what is whole behind it. An older one means that
//!   records are handed out again. Unfinished records that are lost are left out.
//! - A salvage that is broken off leaves a directory that no start opens: the last
//!   segment written so far is full, and none follows.
//!
//! # How
//!
//! Every segment is written anew under the position it had, missing ones too, and
//! sealed. One segment more follows, with the cursors; there the log goes on.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    cursor::DoNotFit,
    directory::{Directory, NotTaken},
    inspect::{Depth, InspectError, Piece, Run, Source, Start, Survey, Surveys, Verification, examine},
    limits::cursors_bytes_max,
    lsn::Lsn,
    record::{self, FRAME_HEADER_BYTES, Kind, Meta, frame_bytes},
    segment::{Header, SEAL_FRAME_BYTES, Seal},
};

/// What a salvage has written.
#[derive(Clone, Debug)]
pub struct Salvage {
    /// What was found of the damaged log; its damages are what is lost.
    pub source: Verification,
    /// Segments written, the one with the cursors included.
    pub segments: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Where the log goes on.
    pub end: Lsn,
}

/// Why nothing, or not all, was salvaged.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The log cannot be looked at.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A process has the log.
    #[error("{} is in use by process {holder}; stop it first", path.display())]
    InUse {
        /// The damaged log.
        path: PathBuf,
        /// The process.
        holder: u32,
    },
    /// A later release wrote the log.
    #[error("{}: segment {base} has format version {version}; use the release that wrote it", path.display())]
    FutureVersion {
        /// The damaged log.
        path: PathBuf,
        /// The first such segment.
        base: Lsn,
        /// Its version.
        version: u16,
    },
    /// There is not one segment with records.
    #[error("{}: nothing was found that could be salvaged", path.display())]
    Nothing {
        /// The damaged log.
        path: PathBuf,
    },
    /// The new directory holds something.
    #[error("{} is not empty; choose a directory that does not exist yet", path.display())]
    NotEmpty {
        /// The new directory.
        path: PathBuf,
    },
    /// The cursors do not fit a segment of the log's size.
    #[error("{}: the cursors do not fit a segment; this should not happen, report it", path.display())]
    CursorsDoNotFit {
        /// The damaged log.
        path: PathBuf,
    },
    /// The new directory cannot be written.
    #[error("{}: cannot be written: {source}; remove it and start again", path.display())]
    Write {
        /// The new directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A range that is bridged.
struct Bridge {
    from: Lsn,
    to: Lsn,
    sequence: u64,
    time_ms: u64,
}

/// Writes what is whole of the log in `from` to the directory `to`, which is made
/// and must be empty. Holds two segments in memory.
///
/// # Errors
/// See [`SalvageError`]. What is in `to` after an error is not to be used.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvage, SalvageError> {
    let source = Source::open(from)?;
    let path = || from.to_owned();
    if let Some(holder) = source.holder {
        return Err(SalvageError::InUse { path: path(), holder });
    }
    let (verification, mut surveys) = examine(&source)?;
    surveys.forget_lost();
    if let Start::FutureVersion { base, version } = verification.inspection.start {
        return Err(SalvageError::FutureVersion { path: path(), base, version });
    }
    let used: Vec<_> = surveys.segments.iter().filter(|survey| survey.used).collect();
    let last = used.last().ok_or_else(|| SalvageError::Nothing { path: path() })?.header;
    let fresh = last.following(last.segment_bytes);
    let checkpoint = surveys.cursors.tell_all(cursors_bytes_max(fresh.segment_bytes));
    let checkpoint = checkpoint.map_err(|DoNotFit| SalvageError::CursorsDoNotFit { path: path() })?.body;

    let target = take(to)?;
    let write = |source| SalvageError::Write { path: to.to_owned(), source };
    let mut place = Place::default();
    let mut bytes = fresh.segment_bytes;
    for (index, survey) in used.iter().enumerate() {
        let bridges = place.bridges(survey, &used[index + 1..]);
        let segment = rebuild(&source, survey, &bridges, &place)?;
        target.create(survey.header.base, |file| file.write_all(&segment)).map_err(write)?;
        bytes += survey.header.segment_bytes;
    }
    let segment = begin(&fresh, &place, &checkpoint);
    target.create(fresh.base, |file| file.write_all(&segment)).map_err(write)?;
    let end = fresh.first_frame() + frame_bytes(checkpoint.len() as u64);
    Ok(Salvage { source: verification, segments: used.len() + 1, bytes, end })
}

impl Surveys {
    /// A record that is lost is not waited for.
    fn forget_lost(&mut self) {
        let pieces = self.segments.iter().flat_map(|survey| &survey.pieces);
        let lost: Vec<_> = pieces
            .filter_map(|piece| match *piece {
                Piece::Lost { from, to } => Some(from..to),
                Piece::Whole(_) => None,
            })
            .collect();
        self.cursors.retain_pending(|lsn| !lost.iter().any(|range| range.contains(&lsn)));
    }
}

/// Takes the new directory, which must hold nothing.
fn take(to: &Path) -> Result<Directory, SalvageError> {
    let path = || to.to_owned();
    let write = |source| SalvageError::Write { path: path(), source };
    match fs::read_dir(to).map(|mut entries| entries.next()) {
        Ok(None) => {}
        Ok(Some(_)) => return Err(SalvageError::NotEmpty { path: path() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(write(error)),
    }
    Directory::take(to).map_err(|not_taken| match not_taken {
        NotTaken::Held(_) => SalvageError::NotEmpty { path: path() },
        NotTaken::Io(error) => write(error),
    })
}

/// How far the new log has come.
#[derive(Default)]
struct Place {
    /// Number of the owner's record that comes next, if it is known.
    sequence: Option<u64>,
    time_ms: Option<u64>,
    /// Time of the first frame of the segment.
    first_time_ms: u64,
}

impl Place {
    /// Goes through a segment and gives what bridges its lost ranges. The last of
    /// several ranges without a record between them has the number of the record
    /// behind it, the others the number of the one before.
    fn bridges(&mut self, survey: &Survey, later: &[&Survey]) -> Vec<Bridge> {
        let mut bridges = Vec::new();
        for (index, piece) in survey.pieces.iter().enumerate() {
            let first_time_ms = match *piece {
                Piece::Whole(run) => {
                    self.sequence = Some(run.next_sequence);
                    self.time_ms = Some(run.last_time_ms);
                    run.first_time_ms
                }
                Piece::Lost { from, to } => {
                    let behind =
                        || survey.pieces[index + 1..].iter().chain(later.iter().flat_map(|s| &s.pieces));
                    let next = behind().find_map(run_of);
                    let ends_here = behind().next().and_then(run_of).map(|run| run.first_sequence);
                    let known = self.sequence.or(next.map(|run| run.first_sequence)).unwrap_or(0);
                    let sequence = ends_here.unwrap_or(known);
                    let time_ms = self.time_ms.or(next.map(|run| run.first_time_ms)).unwrap_or(0);
                    bridges.push(Bridge { from, to, sequence, time_ms });
                    (self.sequence, self.time_ms) = (Some(sequence), Some(time_ms));
                    time_ms
                }
            };
            if index == 0 {
                self.first_time_ms = first_time_ms;
            }
        }
        bridges
    }
}

fn run_of(piece: &Piece) -> Option<Run> {
    match piece {
        Piece::Whole(run) => Some(*run),
        Piece::Lost { .. } => None,
    }
}

/// The bytes of a segment: header, whole frames where they were, bridges between
/// them, seal. `place` is behind it.
fn rebuild(
    source: &Source,
    survey: &Survey,
    bridges: &[Bridge],
    place: &Place,
) -> Result<Vec<u8>, SalvageError> {
    let header = survey.header;
    let mut segment = header.encode();
    segment.resize(header.segment_bytes as usize, 0);
    let content = survey.file.map(|file| source.read(file, Depth::Whole)).transpose()?.flatten();
    let old = content.map_or_else(Vec::new, |content| content.bytes);
    for run in survey.pieces.iter().filter_map(run_of) {
        let range = (run.from - header.base) as usize..(run.to - header.base) as usize;
        segment[range.clone()].copy_from_slice(&old[range]);
    }
    let mut frame = Vec::new();
    for bridge in bridges {
        let meta = meta(&header, bridge.from, bridge.from, bridge.sequence, bridge.time_ms, Kind::GAP);
        frame.clear();
        let body = vec![0; (bridge.to - bridge.from - FRAME_HEADER_BYTES) as usize];
        record::encode(&mut frame, &meta, &[&body]);
        segment[(bridge.from - header.base) as usize..][..frame.len()].copy_from_slice(&frame);
    }
    let seal_offset = (header.seal() - header.base) as usize;
    let has_seal = survey.sealed && bridges.is_empty() && survey.seal_fault.is_none();
    if has_seal {
        segment[seal_offset..].copy_from_slice(&old[seal_offset..][..SEAL_FRAME_BYTES as usize]);
        return Ok(segment);
    }
    let last_time_ms = place.time_ms.unwrap_or(0);
    let seal = Seal {
        records_end: survey.end,
        records: survey.records,
        first_time_ms: place.first_time_ms,
        last_time_ms,
    };
    let sequence = place.sequence.unwrap_or(0);
    let meta = meta(&header, header.seal(), survey.end, sequence, last_time_ms, Kind::SEAL);
    frame.clear();
    record::encode(&mut frame, &meta, &[&seal.encode_body()]);
    segment[seal_offset..].copy_from_slice(&frame);
    Ok(segment)
}

/// The segment in which the log goes on.
fn begin(header: &Header, place: &Place, checkpoint: &[u8]) -> Vec<u8> {
    let mut segment = header.encode();
    let first = header.first_frame();
    let (sequence, time_ms) = (place.sequence.unwrap_or(0), place.time_ms.unwrap_or(0));
    let meta = meta(header, first, first, sequence, time_ms, Kind::CHECKPOINT);
    record::encode(&mut segment, &meta, &[checkpoint]);
    segment.resize(header.segment_bytes as usize, 0);
    segment
}

fn meta(header: &Header, lsn: Lsn, durable: Lsn, sequence: u64, time_ms: u64, kind: Kind) -> Meta {
    Meta { generation: header.generation, lsn, durable, sequence, time_ms, kind, group_continues: false }
}
