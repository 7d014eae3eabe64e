//! Tasks of a shard, and work that must not run on one.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    thread,
};

use super::{exit, net::Readiness};

/// Runs a task on this shard. It ends with the shard or by itself.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.spawn(Box::pin(task));
    }
    drop(monoio::spawn(task));
}

/// Runs `work`, which may wait for the disk, on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        world.blocking().await;
        return Ok(work());
    }
    let slot: Arc<Mutex<(Option<T>, Option<Waker>)>> = Arc::default();
    let filled = Arc::clone(&slot);
    thread::Builder::new().name("eagre-disk".into()).spawn(move || {
        let value = work();
        let mut slot = filled.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(value);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    })?;
    Ok(poll_fn(|context| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = slot.0.take() {
            return Poll::Ready(value);
        }
        slot.1 = Some(context.waker().clone());
        Poll::Pending
    })
    .await)
}

/// Lets everything else of the shard come first, the kernel's completions
/// included. A task that only wakes itself would not do: the runtime looks for
/// completions when no task is left to run.
pub(crate) async fn next_turn() {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.next_turn().await;
    }
    let mut is_queued = false;
    poll_fn(|context| {
        if is_queued {
            return Poll::Ready(());
        }
        is_queued = true;
        TURN.with_borrow_mut(|turn| turn.get_or_insert_with(Turn::start).wait(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Those who wait for the next turn of this thread's loop, and the counter that
/// makes the kernel wake them.
struct Turn {
    event: OwnedFd,
    waiting: Vec<Waker>,
}

impl Turn {
    fn start() -> Self {
        use rustix::event::{EventfdFlags, eventfd};
        let started = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(|event| Ok((Readiness::watch(event.as_fd())?, event)));
        let (readiness, event) = started.unwrap_or_else(|error| {
            tracing::error!("a shard cannot count its turns: {error}");
            exit::now(exit::OS_ERROR)
        });
        spawn(async move {
            while readiness.ready().await.is_ok() {
                let waiting = TURN.with_borrow_mut(|turn| turn.as_mut().map(Turn::begin));
                waiting.into_iter().flatten().for_each(Waker::wake);
            }
        });
        Self { event, waiting: Vec::new() }
    }

    fn wait(&mut self, waker: Waker) {
        if self.waiting.is_empty() {
            // It cannot overflow, and nothing else can go wrong with a counter.
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
        self.waiting.push(waker);
    }

    fn begin(&mut self) -> Vec<Waker> {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        std::mem::take(&mut self.waiting)
    }
}
