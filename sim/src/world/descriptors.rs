//! Descriptors that somebody waits for: listeners and the counters of disks are
//! real ones, because what watches them makes copies.

use std::{
    cell::RefCell,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Wake, Waker},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{Shared, executor::Pid};

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Descriptors {
    waiting: RefCell<Vec<(Pid, Arc<OwnedFd>, Waker)>>,
}

/// What a look costs.
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

impl Descriptors {
    pub(super) fn wait(&self, pid: Pid, descriptor: &Arc<OwnedFd>, waker: Waker) {
        let mut waiting = self.waiting.borrow_mut();
        // Somebody who looks again, and those who have gone.
        waiting.retain(|(_, waits, _)| !Arc::ptr_eq(waits, descriptor) && Arc::strong_count(waits) > 1);
        waiting.push((pid, Arc::clone(descriptor), waker));
    }

    /// Wakes those whose descriptor has become readable.
    pub(super) fn wake_readable(&self, shared: &Shared) {
        if !shared.signalled.swap(false, Relaxed) {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let mut polled: Vec<PollFd<'_>> =
            waiting.iter().map(|(_, descriptor, _)| PollFd::new(&**descriptor, PollFlags::IN)).collect();
        poll(&mut polled, Some(&AT_ONCE)).expect("descriptors can be polled");
        let readable: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        drop(polled);
        let mut at = 0;
        let woken: Vec<_> = waiting.extract_if(.., |_| (readable[at], at += 1).0).collect();
        drop(waiting);
        woken.into_iter().for_each(|(_, _, waker)| waker.wake());
    }

    /// Nobody waits any more.
    pub(super) fn end_all(&self) {
        self.waiting.borrow_mut().clear();
    }

    /// Nobody of this process waits any more.
    pub(super) fn end(&self, pid: Pid) {
        self.waiting.borrow_mut().retain(|(waiting, ..)| *waiting != pid);
    }
}

/// It is readable now.
pub(super) fn is_readable(descriptor: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut polled, Some(&AT_ONCE)).is_ok_and(|ready| ready > 0)
}

/// A counter that makes its descriptor readable.
pub(crate) struct Signal {
    descriptor: OwnedFd,
    shared: Arc<Shared>,
}

impl Signal {
    pub(super) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let descriptor = eventfd(0, flags).expect("this machine has a descriptor left");
        Arc::new(Self { descriptor, shared: Arc::clone(shared) })
    }

    pub(super) fn descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    pub(super) fn set(&self) {
        // A counter that is full is readable, too.
        let _ = rustix::io::write(&self.descriptor, &1u64.to_ne_bytes());
        self.shared.signalled.store(true, Relaxed);
    }

    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.descriptor, &mut [0; 8]);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}
