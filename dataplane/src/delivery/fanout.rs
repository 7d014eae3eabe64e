//! Fan-out: a durable event goes to the lane of every trigger it matched.

use std::{ops::ControlFlow, rc::Rc};

use super::{Dispatcher, lane::Lane};
use crate::{runtime::task, store::Budget};

impl Dispatcher {
    /// Offers every durable event to its lanes, for as long as the shard runs.
    pub(super) async fn run_fan_out(self: Rc<Self>) {
        loop {
            while !self.fan_out() {
                task::next_turn().await;
            }
            self.room.store.advanced().await;
        }
    }

    /// Offers a turn's worth of events. True if no durable one is left.
    fn fan_out(&self) -> bool {
        let mut touched: Vec<Rc<Lane>> = Vec::new();
        let (store, from) = (&self.room.store, self.room.fanned_out.get());
        let scanned = store.scan(from, store.durable(), &mut Budget::turn(), |event| {
            let lanes = self.lanes.borrow();
            for lane in event.matches().filter_map(|id| lanes.get(&id)) {
                if lane.push(event.offset) {
                    touched.push(Rc::clone(lane));
                }
            }
            ControlFlow::Continue(())
        });
        self.room.fanned_out.set(scanned.next);
        // Only now: a lane that reads the log itself must not overtake the loop
        // above.
        for lane in touched {
            lane.end_fan_out();
            lane.wake();
        }
        scanned.at_end
    }
}
