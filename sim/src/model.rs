//! A log as it is meant to be: a list of records and a list of tables of cursors.
//! What it finds different in the real one is a violated promise, and a panic.

use std::collections::BTreeMap;

use eagre_wal::{Clamped, Cursor, Entry, FRAME_HEADER_BYTES, Fsync, Kind, Log, Lsn, Recovery};

use crate::coverage::{Branch, Coverage};

/// Bytes before the first frame of a segment (docs/format.md).
pub(crate) const HEADER_BYTES: u64 = 4096;

/// The consumer whose cursor stands in another log; the highest.
pub(crate) const ELSEWHERE: u64 = 99;

/// Bytes of cursors that fit their part of the smallest segment, with their frames.
const CURSORS_BYTES_SURE: u64 = 4096 - 2 * 64;

/// Cursors by consumer.
pub(crate) type Table = BTreeMap<u64, Cursor>;

/// A record that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub lsn: Lsn,
    pub next: Lsn,
    pub kind: Kind,
    pub time_ms: u64,
    pub fsync: Fsync,
    pub body: Vec<u8>,
    /// Records of one group share it.
    pub group: u64,
}

/// All cursors as a frame of the log left them.
#[derive(Clone, Debug)]
struct Version {
    /// Where the frame begins.
    at: Lsn,
    time_ms: u64,
    table: Table,
}

/// What an append is given beside its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub time_ms: u64,
    pub fsync: Fsync,
}

/// The list and the tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Every record since the log began, released ones included.
    pub records: Vec<Record>,
    versions: Vec<Version>,
    /// The cursors in memory.
    pub cursors: Table,
    /// The cursors in the log.
    stored: Table,
    /// At one time not all cursors fitted.
    crowded: bool,
    /// The latest time of a frame.
    pub time_ms: u64,
    groups: u64,
    /// As far as the log has shown it.
    pub durable: Lsn,
    /// Everything below survives the process.
    pub survives_kill: Lsn,
    /// Everything below survives a loss of power.
    pub survives_power: Lsn,
    /// Where the log begins.
    pub first: Lsn,
}

impl Model {
    /// Records were appended as a group that ends with one at `last`.
    pub fn appended(&mut self, call: Call, last: Lsn, bodies: Vec<(Kind, Vec<u8>)>) {
        self.groups += 1;
        self.time_ms = self.time_ms.max(call.time_ms);
        let sizes: Vec<_> = bodies.iter().map(|(_, body)| frame_bytes(body)).collect();
        let before_last: u64 = sizes[..sizes.len() - 1].iter().sum();
        let mut lsn = Lsn(last.0 - before_last);
        for ((kind, body), bytes) in bodies.into_iter().zip(sizes) {
            let (next, group) = (lsn + bytes, self.groups);
            self.records.push(Record {
                lsn,
                next,
                kind,
                time_ms: self.time_ms,
                fsync: call.fsync,
                body,
                group,
            });
            lsn = next;
        }
    }

    /// A frame at `at` holds all cursors that are in memory.
    pub fn stored_all(&mut self, at: Lsn, time_ms: u64) {
        self.stored = self.cursors.clone();
        self.push_version(at, time_ms);
    }

    /// Frames of one group, the first at `at`, hold some cursors.
    pub fn stored_some(&mut self, at: Lsn, time_ms: u64, cursors: &[(u64, Cursor)]) {
        for (consumer, cursor) in cursors {
            self.cursors.insert(*consumer, cursor.clone());
            self.stored.insert(*consumer, cursor.clone());
        }
        self.push_version(at, time_ms);
    }

    fn push_version(&mut self, at: Lsn, time_ms: u64) {
        self.time_ms = self.time_ms.max(time_ms);
        self.versions.push(Version { at, time_ms: self.time_ms, table: self.stored.clone() });
    }

    /// Records that are to be read now.
    pub fn readable(&self) -> &[Record] {
        let from = self.records.partition_point(|record| record.lsn < self.first);
        let to = self.records.partition_point(|record| record.lsn < self.durable);
        &self.records[from.min(to)..to]
    }

    /// What the log says of itself.
    pub fn observe(&mut self, log: &Log) {
        let (durable, usage) = (log.durable(), log.usage());
        assert!(durable >= self.durable, "durable went back from {} to {durable}", self.durable);
        assert!(durable <= log.end() && usage.first >= self.first);
        assert_eq!(log.records(), self.records.len() as u64, "records that were ever appended");
        let synced = log.durable_as(Fsync::Always);
        let written = log.durable_as(Fsync::Never);
        assert!(synced <= written && written <= log.end() && durable <= written);
        self.durable = durable;
        self.first = usage.first;
        self.survives_kill = self.survives_kill.max(written);
        self.survives_power = self.survives_power.max(synced);
        let waiting = self.records.iter().rev().take_while(|record| record.lsn >= synced);
        for record in waiting.filter(|record| record.fsync == Fsync::Always) {
            assert!(record.lsn >= durable, "{} counts as durable and waits for the disk", record.lsn);
        }
        assert!(log.cursors().iter().eq(self.cursors.iter().map(|(id, cursor)| (*id, cursor.clone()))));
        self.crowded |= self.cursors.values().map(bytes_told).sum::<u64>() > CURSORS_BYTES_SURE;
        for (consumer, cursor) in self.cursors.range(..ELSEWHERE).chain(self.stored.range(..ELSEWHERE)) {
            // It may stand before the header of the first segment.
            assert!(cursor.low() + HEADER_BYTES >= self.first, "{consumer} needs what is gone: {cursor:?}");
        }
    }

    /// A log was opened: drops what it has lost, if it was allowed to.
    /// `survives` is what was promised, `whole` what the platter has.
    pub fn recovered(
        &mut self,
        log: &Log,
        recovery: &Recovery,
        (survives, whole): (Lsn, Lsn),
        coverage: &mut Coverage,
    ) {
        let end = log.durable();
        self.check_survivors(end, survives, whole, coverage);
        assert_eq!(recovery.records, self.records.len() as u64, "records that were ever appended");
        if let Some((from, to)) = recovery.truncated {
            assert!(from >= survives && from >= end && to > from, "cut off {from} to {to} of {survives}");
            coverage.hit(Branch::Truncated);
        }
        assert!(recovery.clamped.is_empty(), "cursors were outside of the log: {:?}", recovery.clamped);
        self.take_cursors(log, end, &[], coverage);
        self.durable = end;
        self.survives_kill = end;
        self.survives_power = end;
        self.first = log.usage().first;
    }

    fn check_survivors(&mut self, end: Lsn, survives: Lsn, whole: Lsn, coverage: &mut Coverage) {
        let kept = self.records.partition_point(|record| record.lsn < end);
        let lost = self.records.split_off(kept);
        let Some(first_lost) = lost.first() else { return };
        coverage.hit(Branch::RecordsLost);
        assert!(first_lost.lsn >= survives, "{} is lost and was durable up to {survives}", first_lost.lsn);
        let last_kept = self.records.last().map_or(0, |record| record.group);
        assert!(last_kept < first_lost.group, "a group was cut at {}", first_lost.lsn);
        let group_end = lost.iter().take_while(|record| record.group == first_lost.group).last();
        let group_end = group_end.expect("the first is one of them");
        assert!(group_end.next > whole, "{} is lost and lies whole on the platter", first_lost.lsn);
        if group_end.lsn > first_lost.lsn {
            coverage.hit(Branch::GroupLost);
        }
    }

    /// Compares the cursors with those that the log has up to `end`, and takes
    /// them over.
    fn take_cursors(&mut self, log: &Log, end: Lsn, clamped: &[Clamped], coverage: &mut Coverage) {
        let kept = self.versions.partition_point(|version| version.at < end);
        if self.versions.len() > kept {
            coverage.hit(Branch::CursorsReverted);
        }
        self.versions.truncate(kept);
        let last = self.versions.last();
        let expected = last.map(|version| version.table.clone()).unwrap_or_default();
        self.time_ms = last.map_or(0, |version| version.time_ms);
        self.time_ms = self.records.last().map_or(0, |record| record.time_ms).max(self.time_ms);
        let cut = agree(log, &expected, clamped);
        assert!(self.crowded || cut == 0, "a cursor was cut off, and there was room for all");
        if cut > 0 {
            coverage.hit(Branch::CursorCutOff);
        }
        self.cursors = log.cursors().iter().collect();
        if self.cursors.values().any(|cursor| !cursor.pending.is_empty()) {
            coverage.hit(Branch::PendingRestored);
        }
        self.stored = self.cursors.clone();
    }

    /// A damaged log was opened: its cursors are those up to its end, or it says
    /// which are not.
    pub fn cursors_agree(&self, log: &Log, end: Lsn, clamped: &[Clamped]) {
        let kept = self.versions.partition_point(|version| version.at < end);
        let expected = self.versions[..kept].last().map(|version| &version.table);
        agree(log, expected.unwrap_or(&Table::new()), clamped);
    }
}

/// The log has these cursors, but for those it says it has moved. The number of
/// those that were cut off: everything from there on is handed out again.
fn agree(log: &Log, expected: &Table, clamped: &[Clamped]) -> usize {
    assert_eq!(log.cursors().len(), expected.len(), "cursors came or went");
    let mut cut = 0;
    for (consumer, cursor) in expected {
        let found = log.cursors().get(*consumer).unwrap_or_else(|| panic!("no cursor of {consumer}"));
        if clamped.iter().any(|clamped| clamped.consumer == *consumer) {
            continue;
        }
        let is_cut = found.read < cursor.read;
        let kept = cursor.pending.iter().filter(|pending| !is_cut || pending.lsn < found.read);
        let same = found.pending.iter().eq(kept) && (is_cut || found.read == cursor.read);
        assert!(same && found.low() == cursor.low(), "the cursor of {consumer}: {found:?}, not {cursor:?}");
        cut += usize::from(is_cut);
    }
    cut
}

/// Bytes that a cursor takes at most where the log is told of it.
fn bytes_told(cursor: &Cursor) -> u64 {
    32 + 24 * cursor.pending.len() as u64
}

/// Bytes of a record in the log.
pub(crate) fn frame_bytes(body: &[u8]) -> u64 {
    (FRAME_HEADER_BYTES + body.len() as u64).next_multiple_of(8)
}

/// The entry is the record, as the one with this number.
pub(crate) fn is_same(entry: &Entry, record: &Record, sequence: u64) -> bool {
    let Record { lsn, next, kind, time_ms, ref body, .. } = *record;
    (entry.lsn, entry.next, entry.kind, entry.time_ms) == (lsn, next, kind, time_ms)
        && entry.sequence == sequence
        && entry.body == body[..]
}
