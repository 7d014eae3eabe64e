//! What wakes the log's owner: a counter that several hands signal, and a timer.
//!
//! The timer is the kernel's, so that no thread which has other work makes a
//! deadline late.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
    time::Instant,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll},
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};

/// Clones are the same event.
#[derive(Clone, Debug)]
pub(crate) struct Event(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    signals: OwnedFd,
    timer: OwnedFd,
    /// Readable when one of them is.
    either: OwnedFd,
}

impl Event {
    pub(crate) fn new() -> io::Result<Self> {
        let signals = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let either = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for part in [&signals, &timer] {
            epoll::add(&either, part, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(Self(Arc::new(Parts { signals, timer, either })))
    }

    pub(crate) fn signal(&self) {
        // It fails only where the counter would overflow; then it is readable.
        let _ = rustix::io::write(&self.0.signals, &1u64.to_ne_bytes());
    }

    /// Takes the signals back, and leaves the timer as it is.
    pub(crate) fn clear_signals(&self) {
        // It fails only where there is nothing to clear.
        let _ = rustix::io::read(&self.0.signals, &mut [0u8; 8]);
    }

    /// Sets the timer to this time, or to none; one that has run out is taken back.
    pub(crate) fn set_timer(&self, at: Option<Instant>) {
        let it_value = at.map_or(Timespec { tv_sec: 0, tv_nsec: 0 }, |at| {
            let left = at.saturating_duration_since(Instant::now());
            // Zero would be none.
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos().max(1)) }
        });
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.0.timer, TimerfdTimerFlags::empty(), &once)
            .expect("the timer is one, and the time is in its range");
    }

    pub(crate) fn wait(&self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.0.either, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The counter alone, for who signals it by its descriptor.
    pub(crate) fn signals_fd(&self) -> RawFd {
        self.0.signals.as_raw_fd()
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.either.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn is_readable(event: &Event) -> bool {
        let mut fds = [PollFd::new(event, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn it_is_readable_by_signal_and_by_time_until_each_is_taken_back() {
        let event = Event::new().unwrap();
        assert!(!is_readable(&event));
        event.signal();
        event.signal();
        assert!(is_readable(&event));
        event.clear_signals();
        assert!(!is_readable(&event));

        event.set_timer(Some(Instant::now() + Duration::from_secs(3600)));
        assert!(!is_readable(&event));
        event.set_timer(Some(Instant::now()));
        event.wait().unwrap();
        event.clear_signals();
        assert!(is_readable(&event), "the time is still over");
        event.set_timer(None);
        assert!(!is_readable(&event));
    }
}
