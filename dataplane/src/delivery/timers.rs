//! When retries are due: one ordered set for all lanes of a shard.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use eagre_snapshot::Id;

use super::lane::Job;
use crate::notify::Notify;

/// Jobs that wait for their time.
#[derive(Default)]
pub(crate) struct Timers {
    /// By due time in Unix milliseconds, then by arrival.
    waiting: RefCell<BTreeMap<(u64, u64), (Id, Job)>>,
    arrivals: Cell<u64>,
    earlier: Notify,
}

impl Timers {
    /// Lets `job` wait until `due_ms`.
    pub(crate) fn add(&self, due_ms: u64, lane: Id, job: Job) {
        self.arrivals.set(self.arrivals.get() + 1);
        let key = (due_ms, self.arrivals.get());
        let mut waiting = self.waiting.borrow_mut();
        waiting.insert(key, (lane, job));
        if waiting.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.earlier.notify();
        }
    }

    /// Hands every job to `due` when its time has come, for as long as the
    /// shard runs.
    pub(crate) async fn run(&self, now_ms: impl Fn() -> u64, due: impl Fn(Id, Job)) {
        loop {
            let now = now_ms();
            while let Some((lane, job)) = self.take_due(now) {
                due(lane, job);
            }
            let first = self.waiting.borrow().first_key_value().map(|(key, _)| key.0);
            match first {
                // Short sleeps, so that an earlier arrival or a stepped clock
                // is noticed without a second wake-up path.
                Some(first) => crate::net::sleep(until(first, now)).await,
                None => self.earlier.notified().await,
            }
        }
    }

    fn take_due(&self, now_ms: u64) -> Option<(Id, Job)> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(first.remove())
    }
}

fn until(due_ms: u64, now_ms: u64) -> Duration {
    Duration::from_millis(due_ms.saturating_sub(now_ms)).clamp(Duration::from_millis(1), SLEEP_MAX)
}

/// The longest sleep while something waits, and so the largest error of a
/// retry that is scheduled before the one that is slept for.
const SLEEP_MAX: Duration = Duration::from_millis(10);
