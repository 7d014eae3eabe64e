//! Putting a configuration in force on a shard: lanes open, change and close.
//!
//! Between two loop turns, so that every event is judged by exactly one
//! configuration. A lane keeps its place in the log for as long as its trigger
//! exists.

use std::{
    rc::Rc,
    sync::{Arc, PoisonError},
    time::Instant,
};

use eagre_snapshot::{Counters, Id};
use eagre_wal::{Cursor, Lsn};

use crate::{
    backlog,
    delivery::{
        lane::{Lane, LaneLimits, Place, Progress},
        worker,
    },
    exit,
    shard::Shard,
    table::{Table, TriggerRoute},
};

impl Shard {
    /// Puts a new configuration in force: from the next request on, and for
    /// every attempt that begins later.
    pub(crate) fn apply(self: &Rc<Self>, table: Arc<Table>) {
        let begun = Instant::now();
        let gone: Vec<Id> =
            self.lanes.borrow().keys().filter(|id| !table.triggers.contains_key(id)).copied().collect();
        for id in gone {
            if let Some(lane) = self.lanes.borrow_mut().remove(&id) {
                self.stats.borrow_mut().release(lane.route().stats_slot);
                self.low_marks.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                lane.close();
            }
        }
        self.forget_cursors(&table);
        for (id, route) in &table.triggers {
            let known = self.lanes.borrow().get(id).cloned();
            match known {
                Some(lane) => lane.reconfigure(Arc::clone(route)),
                None => self.open_lane(*id, Arc::clone(route)),
            }
        }
        self.brokers.replace(
            table
                .brokers()
                .map(|route| &route.broker)
                .map(|broker| (broker.id, self.metrics.broker(&broker.namespace, &broker.name)))
                .collect(),
        );
        let generation = table.generation;
        self.metrics.applied(generation.number);
        *self.table.borrow_mut() = table;
        // A failure is repaid before the next event is accepted.
        let _ = self.may_accept();
        self.stats.borrow().applied(generation);
        tracing::debug!(
            generation = generation.number,
            micros = begun.elapsed().as_micros() as u64,
            "configuration applied"
        );
    }

    /// A trigger that is gone needs no place in the log; if it comes back, it
    /// starts anew.
    fn forget_cursors(&self, table: &Table) {
        for consumer in self.log.consumers() {
            let is_known = |id| table.triggers.contains_key(&Id(id));
            if !is_known(consumer) && !is_known(backlog::consumer(Id(consumer))) {
                self.log.remove_cursor(consumer);
                self.cursors_owed.set(true);
            }
        }
    }

    fn open_lane(self: &Rc<Self>, id: Id, route: Arc<TriggerRoute>) {
        let place = self.place(id, &route);
        let counters = self.counters(&route);
        let (namespace, name) = (&route.trigger.namespace, &route.trigger.name);
        let dispatch = self.metrics.trigger(namespace, name, route.broker_name());
        let lane = Rc::new(Lane::resume(
            route,
            place,
            self.lane_limits(),
            counters,
            dispatch,
            Rc::clone(&self.changes),
        ));
        for (job, due_ms) in lane.recovered() {
            self.timers.add(due_ms, id, job);
        }
        self.lanes.borrow_mut().insert(id, Rc::clone(&lane));
        worker::kick(self, &lane);
    }

    /// Where a trigger goes on: at the end of the log if it is new.
    fn place(&self, id: Id, route: &TriggerRoute) -> Place {
        let cursor = self.log.cursor(id.0).unwrap_or_else(|| {
            let cursor = Cursor { read: self.log.end(), pending: Vec::new() };
            self.log.update_cursor(id.0, cursor.clone());
            self.cursors_owed.set(true);
            cursor
        });
        let backlog = self.backlogs.get(route.trigger.broker);
        let newcomer = || backlog.as_ref().and_then(|backlog| backlog.cursor(id));
        let moved = self.log.cursor(backlog::consumer(id)).or_else(newcomer);
        // What is below was moved, whether or not the cursor knew it at the end.
        let moved_to = backlog.as_ref().map_or(Lsn::ZERO, |backlog| backlog.moved_to());
        if moved.is_some() && backlog.is_none() {
            let broker = route.trigger.broker;
            tracing::error!(trigger = %id, %broker, "the trigger has events in its broker's backlog, and that is missing, stopping");
            exit::now(exit::DAMAGE)
        }
        let mut unfinished: Vec<_> = cursor.pending.iter().map(|p| (p.lsn, Progress::of(p, None))).collect();
        unfinished.retain(|(lsn, _)| *lsn >= moved_to);
        for pending in moved.iter().flat_map(|cursor| &cursor.pending) {
            let event = backlog.as_ref().and_then(|backlog| backlog.event(pending.lsn));
            let Some(event) = event else {
                tracing::error!(trigger = %id, at = %pending.lsn, "an event is not in its broker's backlog, stopping");
                exit::now(exit::DAMAGE)
            };
            unfinished.push((event.source, Progress::of(pending, Some(pending.lsn))));
        }
        Place { read: cursor.read.max(moved_to), moved: moved.map(|cursor| cursor.read), unfinished }
    }

    fn counters(&self, route: &TriggerRoute) -> Counters {
        match self.stats.borrow_mut().claim(route.stats_slot, route.trigger.id) {
            Ok(counters) => counters,
            Err(error) => {
                tracing::error!("no shared memory for the counters of a trigger: {error}");
                exit::now(exit::OS_ERROR)
            }
        }
    }

    fn lane_limits(&self) -> LaneLimits {
        LaneLimits {
            parallelism: self.config.delivery.parallelism,
            queue_max: self.config.limits.queue_per_trigger,
            pending_max: self.config.limits.pending_per_trigger,
        }
    }
}
