//! Backlogs: where events go that only triggers still need which are far behind.
//!
//! A segment of the shard's log can go when every trigger is done with it. So
//! that one stuck trigger does not hold the log for all, what is left in the
//! oldest segments is copied to the *backlog* of the events' broker, a log of its
//! own beside the shard's (`shard-N/backlog/<broker id>/`), opened with the first
//! such event, bounded by a quota, and removed when nobody needs anything of it.
//!
//! An event keeps its identity, its position in the shard's log. Identities
//! ascend in a backlog. Everything that triggers still needed of this broker's
//! below the last one is in here, together with it: a group of records is in a
//! log as a whole or not at all. So after a crash the last identity tells what
//! is to be read from here and not from the shard's log, whatever the triggers'
//! cursors knew.
//!
//! How far each trigger has read stands in the shard's log, under
//! [`consumer`], so that a reply and the end of the delivery that led to it
//! remain one step. In the backlog itself a trigger has a cursor only from its
//! first event on until the shard's log durably has one: moving must not need
//! room in a log that is full. Another cursor holds what is not read yet.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use eagre_snapshot::Id;
use eagre_wal::{AppendError, Cursor, Fsync, Kind, Log, Lsn, Place, Progress};

use super::{
    Offset, StoredEvent,
    commit::{CommitLog, HOLDER, Stored},
    envelope::Envelope,
    moved::{self, MOVED},
};
use crate::{
    canary::{Canary, planted},
    runtime::{exit, time::unix_ms},
};

/// The consumer in the shard's log whose cursor tells how far `trigger` has read
/// the backlog of `broker`. Its own inverse, for a given broker.
pub(super) const fn consumer(trigger: Id, broker: Id) -> u64 {
    trigger.0 ^ broker.0.rotate_left(32) ^ 0xbac1_09ba_c109_bac1
}

/// An event of the shard's log that some triggers still need.
pub(crate) struct Left {
    pub(crate) event: StoredEvent,
    pub(crate) triggers: Vec<Id>,
}

/// The backlog of one broker on one shard.
pub(super) struct Backlog {
    pub(super) broker: Id,
    pub(super) log: Rc<CommitLog>,
    /// The triggers that have something in here.
    pub(super) readers: RefCell<BTreeSet<Id>>,
    /// Everything below is here, as far as a trigger needs it.
    moved_to: Cell<Lsn>,
    /// Behind the last event.
    end: Cell<Lsn>,
    /// Events are on their way here.
    pub(super) arriving: Cell<bool>,
    /// Progress that the shard's log has, and will have on its disk.
    progress: RefCell<Option<KnownProgress>>,
    /// Nobody needs anything of it, and where the shard's log says so.
    done: Cell<Option<Lsn>>,
    over_quota: Cell<bool>,
}

struct KnownProgress {
    /// It is on the disk when the shard's log is up to here.
    stored: Lsn,
    /// All triggers are done with everything below.
    low: Lsn,
    /// Those who had a cursor in the backlog then: the shard's log has one of
    /// theirs by now.
    newcomers: Vec<u64>,
}

impl Backlog {
    /// Takes over the opened log of a backlog.
    pub(super) fn new(broker: Id, log: Log) -> Self {
        let last = log.last().unwrap_or_else(|damage| {
            tracing::error!("a backlog is damaged, stopping: {damage}");
            exit::now(exit::DAMAGE)
        });
        let moved_to = last.as_ref().map_or(Lsn::ZERO, |last| {
            let event = StoredEvent::of_backlog(last).unwrap_or_else(|unknown| unknown.stop());
            event.offset.0 + 1
        });
        let end = last.map_or(Lsn::ZERO, |last| last.next);
        let newcomers = log.cursors().consumers();
        let readers = newcomers.filter(|consumer| *consumer != HOLDER).map(Id).collect();
        Self {
            broker,
            readers: RefCell::new(readers),
            log: Rc::new(CommitLog::held(log)),
            moved_to: Cell::new(moved_to),
            end: Cell::new(end),
            arriving: Cell::new(false),
            progress: RefCell::default(),
            done: Cell::default(),
            over_quota: Cell::new(false),
        }
    }

    /// What lies here, as far as a trigger needed it, is not to be read from the
    /// shard's log.
    pub(super) fn has_taken(&self, offset: Offset) -> bool {
        offset.0 < self.moved_to.get()
    }

    /// Of the shard's log from `read` on, nothing was moved here.
    pub(super) fn has_taken_nothing_from(&self, read: Offset) -> bool {
        self.moved_to.get() <= read.0
    }

    /// What was appended is durable here, up to this event. Until then the shard's
    /// log is where it is read.
    pub(super) fn take_over(&self, last: Offset) {
        self.moved_to.set(last.0 + 1);
    }

    /// The event at `at`, if there is one.
    pub(super) fn event(&self, at: Lsn) -> Option<StoredEvent> {
        let entry = self.log.read(at).filter(|entry| entry.lsn == at)?;
        Some(StoredEvent::of_backlog(&entry).unwrap_or_else(|unknown| unknown.stop()))
    }

    /// Takes in events, all or none, and gives where the first one lies and what
    /// to wait for. For `newcomers` they are the first in this backlog.
    pub(super) fn append(&self, newcomers: &[Id], events: &[Left]) -> Result<(Lsn, Stored), AppendError> {
        let prefixes: Vec<_> = events.iter().map(|left| moved::prefix(&left.event, &left.triggers)).collect();
        let bodies = events
            .iter()
            .map(|left| Envelope::parse(left.event.bytes()).map_or(&[][..], |e| e.event_bytes()));
        let parts: Vec<_> =
            prefixes.iter().zip(bodies).map(|(prefix, event)| [prefix.as_slice(), event]).collect();
        let records: Vec<(Kind, &[&[u8]])> = parts.iter().map(|parts| (MOVED, &parts[..])).collect();
        let begin = self.log.end();
        for trigger in newcomers {
            self.log.register(trigger.0, Place::Here, &Cursor { read: begin, pending: Vec::new() });
        }
        self.log.append_cursors(unix_ms(), Fsync::Always)?;
        // What is moved was on the disk before, whatever its broker asks for.
        let stored = self.log.append_group(unix_ms(), Fsync::Always, &records)?;
        if let Some(last) = events.last().filter(|_| planted(Canary::MovedTooSoon)) {
            self.take_over(last.event.offset);
        }
        self.end.set(self.log.end());
        if let Some(known) = &mut *self.progress.borrow_mut() {
            // They begin anew: what the shard's log had of them tells nothing of this.
            known.newcomers.retain(|known| !newcomers.contains(&Id(*known)));
        }
        self.readers.borrow_mut().extend(newcomers);
        self.done.set(None);
        Ok((begin, stored))
    }

    /// Bytes between the oldest event that is still needed and the end.
    pub(super) fn used_bytes(&self) -> u64 {
        let held = self.log.cursor(HOLDER).map_or(Lsn::ZERO, |cursor| cursor.read);
        self.end.get().0.saturating_sub(held.0)
    }

    /// Where a trigger begins that the shard's log knows nothing of.
    pub(super) fn newcomer(&self, trigger: Id) -> Option<Cursor> {
        self.log.cursor(trigger.0)
    }

    /// Its triggers are done with everything below `low` (with all of it: `None`).
    /// That and how far each has read stands in the shard's log below the first of
    /// `positions`; the second is how much of that log is on the disk. Only then
    /// does anything go here: what is gone must not come back with a cursor. Of a
    /// trigger that nobody has registered the shard's log need not know anything.
    pub(super) fn release(
        &self,
        low: Option<Lsn>,
        (stored, synced): (Lsn, Lsn),
        is_registered: impl Fn(Id) -> bool,
    ) {
        let low = low.unwrap_or(self.end.get());
        let mut progress = self.progress.borrow_mut();
        let Some(known) = progress.take_if(|progress| progress.stored <= synced) else {
            progress.get_or_insert_with(|| {
                let mut newcomers = self.log.consumers();
                newcomers.retain(|consumer| *consumer != HOLDER && is_registered(Id(*consumer)));
                KnownProgress { stored, low, newcomers }
            });
            return;
        };
        known.newcomers.iter().for_each(|newcomer| self.log.forget(*newcomer));
        if self.log.cursor(HOLDER).is_some_and(|cursor| cursor.read < known.low) {
            let done = Progress { place: Place::Here, read: known.low, changed: &[], finished: &[] };
            self.log.progress(HOLDER, &done).expect("a held log has its holder");
        }
        // What does not fit now is stored with a later call.
        let _ = self.log.append_cursors(unix_ms(), Fsync::Always);
    }

    /// Nobody needs anything of it, now and after a crash: the shard's log says so
    /// on its disk. `positions` as in [`release`](Self::release): progress was stored
    /// just before.
    pub(super) fn is_done(&self, (stored, synced): (Lsn, Lsn)) -> bool {
        let is_idle = self.readers.borrow().is_empty()
            && !self.arriving.get()
            && self.used_bytes() == 0
            && self.log.consumers() == [HOLDER];
        if !is_idle {
            self.done.set(None);
            return false;
        }
        let said_at = self.done.get().unwrap_or(stored);
        self.done.set(Some(said_at));
        said_at <= synced
    }

    /// It lets go of something once the shard's log is on the disk further than this.
    pub(super) fn waits_for_more_than(&self, synced: Lsn) -> bool {
        let stored = self.progress.borrow().as_ref().map(|progress| progress.stored);
        stored.into_iter().chain(self.done.get()).any(|stored| stored > synced)
    }

    /// The broker is refused further events until its triggers have caught up a
    /// little.
    pub(super) fn is_over_quota(&self) -> bool {
        self.over_quota.get()
    }

    /// Compares what it holds with its quota: how much it is, and whether that is
    /// too much.
    pub(super) fn judge(&self, quota: u64) -> (u64, bool) {
        let used = self.used_bytes();
        let limit = if self.over_quota.get() { quota - quota / RELIEF_PART } else { quota };
        self.over_quota.set(used > limit);
        (used, used > limit)
    }
}

/// A broker over its quota is accepted again when this part of it is free: it
/// does not flap between yes and no.
const RELIEF_PART: u64 = 8;
