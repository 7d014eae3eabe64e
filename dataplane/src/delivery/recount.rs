//! What a trigger is owed, after a restart: counted in the logs, once, beside
//! everything else.
//!
//! While a shard runs each lane counts what it is owed as that comes and goes.
//! A restart knows where the lane is, and not how much lies behind it.

use std::{ops::ControlFlow, rc::Rc};

use super::{Dispatcher, lane::Lane};
use crate::{runtime::task, store::Budget};

impl Dispatcher {
    /// Counts for every lane that is not counted, a turn's worth at a time.
    pub(super) async fn run_recount(self: Rc<Self>) {
        loop {
            self.uncounted.notified().await;
            let lanes: Vec<_> =
                self.lanes.borrow().values().filter(|lane| lane.uncounted().is_some()).cloned().collect();
            self.count_log(&lanes).await;
            for lane in &lanes {
                self.count_backlogs(lane).await;
                lane.counted();
            }
        }
    }

    /// One walk over the log for all of them.
    async fn count_log(&self, lanes: &[Rc<Lane>]) {
        let ranges = || lanes.iter().filter_map(|lane| lane.uncounted());
        let begin = ranges().map(|range| range.start).min();
        let end = ranges().map(|range| range.end).max();
        let (Some(mut at), Some(end)) = (begin, end) else { return };
        while at < end {
            let store = &self.room.store;
            let scanned = store.survey(at, end, &mut Budget::turn(), |event| {
                if !store.is_moved(&event) {
                    let open = self.lanes.borrow();
                    event.matches().filter_map(|id| open.get(&id)).for_each(|lane| lane.count(event.offset));
                }
            });
            at = scanned.next;
            task::next_turn().await;
        }
    }

    async fn count_backlogs(&self, lane: &Lane) {
        for (mut at, end) in lane.uncounted_backlogs() {
            while at < end {
                let scanned = self.room.store.scan_backlog(at, end, &mut Budget::turn(), |event, _| {
                    lane.count_moved(&event);
                    ControlFlow::Continue(())
                });
                at = scanned.next;
                task::next_turn().await;
            }
        }
    }
}
