//! The records that tell the log of cursors.
//!
//! CHECKPOINT and CURSORS, whole cursors:
//!
//! ```text
//! offset bytes field
//!      0     4 cursors       entries of the second list
//!      4     4 removed       entries of the first list
//!      8     … removed: consumer u64 each
//!            … cursors, each: consumer u64, read u64, pending u32, flags u32 (1: elsewhere),
//!              then its pending entries: lsn u64, due_ms u64, attempts u16, reserved 2 bytes, note u32
//! ```
//!
//! PROGRESS, what changed of cursors:
//!
//! ```text
//! offset bytes field
//!      0     4 cursors       entries of the list
//!      4     4 reserved      zero
//!      8     … cursors, each: consumer u64, after u64, read u64, changed u32, finished u32,
//!              then its pending entries that are new or changed, as above,
//!              then the records that are finished: lsn u64 each
//! ```
//!
//! `after` is the position of the record that told of the consumer before. A
//! change is made to nothing else: where that record is lost, what follows it is
//! passed over, up to the next whole cursor. An older cursor is safe, one with a
//! change left out is not.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use super::{
    Cursor, Cursors, Pending, Place, Told,
    consumer::{Consumer, Delta},
};
use crate::{
    canary::{Canary, planted},
    lsn::Lsn,
    record::{Kind, frame_bytes},
};

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
    reserved: [u8; 2],
    note: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawDelta {
    consumer: U64,
    after: U64,
    read: U64,
    changed: U32,
    finished: U32,
}

/// Bytes of a cursor in the log, without its unfinished records.
pub(crate) const CURSOR_BYTES: u64 = size_of::<RawCursor>() as u64;
/// Bytes of an unfinished record in the log.
pub(crate) const PENDING_BYTES: u64 = size_of::<RawPending>() as u64;
/// Bytes of a change in the log, without its records.
pub(super) const DELTA_BYTES: u64 = size_of::<RawDelta>() as u64;
/// Bytes of one record of either kind that tells nothing, frames included.
pub(super) const EMPTY_STATEMENTS_BYTES: u64 = 2 * frame_bytes(size_of::<Head>() as u64);

const _: () = assert!(CURSOR_BYTES == 24 && PENDING_BYTES == 24 && DELTA_BYTES == 32);
// Sums of what consumers take are those of their records: nothing is rounded up.
const _: () = assert!(size_of::<Head>() == 8 && EMPTY_STATEMENTS_BYTES == 2 * 64);

/// The cursors do not fit, even without their unfinished records.
#[derive(Debug, thiserror::Error)]
#[error("the cursors do not fit their part of a segment")]
pub(crate) struct DoNotFit;

/// The body of a record of cursors is not one, or does not follow the one before.
#[derive(Debug)]
pub(crate) struct Malformed;

/// A record that tells of cursors, not yet in the log.
#[derive(Debug)]
pub(crate) struct Statement {
    pub kind: Kind,
    pub body: Vec<u8>,
    /// Of whom it tells, and below which position.
    pub(super) consumers: Vec<(u64, Lsn)>,
}

impl Statement {
    /// Bytes in the log.
    pub(crate) fn bytes(&self) -> u64 {
        frame_bytes(self.body.len() as u64)
    }

    fn new(kind: Kind, cursors: usize, removed: usize) -> Self {
        let head = Head { cursors: U32::new(cursors as u32), removed: U32::new(removed as u32) };
        Self { kind, body: head.as_bytes().to_vec(), consumers: Vec::with_capacity(cursors + removed) }
    }

    fn put_pending(&mut self, pending: &Pending) {
        let raw = RawPending {
            lsn: U64::new(pending.lsn.0),
            due_ms: U64::new(pending.due_ms),
            attempts: U16::new(pending.attempts),
            reserved: [0; 2],
            note: U32::new(pending.note),
        };
        self.body.extend_from_slice(raw.as_bytes());
    }
}

/// Bytes of the smallest record that tells of so many whole cursors.
pub(super) const fn whole_bytes_min(cursors: u64, removed: u64) -> u64 {
    frame_bytes(size_of::<Head>() as u64 + 8 * removed + CURSOR_BYTES * cursors)
}

/// A record of whole cursors; of at most so many bytes, whatever is cut off for it.
pub(super) fn whole(
    kind: Kind,
    removed: &[u64],
    cursors: &[(u64, &Consumer)],
    bytes_max: u64,
) -> Result<Statement, DoNotFit> {
    let least = whole_bytes_min(0, removed.len() as u64);
    let bytes = |pending_max: usize| {
        least + cursors.iter().map(|(_, consumer)| consumer.whole_bytes(pending_max)).sum::<u64>()
    };
    let mut pending_max = cursors.iter().map(|(_, consumer)| consumer.pending.len()).max().unwrap_or(0);
    while bytes(pending_max) > bytes_max {
        if pending_max == 0 {
            return Err(DoNotFit);
        }
        pending_max /= 2;
    }
    let mut statement = Statement::new(kind, cursors.len(), removed.len());
    for consumer in removed {
        statement.body.extend_from_slice(&consumer.to_le_bytes());
        statement.consumers.push((*consumer, Lsn::MAX));
    }
    for (id, consumer) in cursors {
        put_whole(&mut statement, *id, consumer, consumer.below(pending_max));
    }
    Ok(statement)
}

fn put_whole(statement: &mut Statement, id: u64, consumer: &Consumer, below: Lsn) {
    let pending = consumer.pending.range(..below).map(|(_, pending)| pending);
    let pending: Vec<_> = pending.filter(|_| !planted(Canary::PendingForgotten)).collect();
    let raw = RawCursor {
        consumer: U64::new(id),
        read: U64::new(consumer.read.min(below).0),
        pending: U32::new(pending.len() as u32),
        flags: U32::new(if consumer.place == Place::Elsewhere { ELSEWHERE } else { 0 }),
    };
    statement.body.extend_from_slice(raw.as_bytes());
    pending.into_iter().for_each(|pending| statement.put_pending(pending));
    statement.consumers.push((id, below));
}

/// A record of what changed of cursors.
pub(super) fn deltas(deltas: &[(u64, Delta)]) -> Statement {
    let mut statement = Statement::new(Kind::PROGRESS, deltas.len(), 0);
    for (id, delta) in deltas {
        let changed: &[Pending] = if planted(Canary::PendingForgotten) { &[] } else { &delta.changed };
        let raw = RawDelta {
            consumer: U64::new(*id),
            after: U64::new(delta.told.at.0),
            read: U64::new(delta.read.0),
            changed: U32::new(changed.len() as u32),
            finished: U32::new(delta.finished.len() as u32),
        };
        statement.body.extend_from_slice(raw.as_bytes());
        changed.iter().for_each(|pending| statement.put_pending(pending));
        for lsn in &delta.finished {
            statement.body.extend_from_slice(&lsn.0.to_le_bytes());
        }
        statement.consumers.push((*id, delta.told.below));
    }
    statement
}

/// Takes over a record of whole cursors that lies at `at`.
pub(super) fn apply_whole(cursors: &mut Cursors, at: Lsn, body: &[u8]) -> Result<(), Malformed> {
    let (head, rest) = Head::ref_from_prefix(body).map_err(|_| Malformed)?;
    let (removed, mut rest) = list::<U64>(rest, head.removed)?;
    for consumer in removed {
        cursors.remove(consumer.get());
    }
    for _ in 0..head.cursors.get() {
        let (raw, behind) = RawCursor::ref_from_prefix(rest).map_err(|_| Malformed)?;
        let (pending, behind) = list::<RawPending>(behind, raw.pending)?;
        let cursor = Cursor { read: Lsn(raw.read.get()), pending: pending.iter().map(pending_of).collect() };
        let place = if raw.flags.get() & ELSEWHERE != 0 { Place::Elsewhere } else { Place::Here };
        let told = Some(Told { at, below: Lsn::MAX });
        cursors.insert(raw.consumer.get(), Consumer { told, ..Consumer::new(place, &cursor) });
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// Takes over a record of changes that lies at `at`: all of them, as they belong
/// together, or none.
pub(super) fn apply_deltas(cursors: &mut Cursors, at: Lsn, body: &[u8]) -> Result<(), Malformed> {
    let (head, mut rest) = Head::ref_from_prefix(body).map_err(|_| Malformed)?;
    let mut deltas = Vec::new();
    for _ in 0..head.cursors.get() {
        let (raw, behind) = RawDelta::ref_from_prefix(rest).map_err(|_| Malformed)?;
        let (changed, behind) = list::<RawPending>(behind, raw.changed)?;
        let (finished, behind) = list::<U64>(behind, raw.finished)?;
        let told = cursors.table.get(&raw.consumer.get()).and_then(|consumer| consumer.told);
        if told.is_none_or(|told| told.at != Lsn(raw.after.get())) {
            return Err(Malformed);
        }
        deltas.push((raw, changed, finished));
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(Malformed);
    }
    for (raw, changed, finished) in deltas {
        cursors.change(raw.consumer.get(), |consumer| {
            consumer.read = Lsn(raw.read.get());
            for pending in changed.iter().map(pending_of) {
                consumer.pending.insert(pending.lsn, pending);
            }
            for lsn in finished {
                consumer.pending.remove(&Lsn(lsn.get()));
            }
            consumer.told = Some(Told { at, below: Lsn::MAX });
            true
        });
    }
    Ok(())
}

fn list<T: FromBytes + Immutable + KnownLayout + Unaligned>(
    bytes: &[u8],
    count: U32,
) -> Result<(&[T], &[u8]), Malformed> {
    <[T]>::ref_from_prefix_with_elems(bytes, count.get() as usize).map_err(|_| Malformed)
}

fn pending_of(raw: &RawPending) -> Pending {
    Pending {
        lsn: Lsn(raw.lsn.get()),
        attempts: raw.attempts.get(),
        due_ms: raw.due_ms.get(),
        note: raw.note.get(),
    }
}
