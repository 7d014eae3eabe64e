//! A worker: one event of its lane after another.

use std::rc::Rc;

use super::{
    attempts::{Delivery, Job},
    backoff,
    lane::{Lane, Next},
};
use crate::{runtime::time, store::Pending};

/// Delivers `job` and what follows, until there is nothing to do.
pub(super) async fn run(lane: Rc<Lane>, mut job: Job) {
    loop {
        if let Some(delivery) = Delivery::begin(&lane, job) {
            delivery.run().await;
        }
        if lane.room.is_draining() {
            break;
        }
        match lane.next() {
            Next::Job(next) => job = next,
            nothing => {
                lane.look_again(&nothing);
                break;
            }
        }
    }
    lane.worker_ended();
}

/// What a restart found unfinished waits for its time.
pub(super) fn resume(lane: &Rc<Lane>, pending: &[Pending]) {
    let route = lane.route();
    let longest = backoff::longest(&route.trigger.delivery, lane.room.settings.retry_after_max);
    let (now, now_ms) = (time::now(), time::unix_ms());
    let mut pending = pending.to_vec();
    pending.sort_unstable_by_key(|pending| pending.location.offset);
    for pending in pending {
        let due = now + backoff::left(pending.due_ms, now_ms, longest);
        lane.room.timers.add(due, lane, Job::resume(&pending, &route));
    }
}
