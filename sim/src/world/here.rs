//! The machine as one process sees it.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    panic::resume_unwind,
    path::Path,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Instant, SystemTime},
};

use eagre_dataplane::simulation::{Local, Socket, World};
use eagre_wal::{Log, OpenError, Options, Recovery, RemoveError};

use super::{MILLISECOND, Machine, Pid, descriptors::is_readable, executor::Exit};

/// What a process sees.
pub(crate) struct Here {
    pub machine: Machine,
    pub pid: Pid,
}

impl World for Here {
    fn now(&self) -> Instant {
        self.machine.shared.clock.instant()
    }

    fn monotonic_ms(&self) -> u64 {
        self.machine.now() / MILLISECOND
    }

    fn calendar(&self) -> SystemTime {
        self.machine.shared.clock.calendar()
    }

    fn sleep_until(&self, at: Instant) -> Local<'static, ()> {
        let clock = &self.machine.shared.clock;
        Box::pin(clock.sleep_until(clock.nanos(at)))
    }

    fn next_turn(&self) -> Local<'static, ()> {
        self.machine.executor.next_turn()
    }

    fn spawn(&self, task: Local<'static, ()>) {
        self.machine.executor.spawn(self.pid, task);
    }

    fn blocking(&self) -> Local<'static, ()> {
        let shared = &self.machine.shared;
        Box::pin(self.machine.sleep(shared.latency(shared.habits().disk_latency_max)))
    }

    fn connect(&self, address: SocketAddr) -> Local<'static, io::Result<Box<dyn Socket>>> {
        let connect = Rc::clone(&self.machine.net).connect(address, true);
        Box::pin(async move { Ok(Box::new(connect.await?) as Box<dyn Socket>) })
    }

    fn readable(&self, descriptor: BorrowedFd<'_>) -> Local<'static, io::Result<()>> {
        let descriptor = match descriptor.try_clone_to_owned() {
            Ok(descriptor) => Arc::new(descriptor),
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let (executor, pid) = (Rc::clone(&self.machine.executor), self.pid);
        Box::pin(poll_fn(move |context| {
            if is_readable(&descriptor) {
                return Poll::Ready(Ok(()));
            }
            executor.descriptors.wait(pid, &descriptor, context.waker().clone());
            Poll::Pending
        }))
    }

    fn resolve(&self, host: &str, port: u16) -> Local<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(Rc::clone(&self.machine.net).resolve(host.to_owned(), port))
    }

    fn open_log(&self, directory: &Path, options: Options) -> Result<(Log, Recovery), OpenError> {
        self.machine.disks.borrow_mut().open(&self.machine.shared, directory, options)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        Ok(self.machine.disks.borrow().list(directory))
    }

    fn remove_log(&self, directory: &Path) -> Result<(), RemoveError> {
        self.machine.line(format_args!("log {} is removed", directory.display()));
        self.machine.disks.borrow_mut().remove(directory);
        Ok(())
    }

    fn turn_budget(&self) -> (usize, usize) {
        self.machine.shared.habits().turn_budget
    }

    fn has_read(&self, bytes: usize) {
        self.machine.shared.has_read(bytes);
    }

    fn exit(&self, code: u8) -> ! {
        self.machine.line(format_args!("the process exits with {code}"));
        resume_unwind(Box::new(Exit(code)))
    }
}
