//! Sockets and readiness.
//!
//! monoio stays behind this module and its neighbours, so that its known traps
//! are met in one place and another runtime can take its place:
//! - a future of `accept` is never dropped (0.2.4 leaks the descriptor), so
//!   listeners are polled for readiness and accepted with the plain system call;
//! - join handles are dropped at once and never leave their thread;
//! - sockets are non-blocking for epoll and blocking for io_uring, which would
//!   otherwise answer `EAGAIN` instead of waiting.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream as StdUnixStream,
    },
    time::Instant,
};

use monoio::{
    buf::{IoBuf, IoBufMut, SliceMut},
    io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt},
    net::{TcpStream, UnixStream},
};
use rustix::io::Errno;

#[cfg(feature = "simulation")]
use super::world::{self, Listen, Socket};
use super::{driver::Driver, time::before};

/// A connection that was accepted and belongs to no shard yet.
pub(crate) enum Accepted {
    Kernel(StdStream),
    #[cfg(feature = "simulation")]
    World(Box<dyn Socket>),
}

/// A connected TCP stream of this shard.
pub(crate) struct Stream(Kind);

enum Kind {
    Kernel(TcpStream),
    #[cfg(feature = "simulation")]
    World(Box<dyn Socket>),
}

impl Stream {
    /// Takes over a connection that was accepted on any thread.
    pub(crate) fn adopt(accepted: Accepted, driver: Driver) -> io::Result<Self> {
        match accepted {
            Accepted::Kernel(socket) => {
                socket.set_nonblocking(driver == Driver::Epoll)?;
                socket.set_nodelay(true)?;
                TcpStream::from_std(socket).map(|stream| Self(Kind::Kernel(stream)))
            }
            #[cfg(feature = "simulation")]
            Accepted::World(socket) => Ok(Self(Kind::World(socket))),
        }
    }

    /// Connects to `address` before `deadline`.
    pub(crate) async fn connect(address: SocketAddr, deadline: Instant) -> io::Result<Self> {
        #[cfg(feature = "simulation")]
        if let Some(world) = world::current() {
            return before(deadline, world.connect(address)).await.map(|socket| Self(Kind::World(socket)));
        }
        let stream = before(deadline, TcpStream::connect_addr(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(Kind::Kernel(stream)))
    }

    /// Appends what has arrived to `buffer`, growing it by at least
    /// `room_min` bytes when it is full. Returns the number of bytes, 0 at the
    /// end of the stream. Who stops to wait for it finds `buffer` empty: the kernel
    /// may still own it.
    pub(crate) async fn read_more(&mut self, buffer: &mut Vec<u8>, room_min: usize) -> io::Result<usize> {
        if buffer.capacity() - buffer.len() < room_min.min(READ_MIN) {
            buffer.reserve(room_min);
        }
        let mut owned = std::mem::take(buffer);
        match &mut self.0 {
            Kind::Kernel(stream) => {
                let (begin, end) = (owned.len(), owned.bytes_total());
                let (outcome, room) = stream.read(SliceMut::new(owned, begin, end)).await;
                *buffer = room.into_inner();
                outcome
            }
            #[cfg(feature = "simulation")]
            Kind::World(socket) => {
                let read = socket.read(owned.capacity() - owned.len()).await;
                owned.extend_from_slice(read.as_deref().unwrap_or_default());
                *buffer = owned;
                read.map(|bytes| bytes.len())
            }
        }
    }

    /// Writes all of `bytes` and gives the buffer back for reuse.
    pub(crate) async fn write_all<B: IoBuf + AsRef<[u8]> + 'static>(
        &mut self,
        bytes: B,
    ) -> Result<B, WriteError> {
        #[cfg_attr(not(feature = "simulation"), expect(clippy::infallible_destructuring_match))]
        let stream = match &mut self.0 {
            Kind::Kernel(stream) => stream,
            #[cfg(feature = "simulation")]
            Kind::World(socket) => return write_to_world(socket, bytes).await,
        };
        // The first part by itself: that not a byte was taken can be told of
        // it alone.
        let (outcome, bytes) = stream.write(bytes).await;
        let written = outcome.map_err(|error| WriteError { taken: false, error })?;
        if written == bytes.bytes_init() {
            return Ok(bytes);
        }
        let (outcome, bytes) = stream.write_all(bytes.slice(written..)).await;
        outcome.map_err(|error| WriteError { taken: true, error })?;
        Ok(bytes.into_inner())
    }

    /// Tells the peer that nothing more will be written.
    pub(crate) async fn shutdown_write(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Kernel(stream) => stream.shutdown().await,
            #[cfg(feature = "simulation")]
            Kind::World(socket) => socket.shutdown_write(),
        }
    }

    /// Nothing has arrived that was not read, not even the end or an error. Does
    /// not wait.
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.0 {
            Kind::Kernel(stream) => super::peek::is_quiet(stream),
            #[cfg(feature = "simulation")]
            Kind::World(socket) => socket.is_quiet(),
        }
    }
}

/// A write that failed.
#[derive(Debug)]
pub(crate) struct WriteError {
    /// The kernel may have taken some of the bytes, so that the peer may have
    /// seen them.
    pub(crate) taken: bool,
    pub(crate) error: io::Error,
}

impl From<WriteError> for io::Error {
    fn from(failed: WriteError) -> Self {
        failed.error
    }
}

#[cfg(feature = "simulation")]
async fn write_to_world<B: AsRef<[u8]>>(socket: &mut Box<dyn Socket>, bytes: B) -> Result<B, WriteError> {
    let mut written = 0;
    while written < bytes.as_ref().len() {
        let write = socket.write(&bytes.as_ref()[written..]).await;
        written += write.map_err(|error| WriteError { taken: written > 0, error })?;
    }
    Ok(bytes)
}

/// Below this much room a read is not worth its system call.
const READ_MIN: usize = 1024;

/// Readiness of a descriptor that is read by someone else: a listener, the
/// log's event counter.
pub(crate) struct Readiness(Watched);

enum Watched {
    Kernel(UnixStream),
    #[cfg(feature = "simulation")]
    World(OwnedFd),
}

impl Readiness {
    /// Watches a duplicate of `descriptor`.
    pub(crate) fn watch(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        let duplicate: OwnedFd = rustix::io::dup(descriptor)?;
        #[cfg(feature = "simulation")]
        if world::current().is_some() {
            return Ok(Self(Watched::World(duplicate)));
        }
        // The socket type only lends its poll operation, which takes any
        // descriptor; nothing is ever read or written through it.
        UnixStream::from_std(StdUnixStream::from(duplicate)).map(|stream| Self(Watched::Kernel(stream)))
    }

    /// Resolves when the descriptor has something to read.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        match &self.0 {
            Watched::Kernel(stream) => stream.readable(false).await,
            #[cfg(feature = "simulation")]
            Watched::World(descriptor) => match world::current() {
                Some(world) => world.readable(descriptor.as_fd()).await,
                None => Err(io::Error::other("the world has ended")),
            },
        }
    }
}

/// One of several listeners on the same address.
pub(crate) enum Listener {
    Kernel(StdListener),
    #[cfg(feature = "simulation")]
    World(Box<dyn Listen>),
}

impl Listener {
    /// Opens a listener; the kernel spreads connections over those with the same
    /// address.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Kernel(socket.into()))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kernel(listener) => listener.local_addr(),
            #[cfg(feature = "simulation")]
            Self::World(_) => Ok(SocketAddr::from(([127, 0, 0, 1], 8080))),
        }
    }

    /// Readiness for an accept.
    pub(crate) fn watch(&self) -> io::Result<Readiness> {
        match self {
            Self::Kernel(listener) => Readiness::watch(listener.as_fd()),
            #[cfg(feature = "simulation")]
            Self::World(listener) => Readiness::watch(listener.descriptor()),
        }
    }

    /// The next connection; [`io::ErrorKind::WouldBlock`] if there is none.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Kernel(listener) => listener.accept().map(|(socket, _)| Accepted::Kernel(socket)),
            #[cfg(feature = "simulation")]
            Self::World(listener) => listener.accept().map(Accepted::World),
        }
    }
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

/// This process or machine is short of descriptors or memory. Nothing of that is
/// the peer's doing, and it passes.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}
