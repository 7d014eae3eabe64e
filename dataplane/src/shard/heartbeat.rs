//! A shard's sign of life, and how late it comes to what is due: what tells
//! whether it is overloaded or stuck.
//!
//! A kernel timer becomes readable on the beat; how long after that this task
//! runs is what everything else on the shard waits, too. The runtime's own
//! timers would not do: they are as coarse as a millisecond.

use std::{io, rc::Rc, time::Duration};

use rustix::{
    fd::{AsFd, OwnedFd},
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
        timerfd_create, timerfd_settime,
    },
};

use super::Shard;
use crate::runtime::{net::Readiness, time};

/// Often enough for a tail to be seen within seconds, and a ten-thousandth of
/// the shard's time.
const BEAT: Duration = Duration::from_millis(10);

/// How often a shard shows itself; a tenth of the time after which it is taken for
/// stuck, at the most.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(250);

impl Shard {
    /// Shows that the shard runs, for as long as it does, and because it does:
    /// whatever else is to be done, and how often.
    pub(super) async fn run_heartbeat(self: Rc<Self>) {
        loop {
            self.stats.borrow().beat(time::monotonic_ms());
            time::sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    /// Measures for as long as the shard runs.
    pub(super) async fn run_lateness(self: Rc<Self>) {
        #[cfg(feature = "simulation")]
        if crate::runtime::world::current().is_some() {
            // Nothing is late where work takes no time.
            return;
        }
        if let Err(error) = self.measure_lateness().await {
            tracing::warn!("the lateness of a shard is not measured: {error}");
        }
    }

    async fn measure_lateness(&self) -> io::Result<()> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let due = Readiness::watch(timer.as_fd())?;
        let mut beat = now() + BEAT;
        loop {
            set(&timer, beat)?;
            due.ready().await?;
            let now = now();
            self.metrics.was_late(now.saturating_sub(beat));
            // Beats that were missed are not made up for.
            beat = (beat + BEAT).max(now);
        }
    }
}

/// The clock that the timer goes by.
fn now() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    Duration::new(tv_sec as u64, tv_nsec as u32)
}

/// Setting it also makes it unreadable.
fn set(timer: &OwnedFd, at: Duration) -> io::Result<()> {
    let at = Timespec { tv_sec: at.as_secs() as i64, tv_nsec: i64::from(at.subsec_nanos()) };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &once)?;
    Ok(())
}
