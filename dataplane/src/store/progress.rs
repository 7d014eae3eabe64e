//! How far triggers are: registered with their first configuration, stored
//! together with what led to it, forgotten when they are gone for good.
//!
//! The progress of a trigger stands in the shard's log: where it goes on there,
//! and for each backlog that it has something in, where it goes on there. All of
//! it changes in one step.

use eagre_snapshot::Id;
use eagre_wal::{AppendError, Cursor, Fsync, Pending as LogPending};

use super::{
    BacklogPosition, Location, Offset, Store, StoredEvent,
    backlog::{self, Backlog},
    commit::Change,
    event,
};
use crate::runtime::time::unix_ms;

/// How far a trigger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// In the shard's log everything below was handed out or moved.
    pub(crate) read: Offset,
    /// The same in each backlog that it has something in.
    pub(crate) backlogs: Vec<BacklogPosition>,
    /// What was handed out and is not finished.
    pub(crate) pending: Vec<Pending>,
}

/// An event that was handed out and is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) location: Location,
    /// Attempts that failed in the present stage.
    pub(crate) attempts: u16,
    /// When the next one is due, Unix milliseconds.
    pub(crate) due_ms: u64,
}

/// A trigger that is not registered: it is gone, and nothing of it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unregistered;

impl Store {
    /// Where a trigger goes on: at the end of the log if it is new. From now on
    /// its progress is taken.
    pub(crate) fn register(&self, trigger: Id) -> Progress {
        let cursor = self.log.cursor(trigger.0).unwrap_or_else(|| {
            let cursor = Cursor { read: self.log.end(), pending: Vec::new() };
            self.log.update_cursor(trigger.0, cursor.clone());
            self.owed.set(true);
            cursor
        });
        self.registered.borrow_mut().insert(trigger, ());
        let mut progress = Progress { read: Offset(cursor.read), backlogs: Vec::new(), pending: Vec::new() };
        let here = cursor.pending.iter().map(|pending| restored(pending, Offset(pending.lsn), None));
        progress.pending.extend(here.filter(|pending| !self.was_moved(pending.location.offset)));
        for backlog in self.backlogs.all() {
            if let Some(cursor) = self.backlog_cursor(&backlog, trigger) {
                progress.backlogs.push(BacklogPosition { broker: backlog.broker, at: cursor.read });
                let there = cursor.pending.iter().map(|pending| restored_from(&backlog, trigger, pending));
                progress.pending.extend(there);
            }
        }
        progress
    }

    /// Takes note of a trigger's progress; [`store_progress`](Self::store_progress)
    /// stores it.
    pub(crate) fn record(&self, trigger: Id, progress: &Progress) -> Result<(), Unregistered> {
        self.check_registered(trigger)?;
        self.consumers_of(trigger, progress).into_iter().for_each(|change| self.log.change(change));
        Ok(())
    }

    /// Stores what was recorded, with the next batch. What does not fit now is
    /// stored with a later call, and the answer is no; until then a restart
    /// delivers again what was delivered meanwhile.
    pub(crate) fn store_progress(&self) -> bool {
        // A backlog lets go only of what the disk says is done, in any mode.
        let fsync = if self.backlogs.is_empty() { self.settings.fsync } else { Fsync::Always };
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
        self.log.remove_cursor(trigger.0);
        for backlog in self.backlogs.all() {
            self.log.remove_cursor(backlog::consumer(trigger, backlog.broker));
            backlog.log.remove_cursor(trigger.0);
            backlog.readers.borrow_mut().remove(&trigger);
        }
        self.owed.set(true);
    }

    /// Triggers whose progress the log has and that nobody has registered.
    pub(crate) fn unregistered(&self) -> Vec<Id> {
        let registered = self.registered.borrow();
        let consumers = self.log.consumers_here().into_iter().map(Id);
        consumers.filter(|trigger| !registered.contains_key(trigger)).collect()
    }

    /// What a trigger's progress changes in the log, its own cursor last: a cursor
    /// for each backlog, none where the trigger has nothing left.
    pub(super) fn consumers_of(&self, trigger: Id, progress: &Progress) -> Vec<Change> {
        let pending_in = |broker: Option<Id>| {
            let of_this =
                progress.pending.iter().filter(move |p| p.location.moved.map(|m| m.broker) == broker);
            of_this.map(to_log).collect()
        };
        let elsewhere = self.backlogs.all().into_iter().map(|backlog| {
            let position = progress.backlogs.iter().find(|position| position.broker == backlog.broker);
            Change {
                consumer: backlog::consumer(trigger, backlog.broker),
                cursor: position.map(|at| Cursor { read: at.at, pending: pending_in(Some(at.broker)) }),
                elsewhere: true,
            }
        });
        let here = Cursor { read: progress.read.0, pending: pending_in(None) };
        let here = Change { consumer: trigger.0, cursor: Some(here), elsewhere: false };
        elsewhere.chain([here]).collect()
    }

    /// Stores where new triggers begin. What does not fit now is stored before the
    /// next event is accepted.
    pub(crate) fn store_new(&self) {
        let _ = self.repay_cursors();
    }

    pub(super) fn check_registered(&self, trigger: Id) -> Result<(), Unregistered> {
        if self.registered.borrow().contains_key(&trigger) { Ok(()) } else { Err(Unregistered) }
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
                let Some(event) = StoredEvent::of_log(&entry) else {
                    event::stop("a trigger waits for a record that holds no event", offset.0)
                };
                self.is_moved(&event)
            }
            // Its segment is gone, which it only is when all of it was moved.
            None => true,
        }
    }
}

fn restored(pending: &LogPending, offset: Offset, moved: Option<BacklogPosition>) -> Pending {
    let LogPending { attempts, due_ms, .. } = *pending;
    Pending { location: Location { offset, moved }, attempts, due_ms }
}

fn restored_from(backlog: &Backlog, trigger: Id, pending: &LogPending) -> Pending {
    let Some(event) = backlog.event(pending.lsn) else {
        event::stop(
            &format!("trigger {trigger} waits for it in backlog {}, where it is not", backlog.broker),
            pending.lsn,
        )
    };
    restored(pending, event.offset, Some(BacklogPosition { broker: backlog.broker, at: pending.lsn }))
}

fn to_log(pending: &Pending) -> LogPending {
    let Pending { location, attempts, due_ms } = *pending;
    LogPending { lsn: location.moved.map_or(location.offset.0, |moved| moved.at), attempts, due_ms }
}
