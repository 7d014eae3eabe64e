//! Time. Waits and deadlines go by the monotonic clock ([`now`]); the calendar
//! ([`calendar`], [`unix_ms`]) is for what people and other processes read, and
//! may step in either direction at any moment.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

use super::notify::Notify;

/// The monotonic clock.
pub(crate) fn now() -> Instant {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.now();
    }
    Instant::now()
}

/// The monotonic clock as all processes of the machine read it, in milliseconds.
pub(crate) fn monotonic_ms() -> u64 {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.monotonic_ms();
    }
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// The calendar.
pub(crate) fn calendar() -> SystemTime {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.calendar();
    }
    SystemTime::now()
}

/// The calendar in the unit of the log: milliseconds since 1970. A clock before
/// that reads as 0.
pub(crate) fn unix_ms() -> u64 {
    calendar().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Waits without holding the shard.
pub(crate) async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// Waits until `at` without holding the shard.
pub(crate) async fn sleep_until(at: Instant) {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.sleep_until(at).await;
    }
    monoio::time::sleep_until(at.into()).await;
}

/// Waits until `at`, or for a notification if that comes first.
pub(crate) async fn sleep_until_or(at: Instant, notify: &Notify) {
    let mut sleep = pin!(sleep_until(at));
    let mut notified = pin!(notify.notified());
    poll_fn(|context| {
        if notified.as_mut().poll(context).is_ready() || sleep.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

/// Waits until `deadline` at the latest; an [`io::ErrorKind::TimedOut`] error
/// afterwards.
pub(crate) async fn before<T>(
    deadline: Instant,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        let mut operation = pin!(operation);
        let mut late = world.sleep_until(deadline);
        return poll_fn(|context| {
            if let Poll::Ready(outcome) = operation.as_mut().poll(context) {
                return Poll::Ready(outcome);
            }
            late.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await;
    }
    match monoio::time::timeout_at(deadline.into(), operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
