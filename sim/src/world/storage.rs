//! A disk in time: what is begun ends after a while, and then its log's
//! descriptor is readable.

use std::{
    collections::VecDeque,
    io,
    os::fd::BorrowedFd,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use eagre_wal::{Chore, Completion, Header, Listing, Lsn, Storage};

use super::{Nanos, Shared, descriptors::Signal, moments::Moment};
use crate::disk::Disk;

/// A log's disk.
pub(super) struct Gate {
    disk: Disk,
    shared: Arc<Shared>,
    signal: Arc<Signal>,
    /// What a sync of it is.
    moment: Moment,
    flight: Option<Nanos>,
    chores: VecDeque<Nanos>,
    wake: Option<(Nanos, u64)>,
}

impl Gate {
    pub(super) fn new(disk: Disk, shared: &Arc<Shared>, moment: Moment) -> Self {
        shared.logs_open.fetch_add(1, Relaxed);
        Self {
            disk,
            shared: Arc::clone(shared),
            signal: Signal::new(shared),
            moment,
            flight: None,
            chores: VecDeque::new(),
            wake: None,
        }
    }

    fn now(&self) -> Nanos {
        self.shared.clock.now()
    }

    /// Something begins: when it ends, at which time the descriptor is readable.
    fn begin(&self) -> Nanos {
        let habits = self.shared.habits();
        let slow = if self.shared.chance(habits.slow_disk) { 100 } else { 1 };
        let at = self.now() + self.shared.latency(habits.disk_latency_max * slow);
        self.shared.clock.wake_at(at, Waker::from(Arc::clone(&self.signal)));
        at
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.logs_open.fetch_sub(1, Relaxed);
        if let Some(wake) = self.wake.take() {
            self.shared.clock.forget(wake);
        }
    }
}

impl Storage for Gate {
    fn list(&mut self) -> io::Result<Listing> {
        self.disk.list()
    }

    fn settle(&mut self, base: Lsn) -> io::Result<()> {
        self.disk.settle(base)
    }

    fn view(&self, base: Lsn) -> io::Result<Bytes> {
        self.disk.view(base)
    }

    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()> {
        self.disk.zero(base, from, to)
    }

    fn hold(&mut self, base: Lsn) -> io::Result<()> {
        self.disk.hold(base)
    }

    fn prepare(&mut self, header: Header) {
        self.disk.prepare(header);
        let last = self.chores.back().copied().unwrap_or_default();
        let at = self.begin().max(last);
        self.chores.push_back(at);
    }

    fn remove(&mut self, base: Lsn) {
        self.disk.remove(base);
        let last = self.chores.back().copied().unwrap_or_default();
        let at = self.begin().max(last);
        self.chores.push_back(at);
    }

    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize) {
        self.disk.write(base, offset, buffer, from);
        self.flight = Some(self.begin());
    }

    fn sync(&mut self, base: Lsn) {
        self.disk.sync(base);
        self.flight = Some(self.begin());
    }

    fn completion(&mut self) -> Option<Completion> {
        let now = self.now();
        self.flight.take_if(|at| *at <= now)?;
        let completion = self.disk.completion();
        if matches!(completion, Some(Completion::Synced(Ok(())))) {
            self.shared.moments.pass(self.moment);
        }
        completion
    }

    fn chore(&mut self) -> Option<Chore> {
        let now = self.now();
        self.chores.pop_front_if(|at| *at <= now)?;
        self.disk.chore()
    }

    /// Waiting for the disk takes no time: nobody else runs meanwhile.
    fn wait(&mut self) -> io::Result<()> {
        let now = self.now();
        self.flight = self.flight.map(|_| now);
        self.chores.iter_mut().for_each(|at| *at = now);
        self.disk.wait()
    }

    fn clear_event(&mut self) {
        self.signal.clear();
        self.disk.clear_event();
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.signal.descriptor()
    }

    fn wake_at(&mut self, at: Duration) {
        if let Some(before) = self.wake.take() {
            self.shared.clock.forget(before);
        }
        let at = at.as_nanos() as Nanos;
        self.wake = Some(self.shared.clock.wake_at(at, Waker::from(Arc::clone(&self.signal))));
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.now())
    }

    fn entropy(&mut self) -> u32 {
        self.disk.entropy()
    }
}
