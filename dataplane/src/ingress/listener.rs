//! Accept, and the choice of the shard that serves the connection.
//!
//! The kernel spreads connections over the shards' listeners by a hash, which
//! is even for thousands of connections and anything but even for four. So the
//! accepting shard gives a connection to the shard that has the fewest, unless
//! that is itself.
//!
//! A shard that has all the connections it may have closes the one that has been
//! idle longest, and accepts again when its place is free; if none is idle, who
//! comes next waits in the kernel's queue.

use std::{io, rc::Rc, time::Duration};

use super::{
    Ingress,
    census::{Census, Member},
    connection,
};
use crate::runtime::{
    net::{Accepted, Listener, Stream},
    task, time,
};

/// Gives a connection to another shard, or gives it back.
pub(crate) type Forward = Box<dyn Fn(usize, Accepted, Member) -> Result<(), Accepted>>;

/// A shard's listener and its way to the others.
pub(crate) struct Acceptor {
    pub(crate) listener: Listener,
    pub(crate) index: usize,
    pub(crate) census: Census,
    pub(crate) forward: Forward,
}

impl Acceptor {
    /// Accepts for as long as the shard runs: one that drains still answers, so
    /// that producers know when to come back.
    pub(crate) async fn run(self, ingress: Rc<Ingress>) {
        let arrivals = match self.listener.watch() {
            Ok(arrivals) => arrivals,
            Err(error) => return tracing::error!("cannot watch the listener: {error}"),
        };
        loop {
            if let Err(error) = arrivals.ready().await {
                tracing::error!("the listener cannot be waited for: {error}");
                return;
            }
            if let Err(error) = self.accept_all(&ingress).await {
                // What is open goes on, and the kernel keeps the others waiting.
                tracing::warn!("cannot accept a connection: {error}");
                ingress.metrics.accept_paused();
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    async fn accept_all(&self, ingress: &Rc<Ingress>) -> io::Result<()> {
        loop {
            if !self.has_place(ingress).await {
                return Err(io::Error::other("the shard has all the connections it may have"));
            }
            match self.listener.accept() {
                Ok(accepted) => self.place(ingress, accepted),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of descriptors or memory.
                    ingress.idle.shed();
                    return Err(error);
                }
            }
        }
    }

    /// Whether one more may come, at the cost of who has been idle longest.
    async fn has_place(&self, ingress: &Ingress) -> bool {
        let is_full = || self.census.of(self.index) >= ingress.connections_max;
        if is_full() && ingress.idle.shed() {
            // It counts until its task has ended, or goes on if a request came meanwhile.
            let until = time::now() + ACCEPT_PAUSE;
            while is_full() && time::now() < until {
                time::sleep_until_or(until, &ingress.vacancy).await;
            }
        }
        !is_full()
    }

    fn place(&self, ingress: &Rc<Ingress>, accepted: Accepted) {
        let chosen = self.census.choose(self.index);
        let member = self.census.enter(chosen);
        if chosen == self.index {
            return serve(ingress, accepted, member);
        }
        // A full mailbox gives the connection back: then it stays here.
        if let Err(accepted) = (self.forward)(chosen, accepted, member) {
            serve(ingress, accepted, self.census.enter(self.index));
        }
    }
}

/// Serves an accepted connection on this shard.
pub(crate) fn serve(ingress: &Rc<Ingress>, accepted: Accepted, member: Member) {
    match Stream::adopt(accepted, ingress.driver) {
        Ok(stream) => {
            let ingress = Rc::clone(ingress);
            task::spawn(async move {
                ingress.metrics.connection_opened();
                connection::serve(Rc::clone(&ingress), stream).await;
                ingress.metrics.connection_closed();
                drop(member);
                ingress.vacancy.notify();
            });
        }
        Err(error) => tracing::warn!("cannot serve a connection: {error}"),
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
