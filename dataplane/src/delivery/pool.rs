//! Kept-alive connections to subscribers, by authority.
//!
//! Owns every outgoing connection of the shard and their number. At the limit a
//! new connection takes the place of an idle one, or waits its turn.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use eagre_snapshot::Endpoint;

use crate::{
    canary::{Canary, planted},
    runtime::{
        map::Map,
        net::{self, Stream},
        resolve::{ResolveError, Resolver},
        time,
    },
};

/// The connections of one shard.
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "each goes to a worker and back for every delivery")]
    idle: RefCell<Map<String, Vec<Box<Connection>>>>,
    slots: Rc<Slots>,
    resolver: Resolver,
    connect_timeout: Duration,
    idle_max: Duration,
}

/// One connection and its buffers, which live as long as it does.
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// The request, when it is sent; afterwards empty.
    pub(super) output: Vec<u8>,
    /// The response as read: head, then a body that is not chunked.
    pub(super) input: Vec<u8>,
    /// A chunked response body, decoded.
    pub(super) body: Vec<u8>,
    /// A request was answered on it before.
    pub(super) reused: bool,
    idle_since: Instant,
    _slot: Slot,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The subscriber's doing, or its network's.
    Refused(io::Error),
    /// This process or machine is short of something.
    Shortage(io::Error),
}

impl Pool {
    /// An empty pool for at most `connections_max` connections.
    pub(crate) fn new(
        connections_max: usize,
        connect_timeout: Duration,
        idle_max: Duration,
        resolver: Resolver,
    ) -> Self {
        let slots = Slots { free: Cell::new(connections_max), waiters: RefCell::default() };
        Self { idle: RefCell::default(), slots: Rc::new(slots), resolver, connect_timeout, idle_max }
    }

    /// An idle connection to the endpoint, the most recently used first. One on
    /// which anything has arrived since, its end or bytes that answer no request
    /// of ours, is closed.
    pub(super) fn take_idle(&self, endpoint: &Endpoint) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&endpoint.authority)?;
        let now = time::now();
        while let Some(connection) = connections.pop() {
            let is_quiet = connection.stream.is_quiet() || planted(Canary::NoisyReuse);
            if now - connection.idle_since < self.idle_max && is_quiet {
                return Some(connection);
            }
        }
        None
    }

    /// A new connection to the endpoint. The time allowed for it counts from when
    /// there is a place for it, and covers the name and all addresses.
    pub(super) async fn connect(&self, endpoint: &Endpoint) -> Result<Box<Connection>, ConnectError> {
        let slot = self.slot().await;
        let deadline = time::now() + self.connect_timeout;
        let lookup = async { Ok(self.resolver.lookup(&endpoint.host, endpoint.port).await) };
        let addresses = match time::before(deadline, lookup).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error @ ResolveError::Busy)) => {
                return Err(ConnectError::Shortage(io::Error::other(error)));
            }
            Ok(Err(error)) => return Err(ConnectError::Refused(io::Error::other(error))),
            Err(_) => {
                let text = format!("{} was not resolved in time", endpoint.host);
                return Err(ConnectError::Refused(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
        };
        let mut failure = io::Error::other("the name has no address");
        for address in addresses.iter() {
            match Stream::connect(*address, deadline).await {
                Ok(stream) => return Ok(Box::new(Connection::new(stream, slot))),
                Err(error) if net::is_shortage(&error) && !planted(Canary::ShortageIsFailure) => {
                    return Err(ConnectError::Shortage(error));
                }
                Err(error) => failure = error,
            }
        }
        Err(ConnectError::Refused(failure))
    }

    /// Keeps a connection for the next request to the same endpoint.
    pub(super) fn give_back(&self, endpoint: &Endpoint, mut connection: Box<Connection>) {
        if self.slots.has_waiters() {
            return;
        }
        connection.reused = true;
        connection.idle_since = time::now();
        connection.shrink();
        let mut idle = self.idle.borrow_mut();
        match idle.get_mut(&endpoint.authority) {
            Some(connections) => connections.push(connection),
            None => {
                idle.insert(endpoint.authority.clone(), vec![connection]);
            }
        }
    }

    /// Closes what has been idle for too long.
    pub(crate) fn reap(&self) {
        let now = time::now();
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|connection| now - connection.idle_since < self.idle_max);
            !connections.is_empty()
        });
    }

    async fn slot(&self) -> Slot {
        if self.slots.free.get() == 0 {
            // Any idle connection is worth less than one that is needed now.
            let mut idle = self.idle.borrow_mut();
            if let Some(connections) = idle.values_mut().find(|connections| !connections.is_empty()) {
                connections.pop();
            }
        }
        let place = Rc::new(RefCell::new(None));
        poll_fn(|context| {
            if self.slots.free.get() > 0 {
                self.slots.free.set(self.slots.free.get() - 1);
                self.slots.leave(&place);
                return Poll::Ready(());
            }
            // One who looks again without having been called keeps its one place.
            let is_new = place.borrow_mut().replace(context.waker().clone()).is_none();
            if is_new || planted(Canary::TwoPlaces) {
                self.slots.waiters.borrow_mut().push_back(Rc::clone(&place));
            }
            Poll::Pending
        })
        .await;
        Slot(Rc::clone(&self.slots))
    }
}

impl Connection {
    fn new(stream: Stream, slot: Slot) -> Self {
        Self {
            stream,
            output: Vec::with_capacity(BUFFER_BYTES),
            input: Vec::with_capacity(BUFFER_BYTES),
            body: Vec::new(),
            reused: false,
            idle_since: time::now(),
            _slot: slot,
        }
    }

    /// Gives back what one large message made the buffers grow.
    fn shrink(&mut self) {
        for buffer in [&mut self.output, &mut self.input, &mut self.body] {
            if buffer.capacity() > BUFFER_KEPT_BYTES {
                *buffer = Vec::with_capacity(BUFFER_BYTES);
            }
        }
    }
}

/// Holds a request head with its event of the usual size, or a response.
const BUFFER_BYTES: usize = 4 * 1024;
/// An idle connection keeps no larger buffer than this.
const BUFFER_KEPT_BYTES: usize = 32 * 1024;

struct Slots {
    free: Cell<usize>,
    waiters: RefCell<VecDeque<Place>>,
}

/// A place in the queue for a connection; a waker is in it while it is there.
type Place = Rc<RefCell<Option<Waker>>>;

impl Slots {
    fn has_waiters(&self) -> bool {
        !self.waiters.borrow().is_empty()
    }

    /// Who has what it waited for leaves the queue: its call is for another.
    fn leave(&self, place: &Place) {
        if place.borrow_mut().take().is_some() {
            self.waiters.borrow_mut().retain(|waiting| !Rc::ptr_eq(waiting, place));
        }
    }

    /// Calls the first who waits.
    fn call(&self) {
        let first = self.waiters.borrow_mut().pop_front();
        if let Some(waker) = first.and_then(|place| place.borrow_mut().take()) {
            waker.wake();
        }
    }
}

/// The right to one connection; free again when dropped.
struct Slot(Rc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.call();
    }
}
