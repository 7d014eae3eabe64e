//! The lanes of a shard: opened, changed and closed with the configuration, and
//! asked together how far they are.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use eagre_snapshot::{Counter, Counters, Id};

use super::{lane::Lane, room::Room};
use crate::{
    canary::{Canary, planted},
    config::table::{Table, TriggerRoute},
    runtime::{map::Map, notify::Notify, task, time},
    store::Offset,
};

/// The lanes of a shard.
pub(crate) struct Dispatcher {
    pub(super) room: Rc<Room>,
    pub(super) lanes: RefCell<Map<Id, Rc<Lane>>>,
    /// Triggers that have vanished from the configuration, and until when what
    /// they are owed is kept. Not all of them have a lane: a restart knows only
    /// their progress.
    parked: RefCell<Map<Id, Instant>>,
    /// There are lanes that a restart found, and whose events nobody has counted.
    pub(super) uncounted: Notify,
}

/// What is told of a lane that changed.
pub(crate) struct LaneView {
    pub(crate) trigger: Id,
    pub(crate) counters: Counters,
    pub(crate) in_flight: u64,
    pub(crate) in_memory: u64,
    pub(crate) owed: u64,
    /// The oldest event that is not finished, and when it was accepted, Unix
    /// milliseconds.
    pub(crate) oldest: Option<(Offset, u64)>,
    pub(crate) low_mark: Offset,
}

impl Dispatcher {
    /// Without lanes.
    pub(crate) fn new(room: Room) -> Rc<Self> {
        Rc::new(Self {
            room: Rc::new(room),
            lanes: RefCell::default(),
            parked: RefCell::default(),
            uncounted: Notify::default(),
        })
    }

    /// Begins to deliver.
    pub(crate) fn start(self: &Rc<Self>) {
        task::spawn(Rc::clone(self).run_fan_out());
        task::spawn(Rc::clone(self).run_cleaning());
        task::spawn(Rc::clone(self).run_recount());
        let room = Rc::clone(&self.room);
        task::spawn(async move { room.timers.run().await });
    }

    /// Puts a configuration in force. `counters` are claimed for each trigger that
    /// is in it.
    pub(crate) fn apply(&self, table: &Table, mut counters: impl FnMut(&TriggerRoute) -> Counters) {
        for (id, route) in &table.triggers {
            self.parked.borrow_mut().remove(id);
            let (namespace, name) = (&route.trigger.namespace, &route.trigger.name);
            let dispatch = self.room.metrics.trigger(namespace, name, route.broker_name());
            let (route, counters) = (Arc::clone(route), counters(route));
            let known = self.lanes.borrow().get(id).cloned();
            match known {
                Some(lane) => {
                    lane.reconfigure(route, counters, dispatch);
                    lane.wake();
                }
                None => {
                    let from = self.room.store.register(*id);
                    let lane = Lane::resume(&self.room, route, &from, counters, dispatch);
                    self.lanes.borrow_mut().insert(*id, Rc::clone(&lane));
                    lane.resume_pending(&from.pending);
                    lane.wake();
                }
            }
        }
        self.uncounted.notify();
        self.park_others(table);
    }

    /// What vanishes from the configuration may be back in a moment: a folder that
    /// is rewritten, a typo. What it is owed is kept for the time of grace.
    fn park_others(&self, table: &Table) {
        let grace = if planted(Canary::AbsenceForgets) { Duration::ZERO } else { table.grace };
        let until = time::now() + grace;
        let without_lane = self.room.store.unregistered();
        let lanes = self.lanes.borrow();
        let mut parked = self.parked.borrow_mut();
        for id in lanes.keys().chain(&without_lane).filter(|id| !table.triggers.contains_key(id)) {
            if let Some(lane) = lanes.get(id) {
                lane.park();
            }
            parked.entry(*id).or_insert_with(|| {
                tracing::info!(trigger = %id, grace = ?table.grace, "a trigger has vanished from the configuration");
                until
            });
        }
    }

    /// Gives up what triggers are owed whose time of grace is over.
    pub(crate) fn close_expired(&self, mut gone: impl FnMut(Id)) {
        if self.parked.borrow().is_empty() {
            return;
        }
        let now = time::now();
        let expired: Vec<Id> =
            self.parked.borrow().iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for id in expired {
            self.parked.borrow_mut().remove(&id);
            let lane = self.lanes.borrow_mut().remove(&id);
            let owed = lane.as_ref().map_or(0, |lane| lane.owed());
            if let Some(lane) = lane {
                lane.close();
                lane.counters.borrow().release();
            }
            gone(id);
            self.room.store.forget(id);
            self.room.metrics.gave_up(owed);
            tracing::warn!(trigger = %id, at_least = owed, "a trigger is gone for good, and with it what it was owed");
        }
    }

    /// Records the progress of the lanes that changed, or of all, and shows each
    /// that changed.
    pub(crate) fn record(&self, of_all: bool, mut show: impl FnMut(LaneView)) {
        let changed = std::mem::take(&mut *self.room.changed.borrow_mut());
        let lanes = self.lanes.borrow();
        if of_all {
            lanes.values().for_each(|lane| self.record_lane(lane));
            self.room.store.recorded_all();
        }
        for lane in changed.iter().filter_map(|id| lanes.get(id)) {
            lane.seen();
            if !of_all {
                self.record_lane(lane);
            }
            show(self.view(lane));
        }
    }

    fn record_lane(&self, lane: &Lane) {
        lane.retire_moved();
        // A lane that is open is registered.
        let recorded = lane.record(None, |progress| self.room.store.record(lane.id, progress));
        debug_assert!(recorded.is_ok(), "lane {} has lost its place", lane.id);
    }

    /// Every event below is finished for every lane, or moved.
    pub(crate) fn low_mark(&self) -> Offset {
        let lanes = self.lanes.borrow();
        lanes.values().filter_map(|lane| lane.oldest()).min().unwrap_or(self.room.fanned_out.get())
    }

    /// Every lane has handed out, or left to a backlog, what lies below in the shard's
    /// log.
    pub(crate) fn read_mark(&self) -> Offset {
        let lanes = self.lanes.borrow();
        lanes.values().map(|lane| lane.unread()).min().unwrap_or(self.room.fanned_out.get())
    }

    /// Attempts in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.lanes.borrow().values().map(|lane| lane.in_flight()).sum()
    }

    /// Nothing new is delivered.
    pub(crate) fn drain(&self) {
        self.room.draining.set(true);
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn reap(&self) {
        self.room.pool.reap();
    }

    fn view(&self, lane: &Lane) -> LaneView {
        let store = &self.room.store;
        let moved = lane.oldest_moved().and_then(|at| store.first_of_backlog(at));
        let in_log = || lane.oldest().and_then(|oldest| Some((oldest, store.accepted_ms(oldest)?)));
        let oldest = moved.or_else(in_log);
        LaneView {
            trigger: lane.id,
            counters: lane.counters.borrow().clone(),
            in_flight: lane.in_flight() as u64,
            in_memory: lane.in_memory() as u64,
            owed: lane.owed(),
            oldest,
            low_mark: oldest.map_or(self.room.fanned_out.get(), |(offset, _)| offset),
        }
    }
}

impl LaneView {
    /// Sets the gauges.
    pub(crate) fn publish(&self) {
        self.counters.set(Counter::InFlight, self.in_flight);
        self.counters.set(Counter::InMemory, self.in_memory);
        self.counters.set(Counter::LagEvents, self.owed);
        self.counters.set(Counter::LagSinceMs, self.oldest.map_or(0, |(_, accepted_ms)| accepted_ms));
    }
}
