//! Putting a configuration in force: between two loop turns, in every room, so
//! that every event is judged by exactly one configuration.

use std::{rc::Rc, sync::Arc};

use eagre_snapshot::{Counters, Generation};

use super::Shard;
use crate::{
    config::table::{Table, TriggerRoute},
    runtime::{exit, time},
};

impl Shard {
    /// Puts a new configuration in force: from the next request on, and for
    /// every attempt that begins later.
    pub(super) fn apply(self: &Rc<Self>, table: Arc<Table>) {
        let begun = time::now();
        let is_first = self.routes.table().generation == Generation::NONE;
        let generation = table.generation;
        self.dispatcher.apply(&table, |route| self.counters(route));
        // Where there is no grace, at once.
        self.close_expired();
        self.ingress.apply(&table);
        self.routes.replace(table);
        self.metrics.applied(generation.number);
        self.store.store_new();
        if is_first {
            self.in_force.add();
        }
        self.stats.borrow().applied(generation);
        let micros = (time::now() - begun).as_micros() as u64;
        tracing::debug!(generation = generation.number, micros, "configuration applied");
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
}
