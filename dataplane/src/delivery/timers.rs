//! When attempts are due: one ordered set for all lanes of a shard. By the
//! monotonic clock, so that nobody waits longer or shorter when the calendar is
//! set.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    time::Instant,
};

use super::{attempts::Job, lane::Lane};
use crate::runtime::{notify::Notify, time};

/// By due time, then by arrival.
type Turn = (Instant, u64);
/// A lane that is gone wants nothing back.
type Waiting = (Weak<Lane>, Job);

/// Jobs that wait for their time.
#[derive(Default)]
pub(super) struct Timers {
    waiting: RefCell<BTreeMap<Turn, Waiting>>,
    arrivals: Cell<u64>,
    earlier: Notify,
}

impl Timers {
    /// Lets `job` wait until `due`; then it goes back to its lane.
    pub(super) fn add(&self, due: Instant, lane: &Rc<Lane>, job: Job) {
        self.arrivals.set(self.arrivals.get() + 1);
        let key = (due, self.arrivals.get());
        let mut waiting = self.waiting.borrow_mut();
        waiting.insert(key, (Rc::downgrade(lane), job));
        if waiting.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.earlier.notify();
        }
    }

    /// Hands back what is due, for as long as the shard runs.
    pub(super) async fn run(&self) {
        loop {
            let now = time::now();
            while let Some((lane, job)) = self.take_due(now) {
                if let Some(lane) = lane.upgrade() {
                    lane.push_due(job);
                }
            }
            let first = self.waiting.borrow().first_key_value().map(|((due, _), _)| *due);
            match first {
                Some(due) => time::sleep_until_or(due, &self.earlier).await,
                None => self.earlier.notified().await,
            }
        }
    }

    fn take_due(&self, now: Instant) -> Option<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }
}
