//! A segment read past its damage: runs of whole records, and what is lost
//! between them.

use crate::{
    lsn::Lsn,
    record::{self, FRAME_HEADER_BYTES, Frame, Kind},
    scan::{Scan, last_nonzero, scan},
    segment::{Header, Seal},
};

/// A part of a segment. The parts follow each other without a hole between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Whole frames, one after another.
    Whole(Run),
    /// Frames were here; nothing of them can be believed. Room for one at least.
    Lost { from: Lsn, to: Lsn },
}

/// Whole frames, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub from: Lsn,
    pub to: Lsn,
    /// Number of the first owner's record in it.
    pub first_sequence: u64,
    /// Number of the owner's record that comes next.
    pub next_sequence: u64,
    pub first_time_ms: u64,
    pub last_time_ms: u64,
}

/// A segment that was read whole.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Frames that are whole, ascending; of groups that are whole, too.
    pub frames: Vec<Frame>,
    pub pieces: Vec<Piece>,
    pub seal: Option<(Seal, Frame)>,
    pub scan: Scan,
    /// Behind the records and before the seal, the end of the last byte that is
    /// not zero.
    pub residue_end: Option<Lsn>,
}

/// Which number the next frame must have.
#[derive(Clone, Copy)]
enum Expected {
    /// It is the first of the segment.
    Any,
    /// It follows a whole one.
    Exactly(u64),
    /// It follows others that are lost.
    AtLeast(u64),
}

impl Expected {
    fn is_met_by(self, frame: &Frame, is_first: bool) -> bool {
        let is_gap = frame.kind == Kind::GAP;
        match self {
            Self::Any => !is_first || is_gap || frame.kind == Kind::CHECKPOINT,
            Self::Exactly(sequence) => frame.sequence == sequence || is_gap && frame.sequence > sequence,
            Self::AtLeast(sequence) => frame.sequence >= sequence,
        }
    }
}

/// Reads a segment. Everything in it was durable if `settled`: a later segment
/// has records.
pub(crate) fn walk(segment: &[u8], header: &Header, settled: bool) -> Walk {
    let scan = scan(segment, header);
    let seal = Seal::decode(segment, header);
    let mut walker = Walker { frames: &segment[..(header.seal() - header.base) as usize], header };
    let vouched = walker.vouched(&scan, settled);
    let mut walk = Walk { frames: Vec::new(), pieces: Vec::new(), seal, scan, residue_end: None };
    let (mut at, mut expected) = (header.first_frame(), Expected::Any);
    loop {
        let known = walk.frames.len();
        match walker.group(at, expected, &mut walk.frames) {
            Ok(next) => {
                at = next;
                walk.take(known);
                expected = Expected::Exactly(walk.next_sequence());
            }
            Err(broken) if at < vouched && broken + FRAME_HEADER_BYTES <= header.seal() => {
                expected = match expected {
                    Expected::Exactly(sequence) => Expected::AtLeast(sequence),
                    other => other,
                };
                let found = walker.find(broken + FRAME_HEADER_BYTES, expected);
                let to = found.unwrap_or_else(|| vouched.max(broken + FRAME_HEADER_BYTES)).min(header.seal());
                walk.lose(at, to);
                at = to;
            }
            Err(_) => break,
        }
    }
    let behind = &walker.frames[(at - header.base) as usize..];
    walk.residue_end = last_nonzero(behind).map(|last| at + last as u64 + 1);
    walk
}

struct Walker<'a> {
    /// The segment up to its seal.
    frames: &'a [u8],
    header: &'a Header,
}

impl Walker<'_> {
    /// Everything below was durable.
    fn vouched(&self, scan: &Scan, settled: bool) -> Lsn {
        if !settled || scan.sealed {
            return scan.proven.min(self.header.seal());
        }
        // Whatever is not zero was a record.
        let chain_end = (scan.end - self.header.base) as usize;
        let written = last_nonzero(&self.frames[chain_end..])
            .map_or(scan.end, |last| scan.end + (last as u64 + 1).next_multiple_of(8));
        scan.proven.max(written).min(self.header.seal())
    }

    /// Appends the whole group of frames at `at` and tells where it ends, or
    /// where it is broken.
    fn group(&mut self, at: Lsn, expected: Expected, into: &mut Vec<Frame>) -> Result<Lsn, Lsn> {
        let start = into.len();
        let (mut next, mut expected) = (at, expected);
        loop {
            let Some(frame) = self.decode(next, expected) else {
                into.truncate(start);
                return Err(next);
            };
            into.push(frame);
            next = frame.next;
            if !frame.group_continues {
                return Ok(next);
            }
            expected = Expected::Exactly(frame.sequence + u64::from(frame.kind.is_owners()));
        }
    }

    fn decode(&self, at: Lsn, expected: Expected) -> Option<Frame> {
        let offset = (at - self.header.base) as usize;
        let frame = record::decode(self.frames, self.header.base, self.header.generation, offset)?;
        expected.is_met_by(&frame, at == self.header.first_frame()).then_some(frame)
    }

    /// Where the next whole frame begins.
    fn find(&self, from: Lsn, expected: Expected) -> Option<Lsn> {
        let Header { base, generation, .. } = *self.header;
        let mut offset = (from - base) as usize;
        loop {
            let frame = record::find(self.frames, base, generation, offset, self.frames.len())?;
            if expected.is_met_by(&frame, false) {
                return Some(frame.lsn);
            }
            offset = (frame.lsn - base) as usize + 1;
        }
    }
}

impl Walk {
    /// Where the records end.
    pub(crate) fn end(&self, header: &Header) -> Lsn {
        self.pieces.last().map_or(header.first_frame(), |piece| match *piece {
            Piece::Whole(Run { to, .. }) | Piece::Lost { to, .. } => to,
        })
    }

    /// Owner's records that are whole.
    pub(crate) fn records(&self) -> u64 {
        self.frames.iter().filter(|frame| frame.kind.is_owners()).count() as u64
    }

    /// It was written to.
    pub(crate) fn is_used(&self) -> bool {
        self.seal.is_some() || !self.pieces.is_empty()
    }

    fn next_sequence(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.sequence + u64::from(frame.kind.is_owners()))
    }

    /// Counts in the frames from the index `known` on.
    fn take(&mut self, known: usize) {
        let (first, last) = (self.frames[known], self.frames[self.frames.len() - 1]);
        let next_sequence = self.next_sequence();
        if let Some(Piece::Whole(run)) = self.pieces.last_mut() {
            *run = Run { to: last.next, next_sequence, last_time_ms: last.time_ms, ..*run };
        } else {
            self.pieces.push(Piece::Whole(Run {
                from: first.lsn,
                to: last.next,
                first_sequence: first.sequence,
                next_sequence,
                first_time_ms: first.time_ms,
                last_time_ms: last.time_ms,
            }));
        }
    }

    pub(crate) fn lose(&mut self, from: Lsn, to: Lsn) {
        match self.pieces.last_mut() {
            Some(Piece::Lost { to: end, .. }) => *end = to,
            _ => self.pieces.push(Piece::Lost { from, to }),
        }
    }
}
