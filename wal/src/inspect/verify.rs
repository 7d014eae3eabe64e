//! Every byte of a log read, and all that is wrong with it told: where, what, how
//! many records, and who had not had them.

use std::path::Path;

use super::{
    Fault, InspectError, Inspection, Piece, Plan, Source, Start, Survey, Surveys, file_name, summary::look,
    survey::survey,
};
use crate::{
    cursor::{Cursor, Cursors, Place},
    limits::INSPECT_LOOKS,
    lsn::Lsn,
    recover::Clamped,
    segment::HEADER_BYTES,
};

/// What was found of a log that was read whole.
#[derive(Clone, Debug)]
pub struct Verification {
    /// What it consists of, and what a start would make of it.
    pub inspection: Inspection,
    /// Owner's records that are whole.
    pub records: u64,
    /// Behind the last of them, past every damage.
    pub end: Lsn,
    /// All that is damaged, ascending by position.
    pub damages: Vec<DamagedRange>,
    /// What a salvage has left out; it is known, and no damage.
    pub gaps: Vec<Gap>,
    /// A torn tail: its first position, and the end of its last byte. Nobody was
    /// told that anything in it was durable; the next start cuts it off.
    pub torn: Option<(Lsn, Lsn)>,
    /// Cursors that stand outside of the log: the segments that they need are gone.
    pub outside: Vec<Clamped>,
    /// The cursors as far as they can be read: those of the last whole checkpoint,
    /// and what is known of later ones. Of a sound log they are all.
    pub cursors: Cursors,
}

/// A part of a log that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// The first position concerned.
    pub from: Lsn,
    /// Behind the last one.
    pub to: Lsn,
    /// What was seen.
    pub fault: Fault,
    /// The file, if there is one.
    pub file: Option<String>,
    /// From where to where in the file, in bytes.
    pub offsets: Option<(u64, u64)>,
    /// Owner's records that are missing, by the numbers of those around them.
    /// `None` where these do not tell: behind it there is no record, or another
    /// range that is lost, whose number covers both.
    pub records: Option<u64>,
    /// Consumers that were not done with all of the range.
    pub not_passed: Vec<u64>,
}

/// Records that are known to be lost: a salvage bridged the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first position.
    pub from: Lsn,
    /// Behind the last one.
    pub to: Lsn,
    /// Owner's records that are missing, by the numbers of those around them;
    /// `None` where none is before it.
    pub records: Option<u64>,
}

impl Verification {
    /// Nothing is damaged: a start opens the log and every record can be read.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let opens = matches!(self.inspection.start, Start::Opens { .. });
        opens && self.damages.is_empty() && self.outside.is_empty()
    }
}

/// Reads all of a log, past every damage.
///
/// What looks damaged in a log that is in use is looked at again, since its owner
/// adds and removes files meanwhile.
///
/// # Errors
/// There is no log, or a file cannot be opened.
pub fn verify(dir: &Path) -> Result<Verification, InspectError> {
    for _ in 1..INSPECT_LOOKS {
        let source = Source::open(dir)?;
        let (verification, _) = examine(&source)?;
        if verification.is_sound() || source.holder.is_none() {
            return Ok(verification);
        }
    }
    Ok(examine(&Source::open(dir)?)?.0)
}

pub(crate) fn examine(source: &Source) -> Result<(Verification, Surveys), InspectError> {
    let inspection = look(source)?;
    let plan = Plan::of(source)?;
    let surveys = survey(source, &plan)?;
    // The first record of all has the number zero.
    let from_the_start = surveys.segments.first().is_some_and(|first| first.header.base == Lsn::ZERO);
    let mut account = Account { expected: from_the_start.then_some(0), ..Account::default() };
    for survey in &surveys.segments {
        account.take(survey);
    }
    let mut damages = account.damages;
    for (name, fault, file_bytes) in plan.strangers {
        // A file that is gone was removed by the log's owner.
        let to = name + file_bytes.max(HEADER_BYTES);
        damages.push(damage(name, (name, to), fault, Some(name), None));
    }
    let used: Vec<_> = surveys.segments.iter().filter(|survey| survey.used).collect();
    let ends_sealed = surveys.segments.last().filter(|last| last.used && last.sealed);
    if let Some(last) = ends_sealed {
        let end = last.header.end();
        damages.push(damage(end, (end, Lsn::MAX), Fault::End, None, None));
    }
    for damage in &mut damages {
        if damage.records != Some(0) {
            damage.not_passed = not_passed(&surveys.cursors, damage.from, damage.to);
        }
    }
    damages.sort_by_key(|damage| (damage.from, damage.to));
    let first = used.first().map_or(Lsn::ZERO, |survey| survey.header.base);
    let end = used.last().map_or(first, |survey| survey.end);
    let torn = surveys.segments.iter().filter(|survey| !survey.sealed && !is_settled(survey, &used));
    let verification = Verification {
        inspection,
        records: surveys.segments.iter().map(|survey| survey.records).sum(),
        end,
        damages,
        gaps: account.gaps,
        torn: torn.filter_map(|survey| Some((survey.end, survey.residue_end?))).next(),
        outside: surveys.cursors.clone().clamp(first, end),
        cursors: surveys.cursors.clone(),
    };
    Ok((verification, surveys))
}

/// A later segment has records.
fn is_settled(survey: &Survey, used: &[&Survey]) -> bool {
    used.last().is_some_and(|last| survey.header.base < last.header.base)
}

fn damage(
    base: Lsn,
    (from, to): (Lsn, Lsn),
    fault: Fault,
    file: Option<Lsn>,
    records: Option<u64>,
) -> DamagedRange {
    let offsets = file.map(|_| (from - base, to - base));
    DamagedRange { from, to, fault, file: file.map(file_name), offsets, records, not_passed: Vec::new() }
}

fn not_passed(cursors: &Cursors, from: Lsn, to: Lsn) -> Vec<u64> {
    let needs = |(consumer, cursor): &(u64, Cursor)| {
        let is_unfinished = || cursor.pending.iter().any(|pending| (from..to).contains(&pending.lsn));
        cursors.place(*consumer) == Some(Place::Here) && (cursor.read < to || is_unfinished())
    };
    cursors.iter().filter(needs).map(|(consumer, _)| consumer).collect()
}

/// Goes through the segments in their order and counts the records that are
/// missing by the numbers of those that are there.
#[derive(Default)]
struct Account {
    damages: Vec<DamagedRange>,
    gaps: Vec<Gap>,
    /// Number of the owner's record that comes next.
    expected: Option<u64>,
    /// The last range that is lost, as long as no whole record follows.
    open: Option<usize>,
}

impl Account {
    fn take(&mut self, survey: &Survey) {
        let Survey { header, file, .. } = survey;
        if let Some(fault) = survey.fault.clone().filter(|fault| *fault != Fault::Missing) {
            let to = if fault == Fault::Header { header.first_frame() } else { header.end() };
            self.damages.push(damage(header.base, (header.base, to), fault, *file, Some(0)));
        }
        let mut faults = survey.lost.iter();
        let mut gaps = survey.gaps.iter().peekable();
        for piece in &survey.pieces {
            match *piece {
                Piece::Lost { from, to } => {
                    let fault = faults.next().cloned().unwrap_or(Fault::Record);
                    // A file that is missing is missing with its header.
                    let range =
                        if fault == Fault::Missing { (header.base, header.end()) } else { (from, to) };
                    self.open = Some(self.damages.len());
                    self.damages.push(damage(header.base, range, fault, *file, None));
                }
                Piece::Whole(run) => {
                    if let Some(open) = self.open.take() {
                        let missing =
                            self.expected.map(|expected| run.first_sequence.saturating_sub(expected));
                        self.damages[open].records = missing;
                        self.expected = Some(run.first_sequence);
                    }
                    let begins_with_gap = gaps.peek().is_some_and(|(frame, _)| frame.lsn == run.from);
                    if let Some(expected) = self.expected.filter(|expected| *expected != run.first_sequence)
                        && !begins_with_gap
                    {
                        let missing = run.first_sequence.checked_sub(expected);
                        let range = (run.from, run.from);
                        self.damages.push(damage(header.base, range, Fault::Sequence, *file, missing));
                    }
                    while let Some((frame, before)) = gaps.next_if(|(frame, _)| frame.lsn < run.to) {
                        let before = before.or(self.expected);
                        let records = before.map(|before| frame.sequence.saturating_sub(before));
                        self.gaps.push(Gap { from: frame.lsn, to: frame.next, records });
                    }
                    self.expected = Some(run.next_sequence);
                }
            }
        }
        if let Some(fault) = survey.seal_fault.clone() {
            let range = (header.seal(), header.end());
            self.damages.push(damage(header.base, range, fault, *file, Some(0)));
        }
        if let Some(residue_end) = survey.residue_end.filter(|_| survey.sealed) {
            let range = (survey.end, residue_end);
            self.damages.push(damage(header.base, range, Fault::Residue, *file, Some(0)));
        }
    }
}
