//! One trigger on one shard: what it still has to deliver, and in which state.
//!
//! ```text
//! fan-out ► queue ► window ► finished
//!             ▲       │ ▲
//!             │       ▼ │ (due)
//!     log (catch-up)  timers
//!             ▲
//!     backlogs (first)
//! ```
//! A lane that keeps up is fed positions as they become durable. When its queue
//! is full it remembers where it fell behind and reads the log from there at
//! its own pace, so that memory is bounded whatever the backlog and a stuck
//! subscriber slows nobody else. What it has left in segments that have to go is
//! moved to the backlog of the events' broker, and comes before the rest of the
//! log.
//!
//! Owns the positions that are handed out and not finished; what is in the log
//! is never copied to memory.

mod control;
mod moved;
mod queue;
mod window;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, Range},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use eagre_snapshot::{Counter, Counters, Id};

use self::{control::Control, moved::Moved, queue::Queue, window::Window};
use super::{attempts::Job, room::Room, worker};
use crate::{
    canary::{Canary, planted},
    config::table::TriggerRoute,
    metrics::Dispatch,
    runtime::{task, time},
    store::{BacklogPosition, Budget, Location, Offset, Pending, Progress, Resumption, StoredEvent},
};

/// A trigger's deliveries on this shard.
pub(crate) struct Lane {
    pub(super) id: Id,
    pub(super) room: Rc<Room>,
    pub(super) counters: RefCell<Counters>,
    /// Durations of the attempts.
    pub(super) dispatch: RefCell<Arc<Dispatch>>,
    route: RefCell<Arc<TriggerRoute>>,
    control: Control,
    queue: RefCell<Queue>,
    /// What was moved, by the broker whose backlog it is in: more than one where
    /// the trigger has changed its broker.
    moved: RefCell<BTreeMap<Id, Moved>>,
    window: RefCell<Window>,
    /// Events that it is owed, as far as they are counted.
    owed: Cell<i64>,
    /// What a restart found, and nobody has counted yet.
    uncounted: RefCell<Option<Uncounted>>,
    changed: Cell<bool>,
    /// Has events of the present fan-out.
    touched: Cell<bool>,
}

/// What a lane has for a worker.
pub(super) enum Next {
    /// An event to deliver.
    Job(Job),
    /// Nothing in this stretch of the log; look again soon.
    Later,
    /// Nothing to do until something happens.
    Idle,
}

impl Lane {
    /// A lane that goes on where it was.
    pub(super) fn resume(
        room: &Rc<Room>,
        route: Arc<TriggerRoute>,
        from: &Resumption,
        counters: Counters,
        dispatch: Arc<Dispatch>,
    ) -> Rc<Self> {
        let moved = from.backlogs.iter().map(|read| (read.broker(), Moved::resume(*read, &from.pending)));
        let lane = Rc::new(Self {
            id: route.trigger.id,
            room: Rc::clone(room),
            counters: RefCell::new(counters),
            dispatch: RefCell::new(dispatch),
            route: RefCell::new(route),
            control: Control::new(room.limits.parallelism),
            queue: RefCell::new(Queue::behind(from.read, room.limits.queue_max)),
            moved: RefCell::new(moved.collect()),
            window: RefCell::new(Window::resume(&from.pending, room.limits.pending_max)),
            owed: Cell::new(from.pending.len() as i64),
            uncounted: RefCell::new(Uncounted::of(room, from)),
            changed: Cell::new(false),
            touched: Cell::new(false),
        });
        lane.touch();
        lane
    }

    /// The trigger as it is configured now.
    pub(super) fn route(&self) -> Arc<TriggerRoute> {
        Arc::clone(&self.route.borrow())
    }

    /// Later attempts use the new settings; the place in the log stays.
    pub(super) fn reconfigure(&self, route: Arc<TriggerRoute>, counters: Counters, dispatch: Arc<Dispatch>) {
        self.route.replace(route);
        let before = self.counters.replace(counters);
        if !planted(Canary::TwoSlots) {
            self.counters.borrow().continue_from(&before);
        }
        self.dispatch.replace(dispatch);
        self.control.activate();
        self.touch();
    }

    /// The trigger is not in the configuration: what is in flight ends, nothing
    /// more is handed out, and everything stays.
    pub(super) fn park(&self) {
        self.control.park();
    }

    /// The trigger is gone for good: what is in flight ends, and nothing is kept.
    pub(super) fn close(&self) {
        self.control.close();
        self.queue.borrow_mut().clear();
        self.moved.borrow_mut().clear();
        self.window.borrow_mut().clear();
    }

    /// The trigger is gone for good.
    pub(super) fn is_closed(&self) -> bool {
        self.control.is_closed()
    }

    /// Counts for the trigger.
    pub(super) fn add(&self, counter: Counter, n: u64) {
        self.counters.borrow().add(counter, n);
    }

    // === What comes in ===

    /// A durable event is for this trigger. True for the first one since
    /// [`end_fan_out`](Self::end_fan_out).
    pub(super) fn push(&self, offset: Offset) -> bool {
        self.add(Counter::Matched, 1);
        self.owes_more(1);
        self.touch();
        self.queue.borrow_mut().push(offset);
        !self.touched.replace(true)
    }

    /// All events of a stretch were pushed.
    pub(super) fn end_fan_out(&self) {
        self.touched.set(false);
    }

    /// An attempt is due.
    pub(super) fn push_due(self: &Rc<Self>, job: Job) {
        self.window.borrow_mut().push_due(job);
        self.wake();
    }

    // === What goes out ===

    /// Starts as many workers as there are events for and the parallelism allows.
    pub(super) fn wake(self: &Rc<Self>) {
        while !self.room.is_draining() && self.control.admit_worker() {
            match self.next() {
                Next::Job(job) => task::spawn(worker::run(Rc::clone(self), job)),
                nothing => {
                    self.control.worker_ended();
                    return self.look_again(&nothing);
                }
            }
        }
    }

    /// A worker has nothing more to do.
    pub(super) fn worker_ended(&self) {
        self.control.worker_ended();
    }

    /// After a stretch of the log without an event, the others come first.
    pub(super) fn look_again(self: &Rc<Self>, nothing: &Next) {
        if matches!(nothing, Next::Later) && self.control.begin_looking() {
            let lane = Rc::clone(self);
            task::spawn(async move {
                time::sleep(STRETCH_PAUSE).await;
                lane.control.end_looking();
                lane.wake();
            });
        }
    }

    /// The next event: what is due first, then what was moved, then the queue,
    /// then the log.
    pub(super) fn next(&self) -> Next {
        if !self.control.may_hand_out() {
            return Next::Idle;
        }
        if let Some(job) = self.window.borrow_mut().pop_due() {
            return Next::Job(job);
        }
        if self.window.borrow().is_full() {
            return Next::Idle;
        }
        match self.next_moved() {
            Next::Idle => {}
            found => return found,
        }
        self.catch_up();
        let next = self.queue.borrow_mut().pop();
        match next {
            Some(offset) => Next::Job(self.hand_out(Location { offset, moved: None })),
            None if self.queue.borrow().is_behind() => Next::Later,
            None => Next::Idle,
        }
    }

    fn next_moved(&self) -> Next {
        let mut moved = self.moved.borrow_mut();
        let Some(moved) = moved.values_mut().find(|moved| !moved.is_read()) else { return Next::Idle };
        let Some(location) = moved.next(&self.room.store, self.id, self.room.limits.queue_max) else {
            self.touch();
            return Next::Later;
        };
        Next::Job(self.hand_out(location))
    }

    fn hand_out(&self, location: Location) -> Job {
        self.touch();
        self.window.borrow_mut().hand_out(location)
    }

    /// Reads a stretch of the log into the queue, if it is empty and behind.
    fn catch_up(&self) {
        let mut queue = self.queue.borrow_mut();
        let Some(from) = queue.wants() else { return };
        let (store, to) = (&self.room.store, self.room.fanned_out.get());
        let scanned = store.scan(from, to, &mut Budget::turn(), |event| {
            let is_ours = event.is_for(self.id) && !store.is_moved(&event);
            if is_ours && !queue.try_push(event.offset) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        // All that was fanned out is seen: fan-out goes on from there.
        queue.has_read((!scanned.at_end).then_some(scanned.next));
        self.touch();
    }

    /// Where an event lies that was handed out; `None` if the lane was closed.
    pub(super) fn location(&self, offset: Offset) -> Option<Location> {
        self.window.borrow().location(offset)
    }

    /// An attempt failed and another follows after `wait`.
    pub(super) fn wait(self: &Rc<Self>, job: Job, wait: Duration) {
        let due_ms = time::unix_ms() + wait.as_millis() as u64;
        self.window.borrow_mut().note(&job, due_ms);
        self.touch();
        self.room.timers.add(time::now() + wait, self, job);
    }

    /// The event begins another stage.
    pub(super) fn note(&self, job: &Job) {
        self.window.borrow_mut().note(job, time::unix_ms());
        self.touch();
    }

    /// The event needs nothing more from this trigger.
    pub(super) fn finish(&self, offset: Offset) {
        if self.window.borrow_mut().finish(offset) {
            self.owes_more(-1);
        }
        self.touch();
    }

    // === How far it is ===

    fn touch(&self) {
        if !self.changed.get() {
            self.room.changed.borrow_mut().push(self.id);
            self.changed.set(true);
        }
    }

    /// What changed is seen; the next change is told again.
    pub(super) fn seen(&self) {
        self.changed.set(false);
    }

    /// The first position in the shard's log that was not handed out. Everything
    /// below what was fanned out was offered to the lane.
    pub(super) fn unread(&self) -> Offset {
        self.queue.borrow().unread(self.room.fanned_out.get())
    }

    /// How far it has come since it was recorded last, and with the event
    /// `finished` done if one is given. What `record` takes in is recorded.
    pub(super) fn record<T, E>(
        &self,
        finished: Option<Offset>,
        record: impl FnOnce(&Progress) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut changes = self.window.borrow_mut().changes(finished);
        let progress = Progress {
            read: self.unread(),
            backlogs: self.moved.borrow().values().map(Moved::unread).collect(),
            changed: std::mem::take(&mut changes.changed),
            finished: std::mem::take(&mut changes.finished),
        };
        let recorded = record(&progress)?;
        self.window.borrow_mut().recorded(&progress.changed);
        if finished.is_some_and(|offset| self.window.borrow_mut().finish_recorded(offset)) {
            self.owes_more(-1);
        }
        Ok(recorded)
    }

    /// What a restart found unfinished goes on when it is due.
    pub(super) fn resume_pending(self: &Rc<Self>, pending: &[Pending]) {
        worker::resume(self, pending);
    }

    /// The oldest position in the shard's log that the lane needs, if any.
    pub(super) fn oldest(&self) -> Option<Offset> {
        let unfinished = self.window.borrow().oldest();
        unfinished.into_iter().chain(self.queue.borrow().first()).min()
    }

    /// Where the oldest lies of what was moved, if anything was.
    pub(super) fn oldest_moved(&self) -> Option<BacklogPosition> {
        let moved = self.moved.borrow();
        let (_, moved) = moved.first_key_value()?;
        let unread = moved.unread();
        Some(self.window.borrow().oldest_in(unread).map_or(unread, |oldest| oldest.min(unread)))
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.control.workers()
    }

    /// Events that it is owed: matched and not finished. After a restart it grows
    /// until all are counted.
    pub(super) fn owed(&self) -> u64 {
        (self.owed.get().max(0) as u64).max(self.in_memory() as u64)
    }

    /// Events of which something is in memory.
    pub(super) fn in_memory(&self) -> usize {
        let moved: usize = self.moved.borrow().values().map(Moved::queued).sum();
        moved + self.queue.borrow().len() + self.window.borrow().len()
    }

    /// So many more, or fewer.
    fn owes_more(&self, events: i64) {
        self.owed.set(self.owed.get() + events);
    }

    /// The part of the log that is to be counted for it.
    pub(super) fn uncounted(&self) -> Option<Range<Offset>> {
        self.uncounted.borrow().as_ref().map(|uncounted| uncounted.log.clone())
    }

    /// The same of backlogs.
    pub(super) fn uncounted_backlogs(&self) -> Vec<(BacklogPosition, BacklogPosition)> {
        self.uncounted.borrow().as_ref().map(|uncounted| uncounted.backlogs.clone()).unwrap_or_default()
    }

    /// An event of the log that is for it.
    pub(super) fn count(&self, offset: Offset) {
        if self.uncounted().is_some_and(|range| range.contains(&offset)) {
            self.owes_more(1);
        }
    }

    /// An event of a backlog.
    pub(super) fn count_moved(&self, event: &StoredEvent) {
        let is_counted =
            self.uncounted.borrow().as_ref().is_none_or(|known| known.handed_out.contains(&event.offset));
        if !is_counted && event.is_for(self.id) {
            self.owes_more(1);
        }
    }

    /// All of it was counted.
    pub(super) fn counted(&self) {
        self.uncounted.replace(None);
        self.touch();
    }

    // === What is moved to a backlog ===

    /// The lane still needs the event, and from the shard's log.
    pub(super) fn needs(&self, offset: Offset) -> bool {
        let in_log = |location: Location| location.moved.is_none();
        !self.is_closed() && (offset >= self.unread() || self.location(offset).is_some_and(in_log))
    }

    /// Events of this lane are on their way to `end` of a backlog. True if it had
    /// none there before; then the next progress that is stored says that it has.
    pub(super) fn expect_moved(&self, end: BacklogPosition) -> bool {
        self.touch();
        let mut moved = self.moved.borrow_mut();
        let is_newcomer = !moved.contains_key(&end.broker());
        moved.entry(end.broker()).or_insert_with(|| Moved::begin(end)).expect(end);
        is_newcomer
    }

    /// They have arrived, each with its place; or they do not arrive.
    pub(super) fn moved(self: &Rc<Self>, broker: Id, events: Option<&[(Offset, BacklogPosition)]>) {
        self.touch();
        let unread = self.unread();
        if let Some(moved) = self.moved.borrow_mut().get_mut(&broker) {
            match events {
                Some(events) => moved.arrive(events, unread),
                None => moved.stay(),
            }
        }
        self.queue.borrow_mut().hand_over(events.unwrap_or_default());
        self.window.borrow_mut().moved(events.unwrap_or_default());
        self.wake();
    }

    /// Nothing in the shard's log below `end` is needed by this lane any more.
    pub(super) fn leave(&self, end: Offset) {
        if self.queue.borrow_mut().leave(end) {
            self.touch();
        }
    }

    /// Forgets the backlogs of which everything is finished.
    pub(super) fn retire_moved(&self) {
        let window = self.window.borrow();
        let is_finished = |moved: &Moved| moved.is_empty() && window.oldest_in(moved.unread()).is_none();
        self.moved.borrow_mut().retain(|_, moved| !is_finished(moved));
    }
}

/// What lies behind a lane that goes on after a restart.
struct Uncounted {
    log: Range<Offset>,
    backlogs: Vec<(BacklogPosition, BacklogPosition)>,
    /// Events that lie there and are counted: they were handed out before they
    /// were moved.
    handed_out: BTreeSet<Offset>,
}

impl Uncounted {
    fn of(room: &Room, from: &Resumption) -> Option<Self> {
        let store = &room.store;
        let end = |at: &BacklogPosition| store.durable_in(at.broker()).filter(|end| at < end);
        let backlogs: Vec<_> = from.backlogs.iter().filter_map(|at| Some((*at, end(at)?))).collect();
        let log = from.read..room.fanned_out.get();
        let handed_out = from.pending.iter().map(|pending| pending.location.offset).collect();
        (!log.is_empty() || !backlogs.is_empty()).then_some(Self { log, backlogs, handed_out })
    }
}

/// How long a lane that reads the log lets the others go before.
const STRETCH_PAUSE: Duration = Duration::from_millis(1);
