//! Cursors: where each consumer of the log stands.
//!
//! The table lives in memory and in the log: every segment begins with a
//! CHECKPOINT of all cursors, and CURSORS records carry those that changed
//! since. So the last segment alone tells them all. Both have this body:
//!
//! ```text
//! offset bytes field
//!      0     4 cursors       entries of the second list
//!      4     4 removed       entries of the first list
//!      8     … removed: consumer u64 each
//!            … cursors, each: consumer u64, read u64, pending u32, flags u32 (1: elsewhere),
//!              then its pending entries: lsn u64, due_ms u64, attempts u16, reserved 6 bytes
//! ```
//!
//! A cursor may stand *elsewhere*, in another log of the owner's: it is kept here
//! so that it changes together with others, and holds nothing of this log.
//!
//! What cursors may take of a segment is bounded. Where the entries of
//! unfinished records exceed it, the highest are left out and `read` is set
//! back to the lowest of those: after a crash they are handed out again, which
//! at-least-once delivery allows, and none is lost.

use std::collections::{BTreeMap, BTreeSet};

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use crate::{
    canary::{Canary, planted},
    lsn::Lsn,
    recover::Clamped,
};

/// A record that was handed out and is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The record.
    pub lsn: Lsn,
    /// Attempts that were made.
    pub attempts: u16,
    /// When the next attempt is due, by the owner's clock.
    pub due_ms: u64,
}

/// Where a consumer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Every record below has been handed out.
    pub read: Lsn,
    /// Those of them that are not finished.
    pub pending: Vec<Pending>,
}

impl Cursor {
    /// Every record below is finished.
    #[must_use]
    pub fn low(&self) -> Lsn {
        self.pending.iter().map(|pending| pending.lsn).fold(self.read, Lsn::min)
    }

    /// This cursor with `pending_max` unfinished records or fewer.
    fn compact(&self, pending_max: usize) -> Self {
        let mut cursor = self.clone();
        if planted(Canary::PendingForgotten) {
            cursor.pending.clear();
        }
        cursor.pending.sort_unstable_by_key(|pending| pending.lsn);
        if let Some(first_left_out) = cursor.pending.get(pending_max) {
            cursor.read = cursor.read.min(first_left_out.lsn);
            cursor.pending.truncate(pending_max);
        }
        cursor
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    cursors: U32,
    removed: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawCursor {
    consumer: U64,
    read: U64,
    pending: U32,
    flags: U32,
}

/// The cursor's positions are another log's.
const ELSEWHERE: u32 = 1;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawPending {
    lsn: U64,
    due_ms: U64,
    attempts: U16,
    reserved: [u8; 6],
}

/// Bytes of a cursor in the log, without its unfinished records.
pub(crate) const CURSOR_BYTES: u64 = size_of::<RawCursor>() as u64;
/// Bytes of an unfinished record in the log.
pub(crate) const PENDING_BYTES: u64 = size_of::<RawPending>() as u64;

const _: () = assert!(CURSOR_BYTES == 24 && PENDING_BYTES == 24 && size_of::<Head>() == 8);

/// The cursors do not fit, even without their unfinished records.
#[derive(Debug, thiserror::Error)]
#[error("the cursors do not fit their part of a segment")]
pub(crate) struct DoNotFit;

/// The body of a record of cursors is not one.
#[derive(Debug)]
pub(crate) struct Malformed;

/// All cursors of a log.
#[derive(Clone, Debug, Default)]
pub struct Cursors {
    table: BTreeMap<u64, Cursor>,
    /// Consumers whose cursors stand in another log.
    elsewhere: BTreeSet<u64>,
    /// Consumers whose cursor changed, or went, since it was last in the log.
    changed: BTreeSet<u64>,
}

impl Cursors {
    /// The cursor of a consumer.
    #[must_use]
    pub fn get(&self, consumer: u64) -> Option<&Cursor> {
        self.table.get(&consumer)
    }

    /// Every consumer with its cursor, in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &Cursor)> {
        self.table.iter().map(|(consumer, cursor)| (*consumer, cursor))
    }

    /// Number of consumers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// There is no consumer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Every record below is finished for every consumer; without consumers,
    /// every record is.
    #[must_use]
    pub fn low(&self) -> Lsn {
        self.table.iter().map(|(consumer, cursor)| self.low_of(*consumer, cursor)).fold(Lsn::MAX, Lsn::min)
    }

    /// The consumer's cursor stands in another log of the owner's.
    #[must_use]
    pub fn is_elsewhere(&self, consumer: u64) -> bool {
        self.elsewhere.contains(&consumer)
    }

    /// Forgets unfinished records of this log that are not there any more.
    pub(crate) fn retain_pending(&mut self, is_there: impl Fn(Lsn) -> bool) {
        for (consumer, cursor) in &mut self.table {
            if !self.elsewhere.contains(consumer) {
                cursor.pending.retain(|pending| is_there(pending.lsn));
            }
        }
    }

    /// Every record of this log below is finished for a consumer with this
    /// cursor.
    pub(crate) fn low_of(&self, consumer: u64, cursor: &Cursor) -> Lsn {
        if self.elsewhere.contains(&consumer) { Lsn::MAX } else { cursor.low() }
    }

    /// The cursor of this consumer is of another log.
    pub(crate) fn set_elsewhere(&mut self, consumer: u64) {
        self.elsewhere.insert(consumer);
    }

    pub(crate) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(crate) fn insert(&mut self, consumer: u64, cursor: Cursor) {
        self.table.insert(consumer, cursor);
        self.changed.insert(consumer);
    }

    pub(crate) fn remove(&mut self, consumer: u64) {
        if self.table.remove(&consumer).is_some() {
            self.elsewhere.remove(&consumer);
            self.changed.insert(consumer);
        }
    }

    /// Everything is in the log.
    pub(crate) fn stored(&mut self) {
        self.changed.clear();
    }

    /// Takes over a cursor that is in the log already.
    pub(crate) fn insert_stored(&mut self, consumer: u64, cursor: Cursor) {
        self.table.insert(consumer, cursor);
        self.changed.remove(&consumer);
    }

    /// Moves every cursor that stands outside of `first..=end` to the edge, and
    /// tells which.
    pub(crate) fn clamp(&mut self, first: Lsn, end: Lsn) -> Vec<Clamped> {
        let mut clamped = Vec::new();
        for (consumer, cursor) in &mut self.table {
            if self.elsewhere.contains(consumer) {
                continue;
            }
            let from = if cursor.read > end { cursor.read } else { cursor.low() };
            if from <= end && from >= first {
                continue;
            }
            cursor.pending.retain(|pending| (first..end).contains(&pending.lsn));
            cursor.read = cursor.read.clamp(first, end);
            self.changed.insert(*consumer);
            clamped.push(Clamped { consumer: *consumer, from, to: from.clamp(first, end) });
        }
        clamped
    }

    /// The body of a CHECKPOINT.
    pub(crate) fn encode_all(&self, bytes_max: u64) -> Result<Vec<u8>, DoNotFit> {
        let cursors: Vec<_> = self.iter().collect();
        self.encode(&cursors, &[], bytes_max)
    }

    /// The body of a CURSORS record with what changed.
    pub(crate) fn encode_changed(&self, bytes_max: u64) -> Result<Vec<u8>, DoNotFit> {
        let cursors: Vec<_> = self.changed.iter().filter_map(|c| Some((*c, self.table.get(c)?))).collect();
        let removed: Vec<_> = self.changed.iter().copied().filter(|c| !self.table.contains_key(c)).collect();
        self.encode(&cursors, &removed, bytes_max)
    }

    /// The body of a CURSORS record with one cursor.
    pub(crate) fn encode_one(
        &self,
        consumer: u64,
        cursor: &Cursor,
        bytes_max: u64,
    ) -> Result<Vec<u8>, DoNotFit> {
        self.encode(&[(consumer, cursor)], &[], bytes_max)
    }

    fn encode(
        &self,
        cursors: &[(u64, &Cursor)],
        removed: &[u64],
        bytes_max: u64,
    ) -> Result<Vec<u8>, DoNotFit> {
        let bytes = |pending_max: usize| {
            let pending: usize =
                cursors.iter().map(|(_, cursor)| cursor.pending.len().min(pending_max)).sum();
            (size_of::<Head>() + 8 * removed.len()) as u64
                + CURSOR_BYTES * cursors.len() as u64
                + PENDING_BYTES * pending as u64
        };
        let mut pending_max = cursors.iter().map(|(_, cursor)| cursor.pending.len()).max().unwrap_or(0);
        while bytes(pending_max) > bytes_max {
            if pending_max == 0 {
                return Err(DoNotFit);
            }
            pending_max /= 2;
        }
        let mut body = Vec::with_capacity(bytes(pending_max) as usize);
        let head = Head { cursors: U32::new(cursors.len() as u32), removed: U32::new(removed.len() as u32) };
        body.extend_from_slice(head.as_bytes());
        for consumer in removed {
            body.extend_from_slice(&consumer.to_le_bytes());
        }
        for (consumer, cursor) in cursors {
            let flags = if self.elsewhere.contains(consumer) { ELSEWHERE } else { 0 };
            encode_cursor(&mut body, *consumer, flags, &cursor.compact(pending_max));
        }
        Ok(body)
    }

    /// Takes over a body from the log.
    pub(crate) fn apply(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let (head, rest) = Head::ref_from_prefix(body).map_err(|_| Malformed)?;
        let removed = head.removed.get() as usize;
        let (removed, mut rest) =
            <[U64]>::ref_from_prefix_with_elems(rest, removed).map_err(|_| Malformed)?;
        for consumer in removed {
            self.table.remove(&consumer.get());
            self.elsewhere.remove(&consumer.get());
        }
        for _ in 0..head.cursors.get() {
            let (raw, behind) = RawCursor::ref_from_prefix(rest).map_err(|_| Malformed)?;
            let pending = raw.pending.get() as usize;
            let (pending, behind) =
                <[RawPending]>::ref_from_prefix_with_elems(behind, pending).map_err(|_| Malformed)?;
            let pending = pending.iter().map(|p| Pending {
                lsn: Lsn(p.lsn.get()),
                attempts: p.attempts.get(),
                due_ms: p.due_ms.get(),
            });
            let cursor = Cursor { read: Lsn(raw.read.get()), pending: pending.collect() };
            self.table.insert(raw.consumer.get(), cursor);
            if raw.flags.get() & ELSEWHERE != 0 {
                self.elsewhere.insert(raw.consumer.get());
            }
            rest = behind;
        }
        if rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

fn encode_cursor(body: &mut Vec<u8>, consumer: u64, flags: u32, cursor: &Cursor) {
    let raw = RawCursor {
        consumer: U64::new(consumer),
        read: U64::new(cursor.read.0),
        pending: U32::new(cursor.pending.len() as u32),
        flags: U32::new(flags),
    };
    body.extend_from_slice(raw.as_bytes());
    for pending in &cursor.pending {
        let raw = RawPending {
            lsn: U64::new(pending.lsn.0),
            due_ms: U64::new(pending.due_ms),
            attempts: U16::new(pending.attempts),
            reserved: [0; 6],
        };
        body.extend_from_slice(raw.as_bytes());
    }
}
