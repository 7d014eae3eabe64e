//! Recovery: what the disk shows → what is done about it.
//!
//! First everything is looked at, then every segment gets its decision from
//! one table, and only when none of them is a refusal is anything written. What
//! is written is zeros over bytes that were never durable, so that recovery can
//! be broken off and run again at any point, with the same result.
//!
//! Only the end of the log is read whole: the last segment that holds records,
//! and the empty ones behind it. Of the others the header and the seal are read;
//! damage inside of them is found, and reported, when they are read.

use std::collections::VecDeque;

use crate::{
    canary::{Canary, planted},
    cursor::Cursors,
    error::{Damage, DamageKind},
    lsn::Lsn,
    reader::Extent,
    record::{self, Kind},
    scan::{Scan, scan},
    segment::{BadHeader, HEADER_BYTES, Header, Seal},
    storage::Storage,
};

/// What a segment's header shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFact {
    Good,
    Damaged,
    Future,
}

/// What was seen of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub header: HeaderFact,
    /// It begins where the one before ends and has the generation after; the
    /// first begins at zero or was written to.
    pub follows: bool,
    /// It has a whole seal.
    pub sealed: bool,
    /// There is a segment after it.
    pub has_successor: bool,
    /// A segment after it was written to.
    pub later_records: bool,
    /// Its first record is whole.
    pub records: bool,
    /// Something proves that records were durable beyond the last whole one:
    /// the durable mark of a later frame, or the seal.
    pub gap: bool,
    /// Behind the last whole record lie bytes that are not zero.
    pub residue: bool,
}

/// What is done about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is full and whole.
    Keep,
    /// The log goes on behind its last whole record.
    Append,
    /// Behind its last whole record everything is overwritten with zeros: a
    /// write was torn and nobody was told that it was durable.
    Truncate,
    /// It is empty and waits for its turn.
    Spare,
    RefuseVersion,
    RefuseHeader,
    RefuseOrder,
    RefuseGap,
    RefuseSeal,
    RefuseEnd,
}

/// One row: the facts it applies to (`None`: whatever it is) and the decision.
pub(crate) struct Row {
    header: HeaderFact,
    follows: Option<bool>,
    gap: Option<bool>,
    sealed: Option<bool>,
    has_successor: Option<bool>,
    later_records: Option<bool>,
    residue: Option<bool>,
    records: Option<bool>,
    pub decision: Decision,
}

const ANY: Row = Row {
    header: HeaderFact::Good,
    follows: None,
    gap: None,
    sealed: None,
    has_successor: None,
    later_records: None,
    residue: None,
    records: None,
    decision: Decision::Keep,
};
const IN_ORDER: Row = Row { follows: Some(true), ..ANY };
const SEALED: Row = Row { gap: Some(false), sealed: Some(true), ..IN_ORDER };
const OPEN: Row = Row { gap: Some(false), sealed: Some(false), ..IN_ORDER };
const LAST: Row = Row { later_records: Some(false), ..OPEN };
const CLEAN: Row = Row { residue: Some(false), ..LAST };

/// The table. Every combination of facts is in exactly one row.
///
/// - A later version is refused first: what else is seen may mean something
///   else in it.
/// - A header is durable before its file has its name, so a bad one is damage.
/// - Segments come and go at the ends of the log, each durably before the
///   next. So one that does not follow its predecessor means one is missing,
///   or a file of another log or time.
/// - A gap below what is known to be durable is damage, whatever else.
/// - A segment is sealed only when its successor stands ready, so a sealed one
///   at the end means that the rest of the log is missing.
/// - A segment is written to only when the one before it is sealed, so an open
///   one before it has lost its seal.
/// - Otherwise nothing says that what lies behind the last whole record was
///   durable: it is a torn tail.
pub(crate) const TABLE: [Row; 10] = [
    Row { header: HeaderFact::Future, decision: Decision::RefuseVersion, ..ANY },
    Row { header: HeaderFact::Damaged, decision: Decision::RefuseHeader, ..ANY },
    Row { follows: Some(false), decision: Decision::RefuseOrder, ..ANY },
    Row { gap: Some(true), decision: Decision::RefuseGap, ..IN_ORDER },
    Row { has_successor: Some(false), decision: Decision::RefuseEnd, ..SEALED },
    Row { has_successor: Some(true), decision: Decision::Keep, ..SEALED },
    Row { later_records: Some(true), decision: Decision::RefuseSeal, ..OPEN },
    Row { residue: Some(true), decision: Decision::Truncate, ..LAST },
    Row { records: Some(true), decision: Decision::Append, ..CLEAN },
    Row { records: Some(false), decision: Decision::Spare, ..CLEAN },
];

impl Row {
    pub(crate) fn applies(&self, facts: &Facts) -> bool {
        let is = |wanted: Option<bool>, fact| wanted.is_none_or(|wanted| wanted == fact);
        self.header == facts.header
            && is(self.follows, facts.follows)
            && is(self.gap, facts.gap)
            && is(self.sealed, facts.sealed)
            && is(self.has_successor, facts.has_successor)
            && is(self.later_records, facts.later_records)
            && is(self.residue, facts.residue)
            && is(self.records, facts.records)
    }
}

pub(crate) fn decide(facts: &Facts) -> Decision {
    let row = TABLE.iter().find(|row| row.applies(facts));
    row.expect("every combination of facts is in the table").decision
}

/// What opening a log found, and what it did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Owner's records that were ever appended, released ones included.
    pub records: u64,
    /// A torn tail that was cut off: its first position, and the end of its
    /// last byte. Nobody was told that anything in it was durable.
    pub truncated: Option<(Lsn, Lsn)>,
    /// Records that a [`salvage`](crate::salvage()) could not keep, by the segment
    /// that had them.
    pub missing: Vec<Missing>,
    /// Cursors that stood where the log has no records.
    pub clamped: Vec<Clamped>,
    /// Files in the directory that are not the log's. They were left alone.
    pub unknown_files: Vec<String>,
}

/// Records that are known to be lost: the numbers of those that are there tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where the segment begins in which they were; the last of several, if all
    /// between two records is lost.
    pub from: Lsn,
    /// Where it ends.
    pub to: Lsn,
    /// How many.
    pub records: u64,
}

/// A cursor that stood outside of the log was moved to its edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clamped {
    /// Whose.
    pub consumer: u64,
    /// Where it stood. Below the first record: the records from here on are
    /// not in the log any more, and this consumer never had them.
    pub from: Lsn,
    /// Where it stands.
    pub to: Lsn,
}

/// Why the log is not opened.
#[derive(Debug)]
pub(crate) enum Refusal {
    Damage(Damage),
    FutureVersion { base: Lsn, version: u16 },
    Io(std::io::Error),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// A log as it lies on the disk after recovery.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Segments with records.
    pub used: Vec<Extent>,
    pub spares: VecDeque<Header>,
    /// Of the last used segment.
    pub last: Option<Scan>,
    pub cursors: Cursors,
    pub report: Recovery,
}

/// A segment as it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub base: Lsn,
    pub file_bytes: u64,
    pub header: Result<Header, BadHeader>,
    /// Of the segments at the end of the log only.
    pub scan: Option<Scan>,
    pub seal: Option<Seal>,
    /// Number of the owner's record behind it, if it was written to.
    pub next_sequence: Option<u64>,
}

impl Seen {
    fn look(storage: &mut dyn Storage, base: Lsn, whole: bool) -> std::io::Result<Self> {
        if whole && !planted(Canary::CacheTrusted) {
            storage.settle(base)?;
        }
        Ok(Self::of(base, &storage.view(base)?, whole))
    }

    /// What the bytes of the file named by `base` show; read whole, or only at
    /// both ends.
    pub(crate) fn of(base: Lsn, bytes: &[u8], whole: bool) -> Self {
        let header = match Header::decode(bytes) {
            Ok(header) if header.base != base => Err(BadHeader::Damaged),
            other => other,
        };
        let scan = header.ok().filter(|_| whole).map(|header| scan(bytes, &header));
        let seal = header.ok().and_then(|header| Seal::decode(bytes, &header));
        Self {
            base,
            file_bytes: bytes.len() as u64,
            header,
            scan,
            seal: seal.map(|(seal, _)| seal),
            next_sequence: scan.and_then(|scan| scan.next_sequence).or(seal.map(|(_, frame)| frame.sequence)),
        }
    }

    /// It was written to, as far as its bytes show.
    pub(crate) fn is_used(&self) -> bool {
        self.seal.is_some()
            || self.scan.is_some_and(|scan| scan.next_sequence.is_some() || scan.end < scan.proven)
    }

    /// It was written to, even if none of its records can be read: that is proof
    /// that the segment before it was sealed.
    fn has_frames(&self) -> bool {
        self.is_used() || self.scan.is_some_and(|scan| scan.frames_behind)
    }
}

/// Looks at everything, decides, and only then mends the end of the log.
pub(crate) fn recover(storage: &mut dyn Storage) -> Result<Recovered, Refusal> {
    let listing = storage.list()?;
    let mut segments = VecDeque::new();
    let mut tail_found = false;
    for base in listing.segments.iter().rev() {
        let seen = Seen::look(storage, *base, !tail_found)?;
        tail_found |= seen.is_used();
        segments.push_front(seen);
    }
    let decisions = decide_all(segments.make_contiguous())?;
    let mut recovered = collect(storage, &segments, &decisions)?;
    recovered.report.unknown_files = listing.unknown;
    for (seen, decision) in segments.iter().zip(decisions) {
        let Some(scan) = seen.scan.filter(|_| decision == Decision::Truncate) else { continue };
        let Some(residue_end) = scan.residue_end else { continue };
        if !planted(Canary::TailNotZeroed) {
            storage.zero(seen.base, scan.end - seen.base, residue_end - seen.base)?;
        }
        recovered.report.truncated.get_or_insert((scan.end, residue_end));
    }
    Ok(recovered)
}

fn decide_all(segments: &[Seen]) -> Result<Vec<Decision>, Refusal> {
    decisions(segments).map(|(decision, refusal)| refusal.map_or(Ok(decision), Err)).collect()
}

/// The decision for each segment, with what is said where it is a refusal.
pub(crate) fn decisions(segments: &[Seen]) -> impl Iterator<Item = (Decision, Option<Refusal>)> {
    segments.iter().enumerate().map(|(index, seen)| {
        let before = index.checked_sub(1).and_then(|before| segments[before].header.ok());
        let facts = facts(seen, index == 0, before, &segments[index + 1..]);
        let decision = decide(&facts);
        (decision, refuse(decision, seen, before).err())
    })
}

fn facts(seen: &Seen, is_first: bool, before: Option<Header>, later: &[Seen]) -> Facts {
    let header = match seen.header {
        Ok(_) => HeaderFact::Good,
        Err(BadHeader::Damaged) => HeaderFact::Damaged,
        Err(BadHeader::Future(_)) => HeaderFact::Future,
    };
    let follows = match (before, seen.header) {
        (Some(before), Ok(header)) => before.following(header.segment_bytes) == header,
        (None, Ok(header)) if is_first => {
            header.base == Lsn::ZERO || seen.is_used() || later.iter().any(Seen::is_used)
        }
        // Nothing is known of the one before, which is refused itself.
        (None, Ok(_)) => true,
        (_, Err(_)) => false,
    };
    Facts {
        header,
        follows,
        sealed: seen.seal.is_some(),
        has_successor: !later.is_empty(),
        later_records: later.iter().any(Seen::has_frames),
        // A segment that was not read whole has what its seal says it has.
        records: seen.scan.is_none_or(|scan| scan.next_sequence.is_some()),
        gap: seen.scan.is_some_and(|scan| scan.end < scan.proven) && !planted(Canary::DamageIsEnd),
        residue: seen.scan.is_some_and(|scan| scan.residue_end.is_some()),
    }
}

fn refuse(decision: Decision, seen: &Seen, before: Option<Header>) -> Result<(), Refusal> {
    let file_end = seen.base + HEADER_BYTES.max(seen.file_bytes);
    let end = seen.header.map_or(file_end, |header| header.end());
    let chain_end = seen.scan.map_or(seen.base, |scan| scan.end);
    let (from, to, what) = match decision {
        Decision::Keep | Decision::Append | Decision::Truncate | Decision::Spare => return Ok(()),
        Decision::RefuseVersion => {
            let version = seen.header.err().map_or(0, |bad| match bad {
                BadHeader::Future(version) => version,
                BadHeader::Damaged => 0,
            });
            return Err(Refusal::FutureVersion { base: seen.base, version });
        }
        Decision::RefuseHeader => (seen.base, end, DamageKind::Header),
        Decision::RefuseOrder => match before {
            // Either of the two may be the stranger.
            Some(before) if before.end() == seen.base => (before.base, end, DamageKind::Foreign),
            Some(before) => (before.end().min(seen.base), before.end().max(seen.base), DamageKind::Missing),
            // No segment of a log that had some holds a record.
            None => (Lsn::ZERO, Lsn::MAX, DamageKind::Missing),
        },
        Decision::RefuseGap => (chain_end, seen.scan.map_or(end, |scan| scan.proven), DamageKind::Record),
        Decision::RefuseSeal => (chain_end, end, DamageKind::Seal),
        Decision::RefuseEnd => (end, Lsn::MAX, DamageKind::Missing),
    };
    Err(Refusal::Damage(Damage { from, to, what }))
}

fn collect(
    storage: &dyn Storage,
    segments: &VecDeque<Seen>,
    decisions: &[Decision],
) -> Result<Recovered, Refusal> {
    let mut recovered = Recovered {
        used: Vec::new(),
        spares: VecDeque::new(),
        last: None,
        cursors: Cursors::default(),
        report: Recovery::default(),
    };
    for (seen, decision) in segments.iter().zip(decisions) {
        let Ok(header) = seen.header else { continue };
        let has_records = seen.scan.is_none_or(|scan| scan.next_sequence.is_some());
        if !has_records {
            debug_assert!(matches!(decision, Decision::Spare | Decision::Truncate));
            recovered.spares.push_back(header);
            continue;
        }
        let scanned = seen.scan.map(|scan| (scan.end, scan.last_time_ms));
        let sealed = seen.seal.map(|seal| (seal.records_end, seal.last_time_ms));
        let (end, last_time_ms) = scanned.or(sealed).unwrap_or((header.first_frame(), 0));
        recovered.used.push(Extent { header, end, last_time_ms });
        recovered.last = seen.scan;
        if seen.scan.is_some() {
            recovered.cursors = cursors(&storage.view(seen.base)?, &header, end)?;
        }
    }
    let first = recovered.used.first().map_or(Lsn::ZERO, |extent| extent.header.base);
    let end = recovered.used.last().map_or(first, |extent| extent.end);
    recovered.report.missing = missing(segments);
    recovered.report.records = recovered.last.and_then(|scan| scan.next_sequence).unwrap_or(0);
    recovered.report.clamped = recovered.cursors.clamp(first, end);
    if planted(Canary::ClampSilent) {
        recovered.report.clamped.clear();
    }
    Ok(recovered)
}

/// What the numbers at the ends of segments leave unexplained.
pub(crate) fn missing<'a>(segments: impl IntoIterator<Item = &'a Seen>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut before = None;
    for seen in segments {
        // The first record of all has the number zero.
        let before_first = (seen.base == Lsn::ZERO).then_some(0);
        before = before.or(before_first);
        let (Ok(header), Some(next)) = (seen.header, seen.next_sequence) else { continue };
        let scanned = seen.scan.map(|scan| scan.records);
        let records = scanned.or(seen.seal.map(|seal| seal.records)).unwrap_or(0);
        let lost = before.map_or(0, |before| next.saturating_sub(before + records));
        if lost > 0 {
            missing.push(Missing { from: header.base, to: header.end(), records: lost });
        }
        before = Some(next);
    }
    missing
}

/// The cursors as the records of a whole segment tell them.
pub(crate) fn cursors(segment: &[u8], header: &Header, end: Lsn) -> Result<Cursors, Refusal> {
    let mut cursors = Cursors::default();
    let mut at = header.first_frame();
    while at < end {
        let offset = (at - header.base) as usize;
        let damage = || Refusal::Damage(Damage { from: at, to: end, what: DamageKind::Record });
        let frame = record::decode(segment, header.base, header.generation, offset).ok_or_else(damage)?;
        if !frame.kind.is_known() {
            let what = DamageKind::UnknownKind(frame.kind.0);
            return Err(Refusal::Damage(Damage { from: at, to: frame.next, what }));
        }
        let is_forgotten =
            matches!(frame.kind, Kind::CURSORS | Kind::PROGRESS) && planted(Canary::CursorsForgotten);
        if !is_forgotten {
            let body = &segment[frame.body_offset..frame.body_offset + frame.body_bytes];
            cursors.apply(frame.kind, at, body).map_err(|_| damage())?;
        }
        at = frame.next;
    }
    Ok(cursors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_facts_is_in_exactly_one_row() {
        let mut used = [0; TABLE.len()];
        for header in [HeaderFact::Good, HeaderFact::Damaged, HeaderFact::Future] {
            for bits in 0..1u8 << 7 {
                let bit = |n: u8| bits & (1 << n) != 0;
                let facts = Facts {
                    header,
                    follows: bit(0),
                    sealed: bit(1),
                    has_successor: bit(2),
                    later_records: bit(3),
                    records: bit(4),
                    gap: bit(5),
                    residue: bit(6),
                };
                let rows: Vec<_> = (0..TABLE.len()).filter(|row| TABLE[*row].applies(&facts)).collect();
                assert_eq!(rows.len(), 1, "{facts:?}");
                used[rows[0]] += 1;
                assert_eq!(decide(&facts), TABLE[rows[0]].decision);
                // Nothing is written or gone on with above damage.
                if header != HeaderFact::Good || facts.gap || !facts.follows {
                    assert!(!matches!(
                        decide(&facts),
                        Decision::Append | Decision::Truncate | Decision::Spare
                    ));
                }
            }
        }
        assert!(used.iter().all(|count| *count > 0), "{used:?}");
    }
}
