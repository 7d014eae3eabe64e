//! Fan-out: a durable event goes to the lane of every trigger it matched.

use std::{rc::Rc, time::Duration};

use crate::{
    delivery::{lane::Lane, worker},
    envelope::{EVENT, Envelope},
    shard::Shard,
};

impl Shard {
    /// Offers every event of a flush to the lanes it matched.
    pub(crate) fn fan_out(self: &Rc<Self>, flush_took: Duration) {
        let mut touched: Vec<Rc<Lane>> = Vec::new();
        let begin = self.fanned_out.get();
        let (mut at, mut events) = (begin, 0);
        while let Some(entry) = self.log.read(at) {
            at = entry.next;
            if entry.kind != EVENT {
                continue;
            }
            events += 1;
            let Ok(envelope) = Envelope::parse(&entry.body) else { continue };
            let lanes = self.lanes.borrow();
            for lane in envelope.matches().filter_map(|id| lanes.get(&id)) {
                if lane.push(entry.lsn) {
                    touched.push(Rc::clone(lane));
                }
            }
        }
        let end = at.max(self.log.durable());
        self.fanned_out.set(end);
        self.metrics.flushed(events, end.0 - begin.0, flush_took);
        // Only now: a lane that reads the log itself must not overtake the loop
        // above.
        for lane in touched {
            lane.end_fan_out();
            worker::kick(self, &lane);
        }
    }
}
