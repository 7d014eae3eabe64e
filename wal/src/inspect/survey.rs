//! Every segment read once, from the last to the first: what is whole, what is
//! lost, and the cursors.

use super::{
    Content, Depth, Fault, InspectError, Plan, Source,
    plan::Slot,
    walk::{Piece, Run, Walk, walk},
};
use crate::{
    cursor::Cursors,
    lsn::Lsn,
    record::{FRAME_HEADER_BYTES, Frame, Kind},
    segment::Header,
};

/// What was found of a segment.
#[derive(Debug)]
pub(crate) struct Survey {
    pub header: Header,
    /// The file that holds it, by the base in its name.
    pub file: Option<Lsn>,
    /// What is wrong with the file as a whole.
    pub fault: Option<Fault>,
    /// It was written to.
    pub used: bool,
    pub sealed: bool,
    pub pieces: Vec<Piece>,
    /// What is wrong with each lost piece, in their order.
    pub lost: Vec<Fault>,
    /// Gaps that a salvage left, each with the number of the owner's record
    /// before it, if there is one in the segment.
    pub gaps: Vec<(Frame, Option<u64>)>,
    /// Owner's records that are whole.
    pub records: u64,
    /// Where they end.
    pub end: Lsn,
    /// What is wrong with its seal.
    pub seal_fault: Option<Fault>,
    /// Behind the records, the end of the last byte that is not zero.
    pub residue_end: Option<Lsn>,
}

/// What was found of a log.
#[derive(Debug)]
pub(crate) struct Surveys {
    /// Ascending, without a hole.
    pub segments: Vec<Survey>,
    /// The cursors of the last whole checkpoint and what is known of later ones.
    pub cursors: Cursors,
}

pub(crate) fn survey(source: &Source, plan: &Plan) -> Result<Surveys, InspectError> {
    let mut surveys: Vec<Survey> = Vec::new();
    let mut later = Later::default();
    let mut checkpoint_found = false;
    let mut told: Vec<Vec<Told>> = Vec::new();
    for slot in plan.slots.iter().rev() {
        let content = slot.file.map(|file| source.read(file, Depth::Whole)).transpose()?.flatten();
        if content.is_none() && slot.file.is_some() && source.holder.is_some() {
            // Its owner lets go of segments from the oldest on.
            break;
        }
        let found = match content {
            Some(content) => Found::of(slot, content, &later),
            None => Found::missing(slot, &later),
        };
        if !checkpoint_found {
            checkpoint_found = found.has_checkpoint;
            told.push(found.told);
        }
        later = later.and(&found.survey);
        surveys.push(found.survey);
    }
    surveys.reverse();
    let mut cursors = Cursors::default();
    for Told { kind, at, body } in told.iter().rev().flatten() {
        // One that cannot be read, or follows one that is lost, changes nothing: older
        // cursors are safe.
        let _ = cursors.apply(*kind, *at, body);
    }
    Ok(Surveys { segments: surveys, cursors })
}

/// What is known of the segments behind one.
#[derive(Clone, Copy, Default)]
struct Later {
    used: bool,
    /// Number of the first owner's record in them, as far as it is known.
    first_sequence: Option<u64>,
}

impl Later {
    fn and(self, survey: &Survey) -> Self {
        let first = survey.pieces.iter().find_map(|piece| match piece {
            Piece::Whole(run) => Some(run.first_sequence),
            Piece::Lost { .. } => None,
        });
        Self { used: self.used || survey.used, first_sequence: first.or(self.first_sequence) }
    }
}

/// A record that tells of cursors.
struct Told {
    kind: Kind,
    at: Lsn,
    body: Vec<u8>,
}

struct Found {
    survey: Survey,
    told: Vec<Told>,
    has_checkpoint: bool,
}

impl Found {
    fn missing(slot: &Slot, later: &Later) -> Self {
        let header = slot.header;
        let lost = Piece::Lost { from: header.first_frame(), to: header.seal() };
        let survey = Survey {
            header,
            file: None,
            fault: Some(Fault::Missing),
            used: later.used,
            sealed: false,
            pieces: if later.used { vec![lost] } else { Vec::new() },
            lost: if later.used { vec![Fault::Missing] } else { Vec::new() },
            gaps: Vec::new(),
            records: 0,
            end: header.seal(),
            seal_fault: None,
            residue_end: None,
        };
        Self { survey, told: Vec::new(), has_checkpoint: false }
    }

    fn of(slot: &Slot, mut content: Content, later: &Later) -> Self {
        let header = slot.header;
        // A file that is too short is read as if zeros followed.
        content.bytes.resize(header.segment_bytes as usize, 0);
        let mut walk = walk(&content.bytes, &header, later.used);
        if later.used && walk.seal.is_none() {
            walk.lose_end(&header, later.first_sequence);
        }
        let end = walk.end(&header);
        let survey = Survey {
            header,
            file: slot.file,
            fault: slot.fault.clone(),
            used: later.used || walk.is_used(),
            sealed: walk.seal.is_some(),
            lost: lost_faults(&walk, &content, &header),
            gaps: gaps(&walk.frames),
            records: walk.records(),
            end,
            seal_fault: seal_fault(&walk, end, later.used),
            residue_end: residue_end(&walk, end, later.used),
            pieces: std::mem::take(&mut walk.pieces),
        };
        let told = walk.frames.iter().filter(|frame| frame.kind.tells_of_cursors()).map(|frame| Told {
            kind: frame.kind,
            at: frame.lsn,
            body: content.bytes[frame.body_offset..][..frame.body_bytes].to_vec(),
        });
        let told = told.collect();
        let has_checkpoint = walk.frames.first().is_some_and(|frame| frame.kind == Kind::CHECKPOINT);
        Self { survey, told, has_checkpoint }
    }
}

impl Walk {
    /// A segment without its seal does not tell where its records end; the
    /// numbers of those in the next one tell whether some are missing.
    fn lose_end(&mut self, header: &Header, later_sequence: Option<u64>) {
        let end = self.end(header);
        let next = match self.pieces.last() {
            Some(Piece::Whole(Run { next_sequence, .. })) => Some(*next_sequence),
            _ => None,
        };
        let is_complete = next.is_some() && later_sequence.is_none_or(|later| Some(later) == next);
        if !is_complete && end + FRAME_HEADER_BYTES <= header.seal() {
            self.lose(end, header.seal());
        }
    }
}

fn lost_faults(walk: &Walk, content: &Content, header: &Header) -> Vec<Fault> {
    let fault = |piece: &Piece| {
        let Piece::Lost { from, to } = *piece else { return None };
        let (from, to) = (from - header.base, to - header.base);
        let unreadable = content.unreadable.iter().any(|range| range.0 < to && from < range.1);
        Some(match &content.error {
            Some(error) if unreadable => Fault::Unreadable(error.to_string()),
            _ if content.bytes[from as usize..to as usize].iter().all(|byte| *byte == 0) => Fault::Zeros,
            _ => Fault::Record,
        })
    };
    walk.pieces.iter().filter_map(fault).collect()
}

fn gaps(frames: &[Frame]) -> Vec<(Frame, Option<u64>)> {
    let mut before = None;
    let mut gaps = Vec::new();
    for frame in frames {
        if frame.kind == Kind::GAP {
            gaps.push((*frame, before));
        }
        before = Some(frame.sequence + u64::from(frame.kind.is_owners()));
    }
    gaps
}

fn seal_fault(walk: &Walk, end: Lsn, settled: bool) -> Option<Fault> {
    let is_whole = walk.pieces.iter().all(|piece| matches!(piece, Piece::Whole(_)));
    match walk.seal {
        None => settled.then_some(Fault::Seal),
        Some((seal, _)) if is_whole && (seal.records_end != end || seal.records != walk.records()) => {
            Some(Fault::SealContent { records: seal.records, found: walk.records() })
        }
        Some(_) => None,
    }
}

/// Of a segment whose seal is missing the bytes of the seal are no residue.
fn residue_end(walk: &Walk, end: Lsn, settled: bool) -> Option<Lsn> {
    let residue_end = if settled || walk.seal.is_some() { walk.residue_end } else { walk.scan.residue_end };
    residue_end.filter(|residue_end| *residue_end > end)
}
