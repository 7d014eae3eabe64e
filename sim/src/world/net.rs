//! Addresses, who listens on them, and the way there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use eagre_dataplane::simulation::{Listen, Socket};

use super::{
    Shared,
    descriptors::Signal,
    lock,
    socket::{Wire, pair},
};

/// Connections that wait to be accepted.
const BACKLOG: usize = 128;
const EMFILE: i32 = 24;
const ECONNREFUSED: i32 = 111;

/// Where connections arrive.
pub(crate) struct Port {
    shared: Arc<Shared>,
    waiting: Mutex<Waiting>,
    signal: Arc<Signal>,
    /// The process under test listens.
    is_tested: bool,
}

#[derive(Default)]
struct Waiting {
    connections: VecDeque<Wire>,
    acceptor: Option<Waker>,
    closed: bool,
}

impl Port {
    /// The next connection.
    pub(crate) async fn next(&self) -> Wire {
        poll_fn(|context| {
            let mut waiting = lock(&self.waiting);
            if let Some(connection) = waiting.connections.pop_front() {
                return Poll::Ready(connection);
            }
            waiting.acceptor = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Nobody listens any more; who waits is reset.
    pub(crate) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        let left = std::mem::take(&mut waiting.connections);
        drop(waiting);
        left.into_iter().for_each(Wire::reset);
    }

    fn push(&self, connection: Wire) -> Result<(), Wire> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed || waiting.connections.len() >= BACKLOG {
            return Err(connection);
        }
        waiting.connections.push_back(connection);
        let acceptor = waiting.acceptor.take();
        drop(waiting);
        self.signal.set();
        if let Some(acceptor) = acceptor {
            acceptor.wake();
        }
        Ok(())
    }
}

/// The port as the process under test has it.
pub(crate) struct Listener(pub Arc<Port>);

impl Listen for Listener {
    fn accept(&self) -> io::Result<Box<dyn Socket>> {
        if self.0.shared.habits().descriptors_gone {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let mut waiting = lock(&self.0.waiting);
        match waiting.connections.pop_front() {
            Some(connection) => Ok(Box::new(connection)),
            None => {
                self.0.signal.clear();
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.signal.descriptor()
    }
}

pub(crate) struct Net {
    shared: Arc<Shared>,
    ports: RefCell<BTreeMap<SocketAddr, Vec<Arc<Port>>>>,
    names: RefCell<BTreeMap<String, SocketAddr>>,
}

impl Net {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, ports: RefCell::default(), names: RefCell::default() }
    }

    /// Listens on an address, beside others on the same.
    pub(crate) fn listen(&self, address: SocketAddr, is_tested: bool) -> Arc<Port> {
        let port = Arc::new(Port {
            shared: Arc::clone(&self.shared),
            waiting: Mutex::default(),
            signal: Signal::new(&self.shared),
            is_tested,
        });
        self.ports.borrow_mut().entry(address).or_default().push(Arc::clone(&port));
        port
    }

    /// Nobody listens on an address any more.
    pub(crate) fn close(&self, address: SocketAddr) {
        let ports = self.ports.borrow_mut().remove(&address).unwrap_or_default();
        ports.iter().for_each(|port| port.close());
    }

    pub(crate) fn name(&self, host: &str, address: SocketAddr) {
        self.names.borrow_mut().insert(host.to_owned(), address);
    }

    /// The address of a name, after a while.
    pub(crate) async fn resolve(self: Rc<Self>, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let habits = self.shared.habits();
        let at = self.shared.clock.now() + self.shared.latency(habits.latency_max);
        self.shared.clock.sleep_until(at).await;
        if self.shared.chance(habits.failed_names) {
            return Err(io::Error::other("the name server does not answer"));
        }
        let known = self.names.borrow().get(&host).copied();
        let address = known.ok_or_else(|| io::Error::other("no such name"))?;
        Ok(vec![SocketAddr::new(address.ip(), port)])
    }

    /// Connects, as the process under test or to it.
    pub(crate) async fn connect(self: Rc<Self>, address: SocketAddr, is_tested: bool) -> io::Result<Wire> {
        let habits = self.shared.habits();
        if is_tested && habits.descriptors_gone {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let at = self.shared.clock.now() + self.shared.latency(habits.latency_max);
        self.shared.clock.sleep_until(at).await;
        if self.shared.chance(habits.lost_connects) {
            std::future::pending::<()>().await;
        }
        let ports = self.ports.borrow().get(&address).cloned().unwrap_or_default();
        let refused = || io::Error::from_raw_os_error(ECONNREFUSED);
        if ports.is_empty() {
            return Err(refused());
        }
        let port = &ports[self.shared.below(ports.len() as u64) as usize];
        let tested = if is_tested { 0 } else { 1 };
        let (near, far) = pair(&self.shared, if is_tested || port.is_tested { tested } else { 2 });
        port.push(far).map_err(|_| refused())?;
        Ok(near)
    }
}
