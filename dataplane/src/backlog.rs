//! Backlogs: where events go that only triggers still need which are far behind.
//!
//! A segment of the shard's log can go when every trigger is done with it. So
//! that one stuck trigger does not hold the log for all, `clean` copies what is
//! left in the oldest segments to the *backlog* of the events' broker, a log of
//! its own beside the shard's (`shard-N/backlog/<broker id>/`), opened with the
//! first such event and bounded by a quota.
//!
//! An event keeps its identity: its position in the shard's log, its *source*.
//! The body of a record of kind 18:
//! ```text
//! offset  bytes  field
//!      0      8  source
//!      8      8  when the event was accepted, Unix milliseconds
//!     16      …  the event's log record (`envelope`), with those of its triggers
//!                that still needed it
//! ```
//!
//! Sources ascend. Everything that triggers still needed below the last source
//! is in here, together with it: a group of records is in a log as a whole or
//! not at all. So after a crash the last source tells where each trigger goes on
//! in the shard's log, whatever its own cursor knew.
//!
//! How far each trigger has read stands in the shard's log, under
//! [`consumer`], so that a reply and the end of the delivery that led to it
//! remain one step. In the backlog itself a trigger has a cursor only from its
//! first event on until the shard's log durably has one: moving must not need
//! room in a log that is full. Another cursor holds what is not read yet.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use eagre_snapshot::Id;
use eagre_wal::{AppendError, Cursor, Entry, Fsync, Kind, Log, Lsn};

use crate::{
    clock,
    commit::{CommitLog, HOLDER, Stored},
    envelope::{self, Envelope},
    exit, net,
};

/// The kind of log records described here.
pub(crate) const MOVED: Kind = Kind(18);

const PREFIX_BYTES: usize = 16;

/// A moved event.
pub(crate) struct MovedEvent {
    /// Its position in the shard's log.
    pub(crate) source: Lsn,
    /// When it was accepted.
    pub(crate) time_ms: u64,
    /// Its log record (`envelope`).
    pub(crate) body: Bytes,
}

impl MovedEvent {
    /// Reads the body of a record of kind [`MOVED`].
    pub(crate) fn parse(entry: &Entry) -> Option<Self> {
        let (source, rest) = entry.body.split_first_chunk::<8>()?;
        let (time_ms, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            source: Lsn(u64::from_le_bytes(*source)),
            time_ms: u64::from_le_bytes(*time_ms),
            body: entry.body.slice(PREFIX_BYTES..),
        })
    }
}

/// The consumer in the shard's log whose cursor tells how far `trigger` has read
/// its broker's backlog. Its own inverse.
pub(crate) const fn consumer(trigger: Id) -> u64 {
    trigger.0 ^ 0xbac1_09ba_c109_bac1
}

/// An event of the shard's log that some triggers still need.
pub(crate) struct Left {
    pub(crate) entry: Entry,
    pub(crate) triggers: Vec<Id>,
}

/// The backlog of one broker on one shard.
pub(crate) struct Backlog {
    pub(crate) log: CommitLog,
    /// Everything below this source is here, as far as a trigger needs it.
    moved_to: Cell<Lsn>,
    /// Behind the last event.
    end: Cell<Lsn>,
    /// Progress that the shard's log has, and will have on its disk.
    progress: RefCell<Option<Progress>>,
    over_quota: Cell<bool>,
}

struct Progress {
    /// It is on the disk when the shard's log is up to here.
    stored: Lsn,
    /// All triggers are done with everything below.
    low: Lsn,
    /// Those who had a cursor in the backlog then: their lanes had said so to the
    /// shard's log before.
    newcomers: Vec<u64>,
}

impl Backlog {
    /// Takes over the opened log of a backlog.
    pub(crate) fn new(log: Log) -> Self {
        let last = log.last().unwrap_or_else(|damage| {
            tracing::error!("a backlog is damaged, stopping: {damage}");
            exit::now(exit::DAMAGE)
        });
        let moved_to = last.as_ref().and_then(MovedEvent::parse).map_or(Lsn::ZERO, |last| last.source + 1);
        let end = last.map_or(Lsn::ZERO, |last| last.next);
        Self {
            log: CommitLog::held(log),
            moved_to: Cell::new(moved_to),
            end: Cell::new(end),
            progress: RefCell::default(),
            over_quota: Cell::new(false),
        }
    }

    /// Every event with a source below is here, as far as a trigger needed it.
    pub(crate) fn moved_to(&self) -> Lsn {
        self.moved_to.get()
    }

    /// The event at `at`, if there is one.
    pub(crate) fn event(&self, at: Lsn) -> Option<MovedEvent> {
        self.log.read(at).filter(|entry| entry.lsn == at).as_ref().and_then(MovedEvent::parse)
    }

    /// Takes in events, all or none, and gives where the first one lies and what
    /// to wait for. For `newcomers` they are the first in this backlog.
    pub(crate) fn append(
        &self,
        broker: Id,
        newcomers: &[Id],
        events: &[Left],
    ) -> Result<(Lsn, Stored), AppendError> {
        let mut prefixes = Vec::with_capacity(events.len());
        for Left { entry, triggers } in events {
            let mut prefix = [entry.lsn.0.to_le_bytes(), entry.time_ms.to_le_bytes()].concat();
            envelope::append_prefix(&mut prefix, broker, triggers.iter().copied());
            prefixes.push(prefix);
        }
        let bodies =
            events.iter().map(|left| Envelope::parse(&left.entry.body).map_or(&[][..], |e| e.event_bytes()));
        let parts: Vec<_> =
            prefixes.iter().zip(bodies).map(|(prefix, event)| [prefix.as_slice(), event]).collect();
        let records: Vec<(Kind, &[&[u8]])> = parts.iter().map(|parts| (MOVED, &parts[..])).collect();
        let begin = self.log.end();
        for trigger in newcomers {
            self.log.update_cursor(trigger.0, Cursor { read: begin, pending: Vec::new() });
        }
        self.log.append_cursors(clock::now_ms(), Fsync::Always)?;
        // What is moved was on the disk before, whatever its broker asks for.
        let stored = self.log.append_group(clock::now_ms(), Fsync::Always, &records)?;
        if let Some(last) = events.last() {
            self.moved_to.set(last.entry.lsn + 1);
            self.end.set(self.log.end());
        }
        Ok((begin, stored))
    }

    /// Behind its last event.
    pub(crate) fn end(&self) -> Lsn {
        self.end.get()
    }

    /// Bytes between the oldest event that is still needed and the end.
    pub(crate) fn used_bytes(&self) -> u64 {
        let held = self.log.cursor(HOLDER).map_or(Lsn::ZERO, |cursor| cursor.read);
        self.end().0.saturating_sub(held.0)
    }

    /// Where a trigger begins that the shard's log knows nothing of.
    pub(crate) fn cursor(&self, trigger: Id) -> Option<Cursor> {
        self.log.cursor(trigger.0)
    }

    /// Its triggers are done with everything below `low`. That and how far each
    /// has read stands in the shard's log below the first of `positions`; the
    /// second is how much of that log is on the disk. Only then does anything go
    /// here: what is gone must not come back with a cursor.
    pub(crate) fn release(&self, low: Lsn, (stored, synced): (Lsn, Lsn)) {
        let mut progress = self.progress.borrow_mut();
        let Some(known) = progress.take_if(|progress| progress.stored <= synced) else {
            progress.get_or_insert_with(|| {
                let newcomers = self.log.consumers().into_iter().filter(|consumer| *consumer != HOLDER);
                Progress { stored, low, newcomers: newcomers.collect() }
            });
            return;
        };
        known.newcomers.iter().for_each(|newcomer| self.log.remove_cursor(*newcomer));
        if self.log.cursor(HOLDER).is_some_and(|cursor| cursor.read < known.low) {
            self.log.update_cursor(HOLDER, Cursor { read: known.low, pending: Vec::new() });
        }
        // What does not fit now is stored with a later call.
        let _ = self.log.append_cursors(clock::now_ms(), Fsync::Always);
    }

    /// The broker is refused further events until its triggers have caught up a
    /// little.
    pub(crate) fn is_over_quota(&self) -> bool {
        self.over_quota.get()
    }

    /// Compares what it holds with its quota: how much it is, and whether that is
    /// too much.
    pub(crate) fn judge(&self, quota: u64) -> (u64, bool) {
        let used = self.used_bytes();
        let limit = if self.over_quota.get() { quota - quota / RELIEF_PART } else { quota };
        self.over_quota.set(used > limit);
        (used, used > limit)
    }
}

/// A broker over its quota is accepted again when this part of it is free: it
/// does not flap between yes and no.
const RELIEF_PART: u64 = 8;

impl Backlog {
    /// Flushes for as long as the shard runs.
    pub(crate) fn flush(self: &Rc<Self>) {
        let backlog = Rc::clone(self);
        net::spawn(async move {
            let error = backlog.log.flush(|_| {}).await;
            tracing::error!("completions of a backlog cannot be waited for, stopping: {error}");
            exit::now(exit::OS_ERROR);
        });
    }
}
