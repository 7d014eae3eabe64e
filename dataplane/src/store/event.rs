//! An event as it is read from a log.

use bytes::Bytes;
use eagre_event::Record;
use eagre_snapshot::Id;
use eagre_wal::{Entry, Lsn};

use super::{
    BacklogPosition, Offset,
    envelope::{EVENT, Envelope},
    moved::{MOVED, MovedEvent},
};
use crate::runtime::exit;

/// An event of the shard's log or of a backlog.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    /// Its identity.
    pub(crate) offset: Offset,
    /// When it was accepted, Unix milliseconds.
    pub(crate) time_ms: u64,
    /// Its envelope and record, a view of the log's file.
    body: Bytes,
}

impl StoredEvent {
    /// An event of the shard's log.
    pub(super) fn of_log(entry: &Entry) -> Result<Self, UnknownRecord> {
        if entry.kind != EVENT {
            return Err(UnknownRecord::of_kind(entry));
        }
        Self::checked(Offset(entry.lsn), entry.time_ms, entry.body.clone(), entry.lsn)
    }

    /// An event of a backlog.
    pub(super) fn of_backlog(entry: &Entry) -> Result<Self, UnknownRecord> {
        let Some(moved) = MovedEvent::parse(&entry.body).filter(|_| entry.kind == MOVED) else {
            return Err(UnknownRecord::of_kind(entry));
        };
        Self::checked(moved.offset, moved.time_ms, entry.body.slice_ref(moved.event), entry.lsn)
    }

    fn checked(offset: Offset, time_ms: u64, body: Bytes, at: Lsn) -> Result<Self, UnknownRecord> {
        match Envelope::parse(&body) {
            Ok(_) => Ok(Self { offset, time_ms, body }),
            Err(unknown) => Err(UnknownRecord { at, reason: unknown.to_string() }),
        }
    }

    /// The broker that accepted it.
    pub(crate) fn broker(&self) -> Id {
        self.envelope().broker()
    }

    /// The triggers that get it.
    pub(crate) fn matches(&self) -> impl Iterator<Item = Id> + use<'_> {
        self.envelope().matches()
    }

    /// It goes to `trigger`, among others.
    pub(crate) fn is_for(&self, trigger: Id) -> bool {
        self.matches().any(|id| id == trigger)
    }

    /// What it says.
    pub(crate) fn record(&self) -> Record<'_> {
        self.envelope().event().unwrap_or_else(|malformed| stop(&malformed.to_string(), self.offset.0))
    }

    /// All of it, as it lies in the log.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.body
    }

    fn envelope(&self) -> Envelope<'_> {
        Envelope::parse(&self.body).expect("it was checked when it was read")
    }
}

/// Where an event can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) offset: Offset,
    /// Where it lies if it was moved.
    pub(crate) moved: Option<BacklogPosition>,
}

/// A record whose checksum is right and that this version cannot read was written
/// by another one. It is owed to somebody, so it is never passed over.
pub(super) fn stop(reason: &str, at: Lsn) -> ! {
    tracing::error!(%at, "cannot read an event of the log, stopping: {reason}");
    exit::now(exit::DAMAGE)
}

/// A record that no part of this version writes where it lies.
#[derive(Debug)]
pub(super) struct UnknownRecord {
    at: Lsn,
    reason: String,
}

impl UnknownRecord {
    fn of_kind(entry: &Entry) -> Self {
        let reason = format!("its kind is {}; was it written by a newer Eagre?", entry.kind.0);
        Self { at: entry.lsn, reason }
    }

    /// See [`stop`].
    pub(super) fn stop(self) -> ! {
        stop(&self.reason, self.at)
    }
}
