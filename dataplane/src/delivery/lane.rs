//! One trigger on one shard: what it still has to deliver, and in which state.
//!
//! ```text
//! fan-out ► queue ► in flight ► finished
//!             ▲         │ ▲
//!             │         ▼ │ (due)
//!     log (catch-up)   waiting
//!             ▲
//!     backlog (first)
//! ```
//! A lane that keeps up is fed positions as they become durable. When its queue
//! is full it remembers where it fell behind and reads the log from there at
//! its own pace, so that memory is bounded whatever the backlog and a stuck
//! subscriber slows nobody else. What it has left in segments that have to go is
//! moved to its broker's backlog, and comes before the rest of the log.
//!
//! Owns the positions that are handed out and not finished; what is in the log
//! is never copied to memory.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};

use eagre_snapshot::{Counter, Counters, Id};
use eagre_wal::{Cursor, Lsn, Pending};
use hashbrown::HashMap;

use super::{deadletter::Failure, moved::Moved};
use crate::{
    backlogs::Backlogs, commit::CommitLog, envelope::Envelope, metrics::Dispatch, table::TriggerRoute,
};

/// Bounds of one lane.
#[derive(Clone, Copy)]
pub(crate) struct LaneLimits {
    /// Requests in flight at once.
    pub(crate) parallelism: usize,
    /// Positions queued in memory.
    pub(crate) queue_max: usize,
    /// Positions handed out and not finished, most of them waiting for a retry.
    pub(crate) pending_max: usize,
}

/// An event to deliver.
pub(crate) struct Job {
    /// Its identity: where it was stored first, in the shard's log.
    pub(crate) lsn: Lsn,
    /// Attempts that failed in the present stage.
    pub(crate) failed: u16,
    /// What went wrong, once the event is on its way to the dead letter sink.
    pub(crate) failure: Option<Box<Failure>>,
}

/// The lanes of a shard that changed since someone looked: with thousands of
/// triggers only few move at a time.
pub(crate) type Changes = Rc<RefCell<Vec<Id>>>;

/// A trigger's deliveries on this shard.
pub(crate) struct Lane {
    pub(crate) id: Id,
    pub(crate) counters: Counters,
    /// Durations of the attempts.
    pub(crate) dispatch: Arc<Dispatch>,
    route: RefCell<Arc<TriggerRoute>>,
    limits: LaneLimits,
    queue: RefCell<VecDeque<Lsn>>,
    /// Retries that are due, and what a restart found unfinished.
    due: RefCell<VecDeque<Job>>,
    /// Everything from here on is still to be read from the log.
    behind: Cell<Option<Lsn>>,
    /// What was moved to the backlog.
    moved: RefCell<Option<Moved>>,
    unfinished: RefCell<HashMap<Lsn, Progress>>,
    workers: Cell<usize>,
    scanning: Cell<bool>,
    changed: Cell<bool>,
    /// Where the lane says that it has changed.
    changes: Changes,
    /// Has events of the present fan-out.
    touched: Cell<bool>,
    closed: Cell<bool>,
}

/// How far an event is that was handed out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) attempts: u16,
    pub(crate) due_ms: u64,
    /// Where it lies in the backlog, if it was moved there.
    pub(crate) moved_to: Option<Lsn>,
}

impl Progress {
    /// As a cursor tells it, of an event that lies at `moved_to` in the backlog.
    pub(crate) fn of(pending: &Pending, moved_to: Option<Lsn>) -> Self {
        Self { attempts: pending.attempts, due_ms: pending.due_ms, moved_to }
    }
}

/// Where a lane goes on.
pub(crate) struct Place {
    /// In the shard's log.
    pub(crate) read: Lsn,
    /// In the backlog, if it has anything there.
    pub(crate) moved: Option<Lsn>,
    /// What was handed out and is not finished.
    pub(crate) unfinished: Vec<(Lsn, Progress)>,
}

/// What a lane has for a worker.
pub(crate) enum Next {
    /// An event to deliver.
    Job(Job),
    /// Nothing in this stretch of the log; look again soon.
    Later,
    /// Nothing to do until something happens.
    Idle,
}

impl Lane {
    /// A lane that goes on at `place`.
    pub(crate) fn resume(
        route: Arc<TriggerRoute>,
        place: Place,
        limits: LaneLimits,
        counters: Counters,
        dispatch: Arc<Dispatch>,
        changes: Changes,
    ) -> Self {
        let lane = Self {
            id: route.trigger.id,
            counters,
            dispatch,
            route: RefCell::new(route),
            limits,
            queue: RefCell::default(),
            due: RefCell::default(),
            behind: Cell::new(Some(place.read)),
            moved: RefCell::new(place.moved.map(Moved::resume)),
            unfinished: RefCell::new(place.unfinished.into_iter().collect()),
            workers: Cell::new(0),
            scanning: Cell::new(false),
            changed: Cell::new(false),
            changes,
            touched: Cell::new(false),
            closed: Cell::new(false),
        };
        lane.touch();
        lane
    }

    /// The trigger as it is configured now.
    pub(crate) fn route(&self) -> Arc<TriggerRoute> {
        Arc::clone(&self.route.borrow())
    }

    /// Later attempts use the new settings; the place in the log stays.
    pub(crate) fn reconfigure(&self, route: Arc<TriggerRoute>) {
        *self.route.borrow_mut() = route;
    }

    /// Ends the lane: what is in flight ends, nothing more is handed out.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.queue.borrow_mut().clear();
        self.due.borrow_mut().clear();
        self.behind.set(None);
        *self.moved.borrow_mut() = None;
    }

    /// The trigger is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// A durable record matched this trigger. True for the first one since
    /// [`end_fan_out`](Self::end_fan_out).
    pub(crate) fn push(&self, lsn: Lsn) -> bool {
        self.counters.add(Counter::Matched, 1);
        self.touch();
        if self.behind.get().is_none() {
            let mut queue = self.queue.borrow_mut();
            if queue.len() < self.limits.queue_max {
                queue.push_back(lsn);
            } else {
                self.behind.set(Some(lsn));
            }
        }
        !self.touched.replace(true)
    }

    /// All records of a flush were pushed.
    pub(crate) fn end_fan_out(&self) {
        self.touched.set(false);
    }

    /// A retry is due. A job of a lane that this one has replaced is let go.
    pub(crate) fn push_due(&self, job: Job) {
        if self.unfinished.borrow().contains_key(&job.lsn) {
            self.due.borrow_mut().push_back(job);
        }
    }

    /// Unfinished positions that were found at a restart, with the time when
    /// each is due.
    pub(crate) fn recovered(&self) -> Vec<(Job, u64)> {
        let unfinished = self.unfinished.borrow();
        let retry_max = self.route.borrow().retry_max();
        let mut jobs: Vec<_> = unfinished
            .iter()
            .map(|(lsn, progress)| {
                // The reason of a failure does not survive a restart: an event
                // that was on its way to the dead letter sink is tried once
                // more, which finds the reason again.
                let failed = progress.attempts.min(retry_max);
                (Job { lsn: *lsn, failed, failure: None }, progress.due_ms)
            })
            .collect();
        jobs.sort_unstable_by_key(|(job, _)| job.lsn);
        jobs
    }

    /// Counts a worker in, if one more may run.
    pub(crate) fn admit_worker(&self) -> bool {
        let admitted = self.workers.get() < self.limits.parallelism;
        if admitted {
            self.workers.set(self.workers.get() + 1);
        }
        admitted
    }

    /// Counts a worker out.
    pub(crate) fn worker_ended(&self) {
        self.workers.set(self.workers.get() - 1);
    }

    /// True for the one caller who shall look again later.
    pub(crate) fn begin_scan_pause(&self) -> bool {
        !self.scanning.replace(true)
    }

    /// The pause is over.
    pub(crate) fn end_scan_pause(&self) {
        self.scanning.set(false);
    }

    /// The next event: retries first, then what was moved to the backlog, then
    /// the queue, then the log.
    pub(crate) fn next(&self, log: &CommitLog, backlogs: &Backlogs) -> Next {
        if let Some(job) = self.due.borrow_mut().pop_front() {
            return Next::Job(job);
        }
        if self.unfinished.borrow().len() >= self.limits.pending_max {
            return Next::Idle;
        }
        match self.next_moved(backlogs) {
            Next::Idle => {}
            found => return found,
        }
        if self.queue.borrow().is_empty() && self.behind.get().is_some() {
            self.catch_up(log);
        }
        match self.queue.borrow_mut().pop_front() {
            Some(lsn) => Next::Job(self.hand_out(lsn, None)),
            None if self.behind.get().is_some() => Next::Later,
            None => Next::Idle,
        }
    }

    fn next_moved(&self, backlogs: &Backlogs) -> Next {
        let mut moved = self.moved.borrow_mut();
        let Some(moved) = moved.as_mut().filter(|moved| !moved.is_read()) else { return Next::Idle };
        let Some(backlog) = backlogs.get(self.route.borrow().trigger.broker) else { return Next::Idle };
        let unfinished = |source| self.unfinished.borrow().contains_key(&source);
        match moved.next(&backlog, self.id, self.limits.queue_max, unfinished) {
            Some((source, at)) => Next::Job(self.hand_out(source, Some(at))),
            None if moved.is_read() => Next::Idle,
            None => {
                self.touch();
                Next::Later
            }
        }
    }

    fn hand_out(&self, lsn: Lsn, moved_to: Option<Lsn>) -> Job {
        self.unfinished.borrow_mut().insert(lsn, Progress { moved_to, ..Progress::default() });
        self.touch();
        Job { lsn, failed: 0, failure: None }
    }

    /// Reads a stretch of the log into the queue.
    fn catch_up(&self, log: &CommitLog) {
        let Some(mut at) = self.behind.get() else { return };
        let mut queue = self.queue.borrow_mut();
        for _ in 0..crate::limits::delivery::SCAN_RECORDS {
            if queue.len() == self.limits.queue_max {
                self.behind.set(Some(at));
                return;
            }
            let Some(entry) = log.read(at) else {
                // All that is durable is seen; fan-out goes on from here.
                self.behind.set(None);
                return;
            };
            if entry.kind == crate::envelope::EVENT
                && Envelope::parse(&entry.body).is_ok_and(|e| e.matches().any(|id| id == self.id))
            {
                queue.push_back(entry.lsn);
            }
            at = entry.next;
        }
        self.behind.set(Some(at));
        self.touch();
    }

    /// An attempt failed and another follows at `due_ms`.
    pub(crate) fn waits(&self, job: &Job, due_ms: u64) {
        if let Some(progress) = self.unfinished.borrow_mut().get_mut(&job.lsn) {
            *progress = Progress { attempts: job.failed, due_ms, ..*progress };
        }
        self.touch();
    }

    /// The event needs nothing more from this trigger.
    pub(crate) fn finish(&self, lsn: Lsn) {
        self.unfinished.borrow_mut().remove(&lsn);
        self.touch();
    }

    fn touch(&self) {
        if !self.changed.replace(true) {
            self.changes.borrow_mut().push(self.id);
        }
    }

    /// What changed is seen; the next change is told again.
    pub(crate) fn seen(&self) {
        self.changed.set(false);
    }

    /// Where an unfinished event lies in the backlog, if it was moved there.
    pub(crate) fn moved_to(&self, lsn: Lsn) -> Option<Lsn> {
        self.unfinished.borrow().get(&lsn)?.moved_to
    }

    /// The first position in the shard's log that was not handed out. Everything
    /// below `fanned_out` was offered to the lane.
    fn unread(&self, fanned_out: Lsn) -> Lsn {
        let queued = self.queue.borrow().front().copied();
        queued.or(self.behind.get()).unwrap_or(fanned_out)
    }

    /// Where the lane stands in the shard's log, without the event `finished` if
    /// one is given.
    pub(crate) fn cursor(&self, fanned_out: Lsn, finished: Option<Lsn>) -> Cursor {
        let pending = |lsn: Lsn, progress: &Progress| progress.moved_to.is_none().then_some(lsn);
        Cursor { read: self.unread(fanned_out), pending: self.pending(finished, pending) }
    }

    /// Where it stands in the backlog, if it has anything there.
    pub(crate) fn moved_cursor(&self, finished: Option<Lsn>) -> Option<Cursor> {
        let read = self.moved.borrow().as_ref()?.unread();
        Some(Cursor { read, pending: self.pending(finished, |_, progress| progress.moved_to) })
    }

    /// What is unfinished of those events that `position` has a place for.
    fn pending(
        &self,
        finished: Option<Lsn>,
        position: impl Fn(Lsn, &Progress) -> Option<Lsn>,
    ) -> Vec<Pending> {
        let unfinished = self.unfinished.borrow();
        let others = unfinished.iter().filter(|(lsn, _)| Some(**lsn) != finished);
        let pending = others.filter_map(|(lsn, progress)| {
            let Progress { attempts, due_ms, .. } = *progress;
            Some(Pending { lsn: position(*lsn, progress)?, attempts, due_ms, note: 0 })
        });
        pending.collect()
    }

    /// The lane still needs the event, and from the shard's log.
    pub(crate) fn needs(&self, lsn: Lsn, fanned_out: Lsn) -> bool {
        let unfinished = || self.unfinished.borrow().get(&lsn).is_some_and(|p| p.moved_to.is_none());
        !self.is_closed() && (lsn >= self.unread(fanned_out) || unfinished())
    }

    /// Events of this lane are on their way to the end of its broker's backlog.
    /// True if it had none there before; then the next progress that is stored
    /// says that it has.
    pub(crate) fn expect_moved(&self, backlog_end: Lsn) -> bool {
        self.touch();
        let mut moved = self.moved.borrow_mut();
        let is_newcomer = moved.is_none();
        moved.get_or_insert_with(|| Moved::begin(backlog_end)).expect(backlog_end);
        is_newcomer
    }

    /// They do not arrive.
    pub(crate) fn nothing_moved(&self) {
        if let Some(moved) = &mut *self.moved.borrow_mut() {
            moved.arrive(None);
        }
    }

    /// They have arrived: each source with its place.
    pub(crate) fn moved(&self, events: &[(Lsn, Lsn)], fanned_out: Lsn) {
        self.touch();
        let unread = self.unread(fanned_out);
        if let Some(moved) = &mut *self.moved.borrow_mut() {
            moved.arrive(Some(unread));
        }
        let mut unfinished = self.unfinished.borrow_mut();
        for (source, at) in events {
            if let Some(progress) = unfinished.get_mut(source) {
                progress.moved_to = Some(*at);
            }
        }
    }

    /// Nothing in the shard's log below `end` is needed by this lane any more.
    pub(crate) fn leave(&self, end: Lsn) {
        let mut queue = self.queue.borrow_mut();
        let left = queue.partition_point(|lsn| *lsn < end);
        let was_behind = self.behind.get();
        if left > 0 || was_behind.is_some_and(|behind| behind < end) {
            queue.drain(..left);
            self.behind.set(was_behind.map(|behind| behind.max(end)));
            self.touch();
        }
    }

    /// Forgets the backlog once everything that was there is finished.
    pub(crate) fn retire_moved(&self) {
        let is_read = self.moved.borrow().as_ref().is_some_and(Moved::is_empty);
        if is_read && self.unfinished.borrow().values().all(|progress| progress.moved_to.is_none()) {
            *self.moved.borrow_mut() = None;
        }
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.workers.get()
    }

    /// Events that are handed out or queued and not finished.
    pub(crate) fn outstanding(&self) -> usize {
        self.queue.borrow().len() + self.unfinished.borrow().len()
    }

    /// The oldest position in the shard's log that the lane needs, if any.
    pub(crate) fn oldest(&self) -> Option<Lsn> {
        let unfinished = self.unfinished.borrow();
        let unfinished = unfinished.iter().filter(|(_, progress)| progress.moved_to.is_none());
        let unfinished = unfinished.map(|(lsn, _)| *lsn).min();
        let queued = self.queue.borrow().front().copied().or(self.behind.get());
        unfinished.into_iter().chain(queued).min()
    }
}
