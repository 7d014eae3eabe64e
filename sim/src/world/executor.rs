//! Who runs next. One task at a time, in an order that the seed decides; when
//! nobody can run, what the kernel has finished is seen, and then time goes on.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use eagre_dataplane::simulation::{Local, World, enter};

use super::{
    Nanos, Shared,
    clock::{MICROSECOND, SECOND},
    descriptors::Descriptors,
    lock,
};
use crate::random::Random;

/// A process, or nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pid(pub u32);

impl Pid {
    /// Those around the process under test.
    pub(crate) const OUTSIDE: Self = Self(0);
}

/// What a process that ends itself is unwound with.
pub(crate) struct Exit(pub u8);

/// How a process has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exit(u8),
    Panic(String),
}

struct Task {
    pid: Pid,
    future: RefCell<Option<Local<'static, ()>>>,
    wakeup: Arc<Wakeup>,
}

struct Wakeup {
    id: u64,
    is_queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Relaxed) {
            lock(&self.ready).push(self.id);
        }
    }
}

pub(crate) struct Executor {
    shared: Arc<Shared>,
    tasks: RefCell<BTreeMap<u64, Rc<Task>>>,
    ready: Arc<Mutex<Vec<u64>>>,
    next_turn: RefCell<Vec<Waker>>,
    pub(super) descriptors: Descriptors,
    spawned: Cell<u64>,
    order: RefCell<Random>,
    /// What the tasks of each process see.
    worlds: RefCell<BTreeMap<Pid, Rc<dyn World>>>,
    ended: RefCell<BTreeMap<Pid, Ended>>,
    /// Polls since time went on.
    polls: Cell<u64>,
    /// Polls in all.
    pub polled: Cell<u64>,
    /// The most that one poll has read of logs.
    pub read_peak: Cell<(u64, u64)>,
}

/// So many polls without time going on are a loop that does not end.
const POLLS_MAX: u64 = 200_000;
/// What a turn of the loop takes.
const TURN: Nanos = 20 * MICROSECOND;

impl Executor {
    pub(crate) fn new(shared: Arc<Shared>, order: Random) -> Self {
        Self {
            shared,
            tasks: RefCell::default(),
            ready: Arc::default(),
            next_turn: RefCell::default(),
            descriptors: Descriptors::default(),
            spawned: Cell::new(0),
            order: RefCell::new(order),
            worlds: RefCell::default(),
            ended: RefCell::default(),
            polls: Cell::new(0),
            polled: Cell::new(0),
            read_peak: Cell::new((0, 0)),
        }
    }

    /// What the tasks of a process see from now on.
    pub(crate) fn begin(&self, pid: Pid, world: Rc<dyn World>) {
        self.worlds.borrow_mut().insert(pid, world);
    }

    pub(crate) fn spawn(&self, pid: Pid, future: Local<'static, ()>) {
        let id = self.spawned.get() + 1;
        self.spawned.set(id);
        let wakeup =
            Arc::new(Wakeup { id, is_queued: AtomicBool::new(false), ready: Arc::clone(&self.ready) });
        wakeup.wake_by_ref();
        let task = Task { pid, future: RefCell::new(Some(future)), wakeup };
        self.tasks.borrow_mut().insert(id, Rc::new(task));
    }

    /// Ends a process: its tasks are dropped where they stand.
    pub(crate) fn end(&self, pid: Pid) {
        self.worlds.borrow_mut().remove(&pid);
        let mut tasks = self.tasks.borrow_mut();
        let ids: Vec<u64> = tasks.iter().filter(|(_, task)| task.pid == pid).map(|(id, _)| *id).collect();
        let gone: Vec<_> = ids.iter().filter_map(|id| tasks.remove(id)).collect();
        drop(tasks);
        self.descriptors.end(pid);
        for task in gone {
            let future = task.future.borrow_mut().take();
            drop(future);
        }
    }

    /// Ends everything.
    pub(crate) fn end_all(&self) {
        let tasks: Vec<_> = std::mem::take(&mut *self.tasks.borrow_mut()).into_values().collect();
        self.worlds.borrow_mut().clear();
        self.descriptors.end_all();
        for task in tasks {
            let future = task.future.borrow_mut().take();
            drop(future);
        }
        self.tasks.borrow_mut().clear();
    }

    /// How a process has ended by itself, if it has.
    pub(crate) fn ended(&self, pid: Pid) -> Option<Ended> {
        self.ended.borrow().get(&pid).cloned()
    }

    /// Resolves when everybody else has had a turn.
    pub(crate) fn next_turn(self: &Rc<Self>) -> Local<'static, ()> {
        let executor = Rc::clone(self);
        let mut is_queued = false;
        Box::pin(poll_fn(move |context| {
            if is_queued {
                return Poll::Ready(());
            }
            is_queued = true;
            executor.next_turn.borrow_mut().push(context.waker().clone());
            Poll::Pending
        }))
    }

    /// Runs until `done`, or until nothing will ever happen.
    pub(crate) fn run(&self, done: impl Fn() -> bool) {
        while !done() {
            if let Some(id) = self.pick() {
                self.poll(id);
                continue;
            }
            self.descriptors.wake_readable(&self.shared);
            self.shared.clock.wake_due();
            let waiting = std::mem::take(&mut *self.next_turn.borrow_mut());
            if !waiting.is_empty() {
                self.shared.clock.pass(TURN);
                self.polls.set(0);
                waiting.into_iter().for_each(Waker::wake);
            }
            if lock(&self.ready).is_empty() {
                self.polls.set(0);
                if !self.shared.clock.advance() {
                    return;
                }
                self.shared.clock.wake_due();
            }
        }
    }

    /// One that can run: mostly the one that has waited longest, or any.
    fn pick(&self) -> Option<u64> {
        let mut ready = lock(&self.ready);
        if ready.is_empty() {
            return None;
        }
        let mut order = self.order.borrow_mut();
        let at = if order.coin() { 0 } else { order.below(ready.len() as u64) as usize };
        Some(ready.remove(at))
    }

    fn poll(&self, id: u64) {
        let Some(task) = self.tasks.borrow().get(&id).cloned() else { return };
        self.polls.set(self.polls.get() + 1);
        self.polled.set(self.polled.get() + 1);
        assert!(
            self.polls.get() < POLLS_MAX,
            "{POLLS_MAX} polls after {} s and no time has passed: a loop that does not end",
            self.shared.clock.now() / SECOND
        );
        task.wakeup.is_queued.store(false, Relaxed);
        let Some(mut future) = task.future.borrow_mut().take() else { return };
        let waker = Waker::from(Arc::clone(&task.wakeup));
        let world = self.worlds.borrow().get(&task.pid).cloned();
        let entered = world.map(enter);
        let polled =
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        match polled {
            Ok(Poll::Pending) => drop(task.future.borrow_mut().replace(future)),
            Ok(Poll::Ready(())) => {
                self.tasks.borrow_mut().remove(&id);
                drop(future);
            }
            Err(panic) if task.pid == Pid::OUTSIDE => std::panic::resume_unwind(panic),
            Err(panic) => {
                self.ended.borrow_mut().entry(task.pid).or_insert_with(|| reason(panic));
                drop(future);
                self.end(task.pid);
            }
        }
        drop(entered);
        let (records, bytes) = self.shared.take_read();
        let (most_records, most_bytes) = self.read_peak.get();
        self.read_peak.set((most_records.max(records), most_bytes.max(bytes)));
    }
}

fn reason(panic: Box<dyn Any + Send>) -> Ended {
    let panic = match panic.downcast::<Exit>() {
        Ok(exit) => return Ended::Exit(exit.0),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Ended::Panic(text.unwrap_or_else(|| "a panic without a text".to_owned()))
}
