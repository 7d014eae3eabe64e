//! A segment read whole: which records it holds, and what else its bytes tell.

use crate::{
    canary::{Canary, planted},
    lsn::Lsn,
    record::{self, Frame, Kind},
    segment::{Header, Seal},
};

/// What the bytes of a segment show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where the unbroken chain of whole records ends. A group without its end
    /// is not in it.
    pub end: Lsn,
    /// Owner's records in the chain.
    pub records: u64,
    /// Number of the owner's record that comes next, if the chain has a record.
    pub next_sequence: Option<u64>,
    pub first_time_ms: u64,
    pub last_time_ms: u64,
    pub sealed: bool,
    /// Every record below was durable: the highest mark of any frame, be it in
    /// the chain or behind it, and the end that the seal tells.
    pub proven: Lsn,
    /// Behind the chain, the end of the last byte that is not zero.
    pub residue_end: Option<Lsn>,
    /// Behind the chain lies a whole frame.
    pub frames_behind: bool,
}

/// Reads a segment whose header was good.
pub(crate) fn scan(segment: &[u8], header: &Header) -> Scan {
    let seal = Seal::decode(segment, header);
    let mut scan = Scan {
        end: header.first_frame(),
        records: 0,
        next_sequence: None,
        first_time_ms: 0,
        last_time_ms: 0,
        sealed: seal.is_some(),
        proven: seal.map_or(Lsn::ZERO, |(seal, _)| seal.records_end),
        residue_end: None,
        frames_behind: false,
    };
    let frames = &segment[..(header.seal() - header.base) as usize];
    let broken_at = (scan.follow_chain(frames, header) - header.base) as usize;
    // The seal of a sealed segment is no residue.
    let limit = if scan.sealed { frames.len() } else { segment.len() };
    let chain_end = (scan.end - header.base) as usize;
    let Some(residue) = last_nonzero(&segment[chain_end..limit]) else { return scan };
    scan.residue_end = Some(scan.end + residue as u64 + 1);
    let mut offset = broken_at;
    while let Some(frame) = record::find(frames, header.base, header.generation, offset, chain_end + residue)
    {
        scan.frames_behind = true;
        scan.proven = scan.proven.max(frame.durable);
        offset = (frame.next - header.base) as usize;
    }
    scan
}

/// The last byte that is not zero. Most of what recovery looks at is zero, and
/// comparing whole pages is the fastest way to see that.
pub(crate) fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut end = bytes.len();
    while end > 0 {
        let start = end.saturating_sub(ZEROS.len());
        let page = &bytes[start..end];
        if page != &ZEROS[..page.len()] {
            return page.iter().rposition(|byte| *byte != 0).map(|last| start + last);
        }
        end = start;
    }
    None
}

impl Scan {
    /// Takes in record after record, and says where the first one is that is
    /// not whole.
    fn follow_chain(&mut self, frames: &[u8], header: &Header) -> Lsn {
        let mut at = header.first_frame();
        let mut group = *self;
        while let Some(frame) = group.next_in_chain(frames, header, at) {
            group.take(&frame);
            at = frame.next;
            self.proven = self.proven.max(frame.durable);
            if !frame.group_continues || planted(Canary::GroupEndIgnored) {
                *self = Scan { proven: self.proven, ..group };
            }
        }
        at
    }

    fn next_in_chain(&self, frames: &[u8], header: &Header, at: Lsn) -> Option<Frame> {
        let offset = (at - header.base) as usize;
        let frame = record::decode(frames, header.base, header.generation, offset)?;
        let is_gap = frame.kind == Kind::GAP;
        let expected = match self.next_sequence {
            // A gap's number counts the records that are lost with it.
            Some(sequence) => frame.sequence == sequence || is_gap && frame.sequence > sequence,
            None => frame.kind == Kind::CHECKPOINT || is_gap,
        };
        expected.then_some(frame)
    }

    fn take(&mut self, frame: &Frame) {
        let owners = u64::from(frame.kind.is_owners());
        if self.next_sequence.is_none() {
            self.first_time_ms = frame.time_ms;
        }
        self.end = frame.next;
        self.records += owners;
        self.next_sequence = Some(frame.sequence + owners);
        self.last_time_ms = frame.time_ms;
    }
}
