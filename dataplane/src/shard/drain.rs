//! The end of a shard's work.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use super::Shard;
use crate::runtime::time;

impl Shard {
    /// Ends the shard's work: answers what was begun, delivers nothing new, and
    /// puts on the disk what is called safe, whatever durability it asked for.
    /// True if all of that was done before `deadline`.
    pub(super) async fn drain(self: Rc<Self>, deadline: Instant) -> bool {
        self.ingress.drain();
        self.dispatcher.drain();
        let in_time = loop {
            if self.ingress.busy() == 0 && self.dispatcher.in_flight() == 0 {
                break true;
            }
            if time::now() >= deadline {
                break false;
            }
            time::sleep(DRAIN_POLL).await;
        };
        self.store_progress(true);
        self.store.settle().await;
        in_time
    }
}

const DRAIN_POLL: Duration = Duration::from_millis(5);
