//! A machine that is made up: its clock, its network, its disks, and the
//! processes on it.
//!
//! Promise: everything that happens on it follows from one number. Owns the
//! tasks of all processes, and ends a process by dropping them. Deliberately
//! absent: what the processes and those around them do (`shard`).

mod clock;
mod executor;
mod descriptors;
mod pipe;
mod socket;
mod net;
mod disks;
mod moments;
mod storage;
mod here;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

pub(crate) use self::{
    clock::{Clock, MILLISECOND, Nanos, SECOND},
    disks::Disks,
    executor::{Ended, Executor, Exit, Pid},
    here::Here,
    moments::{Moment, Moments},
    net::{Listener, Net},
    socket::Wire,
};
use crate::{random::Random, trace::Trace};

/// What everything on the machine shares. Sockets and disks go from task to task
/// and so must be able to change their thread, though there is only one.
pub(crate) struct Shared {
    pub clock: Arc<Clock>,
    pub habits: Mutex<Habits>,
    /// Somebody has made a descriptor readable.
    pub signalled: AtomicBool,
    /// Connections that the process has made and has open.
    pub dialled: AtomicUsize,
    /// Logs that the process has open.
    pub logs_open: AtomicUsize,
    pub moments: Moments,
    pub trace: Mutex<Trace>,
    /// The run of the process under test.
    pub run: AtomicU32,
    random: Mutex<Random>,
    /// Records and bytes that the present poll has read of logs.
    read: (AtomicU64, AtomicU64),
}

/// How the machine behaves at present.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// The most that bytes take from one end to the other.
    pub latency_max: Nanos,
    /// The most that the disk takes for a write or sync.
    pub disk_latency_max: Nanos,
    /// Of a thousand operations of the disk, those that take a hundred times that.
    pub slow_disk: u64,
    /// Reads and writes of a socket that are cut short, of a thousand.
    pub partial: u64,
    /// Connections that end with a reset some time after they began, of a thousand.
    pub resets: u64,
    /// Connects that nobody answers, of a thousand.
    pub lost_connects: u64,
    /// Names that are not resolved, of a thousand.
    pub failed_names: u64,
    /// The process has used up its descriptors.
    pub descriptors_gone: bool,
    /// What one turn may read of the logs: records and bytes.
    pub turn_budget: (usize, usize),
}

impl Shared {
    pub(crate) fn new(random: Random, trace: Trace) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(Clock::new()),
            habits: Mutex::default(),
            signalled: AtomicBool::new(false),
            dialled: AtomicUsize::new(0),
            logs_open: AtomicUsize::new(0),
            moments: Moments::default(),
            trace: Mutex::new(trace),
            run: AtomicU32::new(0),
            random: Mutex::new(random),
            read: Default::default(),
        })
    }

    /// How the machine behaves.
    pub(crate) fn habits(&self) -> Habits {
        *lock(&self.habits)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { lock(&self.random).below(bound) }
    }

    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        per_mille > 0 && lock(&self.random).chance(per_mille)
    }

    pub(crate) fn fork(&self) -> Random {
        lock(&self.random).fork()
    }

    /// How long something takes that takes so much at the most.
    pub(crate) fn latency(&self, max: Nanos) -> Nanos {
        self.below(max + 1)
    }

    /// A record of a log was read in the present poll.
    pub(crate) fn has_read(&self, bytes: usize) {
        self.read.0.fetch_add(1, Relaxed);
        self.read.1.fetch_add(bytes as u64, Relaxed);
    }

    /// Records and bytes that were read since this was asked.
    pub(crate) fn take_read(&self) -> (u64, u64) {
        (self.read.0.swap(0, Relaxed), self.read.1.swap(0, Relaxed))
    }

    pub(crate) fn line(&self, line: std::fmt::Arguments) {
        let now = self.clock.now();
        lock(&self.trace).line(format_args!("{:>12.6} {line}", now as f64 / SECOND as f64));
    }
}

/// A lock that a violated promise has not made useless.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The machine.
#[derive(Clone)]
pub(crate) struct Machine {
    pub shared: Arc<Shared>,
    pub executor: Rc<Executor>,
    pub net: Rc<Net>,
    pub disks: Rc<RefCell<Disks>>,
}

impl Machine {
    pub(crate) fn new(mut random: Random, trace: Trace) -> Self {
        let disks = Disks::new(random.fork(), trace.clone());
        let order = random.fork();
        let shared = Shared::new(random, trace);
        Self {
            executor: Rc::new(Executor::new(Arc::clone(&shared), order)),
            net: Rc::new(Net::new(Arc::clone(&shared))),
            disks: Rc::new(RefCell::new(disks)),
            shared,
        }
    }

    /// Now, from the machine's start.
    pub(crate) fn now(&self) -> Nanos {
        self.shared.clock.now()
    }

    /// Resolves after a while.
    pub(crate) fn sleep(&self, duration: Nanos) -> clock::Sleep {
        self.shared.clock.sleep_until(self.now() + duration)
    }

    /// Runs a task of nobody's process.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(Pid::OUTSIDE, Box::pin(task));
    }

    pub(crate) fn line(&self, line: std::fmt::Arguments) {
        self.shared.line(line);
    }
}
