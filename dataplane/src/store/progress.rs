//! How far triggers are: registered with their first configuration, stored
//! together with what led to it, forgotten when they are gone for good.
//!
//! The progress of a trigger stands in the shard's log: where it goes on there,
//! and for each backlog that it has something in, where it goes on there. All of
//! it changes in one step, and costs what changed.

use std::rc::Rc;

use eagre_snapshot::Id;
use eagre_wal::{AppendError, Cursor, Fsync, Lsn, Pending as LogPending, Place, Progress as LogProgress};

use super::{
    BacklogPosition, Location, Offset, Store, StoredEvent,
    backlog::{self, Backlog},
    event,
};
use crate::{
    canary::{Canary, planted},
    runtime::time::unix_ms,
};

/// Where a trigger goes on.
pub(crate) struct Resumption {
    /// In the shard's log everything below was handed out or moved.
    pub(crate) read: Offset,
    /// The same in each backlog that it has something in.
    pub(crate) backlogs: Vec<BacklogPosition>,
    /// What was handed out and is not finished.
    pub(crate) pending: Vec<Pending>,
}

/// How far a trigger has come since its progress was recorded last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// As in [`Resumption`].
    pub(crate) read: Offset,
    /// The same; one that is not listed is done with.
    pub(crate) backlogs: Vec<BacklogPosition>,
    /// What was handed out since, or waits for another attempt than before.
    pub(crate) changed: Vec<Pending>,
    /// What was recorded and is finished there, or was moved from there.
    pub(crate) finished: Vec<Location>,
}

/// An event that was handed out and is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) location: Location,
    /// Attempts that failed in the present stage.
    pub(crate) attempts: u16,
    /// When the next one is due, Unix milliseconds.
    pub(crate) due_ms: u64,
    /// What the deliveries note down of it; the store does not look at it.
    pub(crate) note: u32,
}

/// A trigger that is not registered: it is gone, and nothing of it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unregistered;

impl Store {
    /// Where a trigger goes on: at the end of the log if it is new. From now on
    /// its progress is taken.
    pub(crate) fn register(&self, trigger: Id) -> Resumption {
        let cursor = self.log.cursor(trigger.0).unwrap_or_else(|| {
            let cursor = Cursor { read: self.log.end(), pending: Vec::new() };
            self.log.register(trigger.0, Place::Here, &cursor);
            self.owed.set(true);
            cursor
        });
        self.registered.borrow_mut().insert(trigger, ());
        let (moved, here): (Vec<LogPending>, Vec<LogPending>) =
            cursor.pending.iter().copied().partition(|pending| self.was_moved(Offset(pending.lsn)));
        let moved: Vec<Lsn> = moved.into_iter().map(|pending| pending.lsn).collect();
        let leaves = LogProgress { place: Place::Here, read: cursor.read, changed: &[], finished: &moved };
        self.log.progress(trigger.0, &leaves).expect("it is registered");
        let mut backlogs = Vec::new();
        let mut pending: Vec<_> =
            here.iter().map(|pending| restored(pending, Offset(pending.lsn), None)).collect();
        for backlog in self.backlogs.all() {
            if let Some(cursor) = self.backlog_cursor(&backlog, trigger) {
                backlogs.push(BacklogPosition { broker: backlog.broker, at: cursor.read });
                pending
                    .extend(cursor.pending.iter().map(|pending| restored_from(&backlog, trigger, pending)));
            }
        }
        Resumption { read: Offset(cursor.read), backlogs, pending }
    }

    /// Takes note of a trigger's progress; [`store_progress`](Self::store_progress)
    /// stores it.
    pub(crate) fn record(&self, trigger: Id, progress: &Progress) -> Result<(), Unregistered> {
        for part in self.parts_of(trigger, progress)? {
            self.log.progress(part.consumer, &part.progress()).expect("the store registers its consumers");
        }
        for backlog in self.backlogs.all() {
            let is_listed = progress.backlogs.iter().any(|at| at.broker == backlog.broker);
            let consumer = backlog::consumer(trigger, backlog.broker);
            if !is_listed && self.log.place(consumer).is_some() {
                self.log.forget(consumer);
            }
        }
        Ok(())
    }

    /// Stores what was recorded, with the next batch. What does not fit now is
    /// stored with a later call, and the answer is no; until then a restart
    /// delivers again what was delivered meanwhile.
    pub(crate) fn store_progress(&self) -> bool {
        // A backlog lets go only of what the disk says is done, in any mode.
        let fsync = if self.backlogs.is_empty() || planted(Canary::QuotaForGood) {
            self.settings.fsync
        } else {
            Fsync::Always
        };
        let is_stored = self.log.append_cursors(unix_ms(), fsync).is_ok();
        if is_stored {
            self.owed.set(false);
        }
        is_stored
    }

    /// A trigger is gone for good, and with it its claim to events. If it comes
    /// back, it starts anew.
    pub(crate) fn forget(&self, trigger: Id) {
        self.registered.borrow_mut().remove(&trigger);
        self.log.forget(trigger.0);
        for backlog in self.backlogs.all() {
            self.log.forget(backlog::consumer(trigger, backlog.broker));
            backlog.log.forget(trigger.0);
            backlog.readers.borrow_mut().remove(&trigger);
        }
        self.owed.set(true);
    }

    /// Triggers whose progress the log has and that nobody has registered.
    pub(crate) fn unregistered(&self) -> Vec<Id> {
        let registered = self.registered.borrow();
        let consumers = self.log.consumers_in(Place::Here).into_iter().map(Id);
        consumers.filter(|trigger| !registered.contains_key(trigger)).collect()
    }

    /// Stores where new triggers begin. What does not fit now is stored before the
    /// next event is accepted.
    pub(crate) fn store_new(&self) {
        let _ = self.repay_cursors();
    }

    /// Refuses events while new triggers have no place in the log: an event
    /// accepted now would be lost for them if the process ended.
    pub(super) fn repay_cursors(&self) -> Result<(), AppendError> {
        if self.owed.get() {
            self.log.append_cursors(unix_ms(), self.settings.fsync)?;
            self.owed.set(false);
        }
        Ok(())
    }

    /// What a trigger's progress changes, by consumer of the shard's log.
    pub(super) fn parts_of(&self, trigger: Id, progress: &Progress) -> Result<Vec<Part>, Unregistered> {
        if !self.registered.borrow().contains_key(&trigger) {
            return Err(Unregistered);
        }
        let mut parts = vec![Part::new(trigger.0, Place::Here, progress.read.0, progress, None)];
        for at in &progress.backlogs {
            let consumer = backlog::consumer(trigger, at.broker);
            if let Some(backlog) = self.backlogs.get(at.broker)
                && let Some(newcomer) = backlog.newcomer(trigger)
            {
                // As it was in the backlog: should the log store it before what
                // follows, nothing is missing.
                self.log.register(consumer, Place::Elsewhere, &newcomer);
            }
            parts.push(Part::new(consumer, Place::Elsewhere, at.at, progress, Some(at.broker)));
        }
        Ok(parts)
    }

    pub(super) fn is_registered(&self, trigger: Id) -> bool {
        self.registered.borrow().contains_key(&trigger)
    }

    /// How far `trigger` has read a backlog, if it has something in there.
    pub(super) fn backlog_cursor(&self, backlog: &Backlog, trigger: Id) -> Option<Cursor> {
        self.log.cursor(backlog::consumer(trigger, backlog.broker)).or_else(|| backlog.newcomer(trigger))
    }

    /// An event that a cursor of the shard's log calls unfinished was moved before
    /// the cursor could say so.
    fn was_moved(&self, offset: Offset) -> bool {
        if self.backlogs.all().iter().all(|backlog| !backlog.has_taken(offset)) {
            return false;
        }
        match self.log.read(offset.0).filter(|entry| entry.lsn == offset.0) {
            Some(entry) => {
                let event = StoredEvent::of_log(&entry).unwrap_or_else(|unknown| unknown.stop());
                self.is_moved(&event)
            }
            // Its segment is gone, which it only is when all of it was moved.
            None => true,
        }
    }
}

/// The part of a trigger's progress that one consumer of the log stands for.
pub(super) struct Part {
    pub(super) consumer: u64,
    place: Place,
    read: Lsn,
    changed: Vec<LogPending>,
    finished: Vec<Lsn>,
}

impl Part {
    /// What lies in the shard's log, or in the backlog of a broker.
    fn new(consumer: u64, place: Place, read: Lsn, progress: &Progress, broker: Option<Id>) -> Self {
        let is_here = |location: &Location| {
            location.moved.map(|moved| moved.broker) == broker
                || (broker.is_none() && planted(Canary::BacklogAsLog))
        };
        let changed = progress.changed.iter().filter(|pending| is_here(&pending.location));
        let finished = progress.finished.iter().filter(|location| is_here(location));
        let changed = changed.map(|pending| {
            let Pending { location, attempts, due_ms, note } = *pending;
            LogPending { lsn: at(&location), attempts, due_ms, note }
        });
        Self { consumer, place, read, changed: changed.collect(), finished: finished.map(at).collect() }
    }

    pub(super) fn progress(&self) -> LogProgress<'_> {
        let Self { place, read, changed, finished, .. } = self;
        LogProgress { place: *place, read: *read, changed, finished }
    }
}

/// Where it lies in the log that has it.
fn at(location: &Location) -> Lsn {
    location.moved.map_or(location.offset.0, |moved| moved.at)
}

fn restored(pending: &LogPending, offset: Offset, moved: Option<BacklogPosition>) -> Pending {
    let LogPending { attempts, due_ms, note, .. } = *pending;
    Pending { location: Location { offset, moved }, attempts, due_ms, note }
}

fn restored_from(backlog: &Rc<Backlog>, trigger: Id, pending: &LogPending) -> Pending {
    let Some(event) = backlog.event(pending.lsn) else {
        let reason = format!("trigger {trigger} waits for it in backlog {}, where it is not", backlog.broker);
        event::stop(&reason, pending.lsn)
    };
    restored(pending, event.offset, Some(BacklogPosition { broker: backlog.broker, at: pending.lsn }))
}
