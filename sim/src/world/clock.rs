//! Time: one monotonic clock that stands still while anything is left to do, and
//! a calendar that may step.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::lock;

/// Since the machine's start.
pub(crate) type Nanos = u64;
pub(crate) const MICROSECOND: Nanos = 1000;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// When the calendar begins: some day.
const EPOCH_MS: i64 = 1_800_000_000_000;

pub(crate) struct Clock {
    /// What the machine's start is called by those who want an `Instant`.
    base: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Nanos,
    /// How far the calendar was set.
    step_ms: i64,
    arrivals: u64,
    timers: BTreeMap<(Nanos, u64), Waker>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { base: Instant::now(), state: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Nanos {
        lock(&self.state).now
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + Duration::from_nanos(self.now())
    }

    /// What an instant is called here.
    pub(crate) fn nanos(&self, at: Instant) -> Nanos {
        at.saturating_duration_since(self.base).as_nanos().try_into().unwrap_or(Nanos::MAX)
    }

    pub(crate) fn calendar(&self) -> SystemTime {
        let state = lock(&self.state);
        let ms = EPOCH_MS + state.step_ms + (state.now / MILLISECOND) as i64;
        UNIX_EPOCH + Duration::from_millis(ms as u64)
    }

    /// Sets the calendar.
    pub(crate) fn step(&self, by_ms: i64) {
        lock(&self.state).step_ms += by_ms;
    }

    /// Some time passes in which nothing happens.
    pub(crate) fn pass(&self, duration: Nanos) {
        lock(&self.state).now += duration;
    }

    pub(crate) fn sleep_until(self: &Arc<Self>, at: Nanos) -> Sleep {
        Sleep { clock: Arc::clone(self), at, key: None }
    }

    /// Wakes somebody later, for good.
    pub(crate) fn wake_at(&self, at: Nanos, waker: Waker) -> (Nanos, u64) {
        let mut state = lock(&self.state);
        state.arrivals += 1;
        let key = (at, state.arrivals);
        state.timers.insert(key, waker);
        key
    }

    /// Does not.
    pub(crate) fn forget(&self, key: (Nanos, u64)) {
        let forgotten = lock(&self.state).timers.remove(&key);
        drop(forgotten);
    }

    /// Wakes whoever is due.
    pub(crate) fn wake_due(&self) {
        loop {
            let mut state = lock(&self.state);
            let now = state.now;
            let Some(first) = state.timers.first_entry().filter(|first| first.key().0 <= now) else { return };
            let waker = first.remove();
            drop(state);
            waker.wake();
        }
    }

    /// Goes on to the next time at which somebody is due; false if nobody ever is.
    pub(crate) fn advance(&self) -> bool {
        let mut state = lock(&self.state);
        let Some(((at, _), _)) = state.timers.first_key_value() else { return false };
        state.now = state.now.max(*at);
        true
    }
}

/// Resolves at a time.
pub(crate) struct Sleep {
    clock: Arc<Clock>,
    at: Nanos,
    key: Option<(Nanos, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(key) = self.key.take() {
            self.clock.forget(key);
        }
        if self.clock.now() >= self.at {
            return Poll::Ready(());
        }
        self.key = Some(self.clock.wake_at(self.at, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.forget(key);
        }
    }
}
