//! What all actors share.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::Poll,
};

use super::{ledger::Ledger, model::Version, plan::Plan, process::Running, seen::Seen};
use crate::{
    random::Random,
    world::{Machine, Nanos},
};

/// Where producers find the process.
pub(super) fn ingress() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 8080))
}

pub(super) struct Scene {
    pub machine: Machine,
    pub plan: Plan,
    pub ledger: RefCell<Ledger>,
    /// Everything that was published, ascending.
    pub versions: RefCell<Vec<Version>>,
    pub process: RefCell<Option<Rc<Running>>>,
    /// All trouble is over.
    pub calm: Cell<bool>,
    /// Producers that have not sent everything.
    pub producers_left: Cell<u64>,
    /// Nothing is edited any more.
    pub edited: Cell<bool>,
    /// A promise that was broken.
    pub violation: RefCell<Option<String>>,
}

impl Scene {
    pub(super) fn saw(&self, seen: Seen) {
        self.ledger.borrow_mut().saw(seen);
    }

    /// A promise is broken; the first one is told.
    pub(super) fn violated(&self, what: String) {
        self.machine.line(format_args!("VIOLATION: {what}"));
        self.violation.borrow_mut().get_or_insert(what);
    }

    pub(super) fn random(&self) -> Random {
        self.machine.shared.fork()
    }

    /// What comes of `future`, if that is within `duration`.
    pub(super) async fn within<T>(&self, duration: Nanos, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.machine.sleep(duration));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// The process takes connections, and since when.
    pub(super) fn serving_since(&self) -> Option<Nanos> {
        self.process.borrow().as_ref().and_then(|process| process.serving_since.get())
    }

    /// The number of the present run of the process, or of the last.
    pub(super) fn run(&self) -> u32 {
        self.process.borrow().as_ref().map_or(0, |process| process.pid.0)
    }
}
