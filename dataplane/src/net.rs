//! The shard's view of the runtime: sockets, deadlines, tasks, readiness.
//!
//! monoio stays behind this module, so that its known traps are met in one
//! place and another runtime can take its place:
//! - a future of `accept` is never dropped (0.2.4 leaks the descriptor), so
//!   listeners are polled for readiness and accepted with the plain system call;
//! - join handles are dropped at once and never leave their thread;
//! - sockets are non-blocking for epoll and blocking for io_uring, which would
//!   otherwise answer `EAGAIN` instead of waiting.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    os::{fd::BorrowedFd, unix::net::UnixStream as StdUnixStream},
    time::{Duration, Instant},
};

use monoio::{
    buf::{IoBufMut, SliceMut},
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::{TcpStream, UnixStream},
};

use crate::driver::Driver;

/// Runs a task on this shard. It ends with the shard or by itself.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(task));
}

/// Waits without holding the shard.
pub(crate) async fn sleep(duration: Duration) {
    monoio::time::sleep(duration).await;
}

/// Waits until `deadline` at the latest; an [`io::ErrorKind::TimedOut`] error
/// afterwards.
pub(crate) async fn before<T>(
    deadline: Instant,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match monoio::time::timeout_at(deadline.into(), operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// A connected TCP stream of this shard.
pub(crate) struct Stream(TcpStream);

impl Stream {
    /// Takes over a connection that was accepted on any thread.
    pub(crate) fn adopt(socket: StdStream, driver: Driver) -> io::Result<Self> {
        socket.set_nonblocking(driver == Driver::Epoll)?;
        socket.set_nodelay(true)?;
        TcpStream::from_std(socket).map(Self)
    }

    /// Connects to `address` before `deadline`.
    pub(crate) async fn connect(address: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let stream = before(deadline, TcpStream::connect_addr(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Appends what has arrived to `buffer`, growing it by at least
    /// `room_min` bytes when it is full. Returns the number of bytes, 0 at the
    /// end of the stream. After a missed deadline `buffer` is empty: the kernel
    /// may still own it.
    pub(crate) async fn read_more(
        &mut self,
        buffer: &mut Vec<u8>,
        room_min: usize,
        deadline: Instant,
    ) -> io::Result<usize> {
        if buffer.capacity() - buffer.len() < room_min.min(READ_MIN) {
            buffer.reserve(room_min);
        }
        let mut owned = std::mem::take(buffer);
        let (begin, end) = (owned.len(), owned.bytes_total());
        let room = SliceMut::new(owned, begin, end);
        let read = async {
            let (outcome, room) = self.0.read(room).await;
            Ok((outcome, room))
        };
        let (outcome, room) = before(deadline, read).await?;
        *buffer = room.into_inner();
        outcome
    }

    /// Writes all of `bytes` before `deadline` and gives the buffer back for
    /// reuse.
    pub(crate) async fn write_all<B: monoio::buf::IoBuf + 'static>(
        &mut self,
        bytes: B,
        deadline: Instant,
    ) -> io::Result<B> {
        let write = async {
            let (outcome, bytes) = self.0.write_all(bytes).await;
            outcome.map(|_| bytes)
        };
        before(deadline, write).await
    }

    /// Tells the peer that nothing more will be written.
    pub(crate) async fn shutdown_write(&mut self) -> io::Result<()> {
        monoio::io::AsyncWriteRent::shutdown(&mut self.0).await
    }
}

/// Below this much room a read is not worth its system call.
const READ_MIN: usize = 1024;

/// Readiness of a descriptor that is read by someone else: a listener, the
/// log's event counter.
pub(crate) struct Readiness(UnixStream);

impl Readiness {
    /// Watches a duplicate of `descriptor`.
    pub(crate) fn watch(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        // The socket type only lends its poll operation, which takes any
        // descriptor; nothing is ever read or written through it.
        let duplicate = StdUnixStream::from(rustix::io::dup(descriptor)?);
        UnixStream::from_std(duplicate).map(Self)
    }

    /// Resolves when the descriptor has something to read.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        self.0.readable(false).await
    }
}

/// Opens one of several listeners on the same address; the kernel spreads
/// connections over them.
pub(crate) fn listen(address: SocketAddr) -> io::Result<StdListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Connections that may wait for an accept; the kernel caps it at
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The address as it will be listened on: port 0 becomes a free port.
///
/// With `SO_REUSEPORT` the kernel would share an address silently with another
/// process of the same user, also when it chooses the port itself; so the first
/// look is taken without.
pub(crate) fn claim(address: SocketAddr) -> io::Result<SocketAddr> {
    use socket2::{Domain, Protocol, Socket, Type};
    let probe = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    probe.set_reuse_address(true)?;
    probe.bind(&address.into())?;
    probe.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
