//! Another world than this machine's, for simulations: with one entered on a
//! thread, everything of the data plane that runs there sees its clock, its
//! network and its disks, and none of the machine's.

use std::{
    cell::RefCell,
    future::Future,
    io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    path::Path,
    pin::Pin,
    rc::Rc,
    time::{Instant, SystemTime},
};

use eagre_wal::{Log, OpenError, Options, Recovery, RemoveError};

/// A future of one thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a world has to offer. All of it on one thread.
pub trait World {
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// The monotonic clock in milliseconds, since any moment.
    fn monotonic_ms(&self) -> u64;
    /// The calendar, which may step.
    fn calendar(&self) -> SystemTime;
    /// Resolves at `at`.
    fn sleep_until(&self, at: Instant) -> Local<'static, ()>;
    /// Resolves when everything else that is due has had its turn.
    fn next_turn(&self) -> Local<'static, ()>;
    /// Runs a task of the process that calls.
    fn spawn(&self, task: Local<'static, ()>);
    /// How long work takes that waits for the disk.
    fn blocking(&self) -> Local<'static, ()>;
    /// Connects to an address.
    fn connect(&self, address: SocketAddr) -> Local<'static, io::Result<Box<dyn Socket>>>;
    /// Resolves when `descriptor` is readable: a listener's or a disk's counter.
    fn readable(&self, descriptor: BorrowedFd<'_>) -> Local<'static, io::Result<()>>;
    /// The addresses of a name.
    fn resolve(&self, host: &str, port: u16) -> Local<'static, io::Result<Vec<SocketAddr>>>;
    /// Opens the log in `directory` of the process that calls.
    fn open_log(&self, directory: &Path, options: Options) -> Result<(Log, Recovery), OpenError>;
    /// The names in `directory`; none if it does not exist.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Removes the log in `directory` and the directory.
    fn remove_log(&self, directory: &Path) -> Result<(), RemoveError>;
    /// Records and bytes that one turn may read of the logs.
    fn turn_budget(&self) -> (usize, usize);
    /// A record of so many bytes was read from a log.
    fn has_read(&self, bytes: usize);
    /// Ends the process that calls.
    fn exit(&self, code: u8) -> !;
}

/// A connection of a world.
pub trait Socket: Send {
    /// Waits for at most `max` bytes; none at the end of the stream.
    fn read(&mut self, max: usize) -> Local<'_, io::Result<Vec<u8>>>;
    /// Writes a part of `bytes`, at least one, and gives how many.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Local<'a, io::Result<usize>>;
    /// Tells the peer that nothing more will be written.
    fn shutdown_write(&mut self) -> io::Result<()>;
    /// Nothing has arrived, not even the end.
    fn is_quiet(&self) -> bool;
}

/// A listener of a world.
pub trait Listen: Send {
    /// The next connection, or [`io::ErrorKind::WouldBlock`].
    fn accept(&self) -> io::Result<Box<dyn Socket>>;
    /// Readable when there may be one.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

thread_local! {
    static WORLD: RefCell<Option<Rc<dyn World>>> = const { RefCell::new(None) };
}

/// Enters a world until the guard is dropped.
#[must_use]
pub fn enter(world: Rc<dyn World>) -> Entered {
    Entered(WORLD.replace(Some(world)))
}

/// See [`enter`].
pub struct Entered(Option<Rc<dyn World>>);

impl Drop for Entered {
    fn drop(&mut self) {
        WORLD.set(self.0.take());
    }
}

pub(crate) fn current() -> Option<Rc<dyn World>> {
    WORLD.with_borrow(Clone::clone)
}
