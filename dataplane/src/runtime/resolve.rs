//! Names to addresses, off the shards.
//!
//! The system's resolver blocks, for many seconds when a name server is silent; so a
//! few threads ask it, and shards wait as for any I/O. Answers are shared by all shards
//! and kept for a short time; every number that could grow is bounded (`limits::resolve`).
//! An address that is written as such never leaves the caller.
//!
//! Deliberately absent: the record's own time to live, which the system's interface does
//! not tell, and any preference among the addresses: they come in the system's order.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use super::time;
use crate::limits::resolve as limits;

/// The addresses of one name, at least one.
pub type Addresses = Arc<[SocketAddr]>;

/// What a lookup comes to.
pub type Answer = Result<Addresses, ResolveError>;

/// Why there is no address. All of them are worth another attempt later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The system has no answer: no such name, or its name servers do not answer.
    #[error("cannot resolve {host}: {reason}")]
    Failed {
        /// The name.
        host: Arc<str>,
        /// What the system says.
        reason: Arc<str>,
    },
    /// More names wait to be resolved than are admitted.
    #[error("too many names wait to be resolved ({}); is the name server reachable?", limits::QUEUE_MAX)]
    Busy,
}

/// Resolves names. Clones share threads and answers; the threads end with the last one.
#[derive(Clone)]
pub struct Resolver(Arc<Owner>);

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Resolver").field("names", &self.0.shared.lock().names.len()).finish()
    }
}

/// Tells the threads to end. They are not waited for: the system may hold one for long.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.work.notify_all();
    }
}

/// Asks the system.
type Ask = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    ttl: Ttl,
}

#[derive(Clone, Copy)]
struct Ttl {
    positive: Duration,
    negative: Duration,
}

#[derive(Default)]
struct State {
    names: HashMap<Name, Entry>,
    /// Names nobody has asked the system for yet; each is [`Entry::Pending`].
    queue: VecDeque<Name>,
    stopped: bool,
}

type Name = (Arc<str>, u16);

enum Entry {
    /// Asked for, by whoever still waits.
    Pending(Vec<Weak<Waiter>>),
    Known {
        answer: Answer,
        until: Instant,
    },
}

/// One call to [`Resolver::lookup`] that waits.
#[derive(Default)]
struct Waiter(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    answer: Option<Answer>,
    waker: Option<Waker>,
}

impl Resolver {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start() -> io::Result<Resolver> {
        let ttl = Ttl { positive: limits::POSITIVE_TTL, negative: limits::NEGATIVE_TTL };
        Self::start_with(|host, port| (host, port).to_socket_addrs().map(Iterator::collect), ttl)
    }

    /// One that asks nobody: a world answers in its place.
    #[cfg(feature = "simulation")]
    pub(crate) fn of_world() -> Resolver {
        let ttl = Ttl { positive: limits::POSITIVE_TTL, negative: limits::NEGATIVE_TTL };
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), ttl });
        Resolver(Arc::new(Owner { shared }))
    }

    fn start_with(ask: Ask, ttl: Ttl) -> io::Result<Resolver> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), ttl });
        let owner = Owner { shared };
        for i in 0..limits::THREADS {
            let shared = Arc::clone(&owner.shared);
            thread::Builder::new().name(format!("resolve-{i}")).spawn(move || shared.work(ask))?;
        }
        Ok(Resolver(Arc::new(owner)))
    }

    /// The addresses of `host` (a name, or an address without brackets) with `port`. The
    /// future may be polled on any thread and dropped at any time.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn lookup(&self, host: &str, port: u16) -> Answer {
        #[cfg(feature = "simulation")]
        if let Some(world) = super::world::current() {
            let host = Arc::from(host);
            return match world.resolve(&host, port).await {
                Ok(addresses) => Ok(addresses.into()),
                Err(error) => Err(failed(&host, &error.to_string())),
            };
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(address, port)]));
        }
        match self.0.shared.look(host, port) {
            Looked::Known(answer) => answer,
            Looked::Waits(waiter) => poll_fn(|context| waiter.poll(context)).await,
        }
    }
}

enum Looked {
    Known(Answer),
    Waits(Arc<Waiter>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer if it is known, else a place in the line of those who wait for it.
    fn look(&self, host: &str, port: u16) -> Looked {
        let now = time::now();
        let mut state = self.lock();
        let name: Name = (host.into(), port);
        match state.names.get_mut(&name) {
            Some(Entry::Known { answer, until }) if now < *until => return Looked::Known(answer.clone()),
            Some(Entry::Pending(waiters)) => return Looked::Waits(join(waiters)),
            Some(Entry::Known { .. }) | None => {}
        }
        if state.queue.len() >= limits::QUEUE_MAX || !state.make_room(now) {
            return Looked::Known(Err(ResolveError::Busy));
        }
        let mut waiters = Vec::new();
        let waiter = join(&mut waiters);
        state.names.insert(name.clone(), Entry::Pending(waiters));
        state.queue.push_back(name);
        self.work.notify_one();
        Looked::Waits(waiter)
    }

    /// A thread's life: one name after another.
    fn work(&self, ask: Ask) {
        while let Some(name) = self.next() {
            let (host, port) = &name;
            let answer = match ask(host, *port) {
                Ok(mut addresses) if !addresses.is_empty() => {
                    addresses.truncate(limits::ADDRESSES_MAX);
                    Ok(Addresses::from(addresses))
                }
                Ok(_) => Err(failed(host, "it has no address")),
                Err(error) => Err(failed(host, &error.to_string())),
            };
            self.settle(name, &answer);
        }
    }

    fn next(&self) -> Option<Name> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(name) = state.queue.pop_front() {
                return Some(name);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Keeps the answer and hands it to those who wait, without the lock: waking may
    /// take others.
    fn settle(&self, name: Name, answer: &Answer) {
        let ttl = if answer.is_ok() { self.ttl.positive } else { self.ttl.negative };
        let known = Entry::Known { answer: answer.clone(), until: time::now() + ttl };
        let replaced = self.lock().names.insert(name, known);
        if let Some(Entry::Pending(waiters)) = replaced {
            waiters.iter().filter_map(Weak::upgrade).for_each(|waiter| waiter.settle(answer.clone()));
        }
    }
}

impl State {
    /// Sees to it that one more name fits: first what is out of date goes, then whatever
    /// is known. False if every name is being asked for.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.names.len() >= limits::ENTRIES_MAX {
            self.names.retain(|_, entry| !matches!(entry, Entry::Known { until, .. } if *until <= now));
        }
        if self.names.len() >= limits::ENTRIES_MAX {
            self.names.retain(|_, entry| matches!(entry, Entry::Pending(_)));
        }
        self.names.len() < limits::ENTRIES_MAX
    }
}

/// Adds a waiter to the line; those who gave up leave it before it grows.
fn join(waiters: &mut Vec<Weak<Waiter>>) -> Arc<Waiter> {
    if waiters.len() == waiters.capacity() {
        waiters.retain(|waiter| waiter.strong_count() > 0);
    }
    let waiter = Arc::new(Waiter::default());
    waiters.push(Arc::downgrade(&waiter));
    waiter
}

impl Waiter {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Answer> {
        let mut waiting = self.lock();
        match waiting.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Takes the waker out before it is used, so that the last reference to a shard's
    /// task is never dropped here: waking by value hands it back to its own thread.
    fn settle(&self, answer: Answer) {
        let waker = {
            let mut waiting = self.lock();
            waiting.answer = Some(answer);
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(host: &Arc<str>, reason: &str) -> ResolveError {
    ResolveError::Failed { host: Arc::clone(host), reason: reason.into() }
}

#[cfg(test)]
mod tests;
