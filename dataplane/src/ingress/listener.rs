//! Accept, and the choice of the shard that serves the connection.
//!
//! The kernel spreads connections over the shards' listeners by a hash, which
//! is even for thousands of connections and anything but even for four. So the
//! accepting shard gives a connection to the shard that has the fewest, unless
//! that is itself.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam::utils::CachePadded;

use super::connection;
use crate::{
    mail::{Mail, Post},
    net::{self, Readiness, Stream},
    shard::Shard,
};

/// Open connections of every shard. Counts steer and never decide: a stale one
/// costs some balance.
#[derive(Clone)]
pub(crate) struct Census(Arc<[CachePadded<AtomicUsize>]>);

impl Census {
    /// Nothing open on any of `shards`.
    pub(crate) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| CachePadded::default()).collect())
    }

    fn enter(&self, shard: usize) -> Member {
        self.0[shard].fetch_add(1, Relaxed);
        Member(self.clone(), shard)
    }

    /// The shard that should serve a connection accepted by `shard`.
    fn choose(&self, shard: usize) -> usize {
        let load = |index: usize| self.0[index].load(Relaxed);
        let least = (0..self.0.len()).min_by_key(|index| load(*index)).unwrap_or(shard);
        if load(least) < load(shard) { least } else { shard }
    }

    /// Open connections of one shard.
    pub(crate) fn of(&self, shard: usize) -> usize {
        self.0[shard].load(Relaxed)
    }
}

/// One open connection in the count.
pub(crate) struct Member(Census, usize);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.0[self.1].fetch_sub(1, Relaxed);
    }
}

/// A shard's listener and its way to the others.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    pub(crate) index: usize,
    pub(crate) census: Census,
    pub(crate) post: Post,
}

impl Acceptor {
    /// Accepts for as long as the shard runs: one that drains still answers, so
    /// that producers know when to come back.
    pub(crate) async fn run(self, shard: Rc<Shard>) {
        let arrivals = match Readiness::watch(self.listener.as_fd()) {
            Ok(arrivals) => arrivals,
            Err(error) => return tracing::error!("cannot watch the listener: {error}"),
        };
        loop {
            if let Err(error) = arrivals.ready().await {
                tracing::error!("the listener cannot be waited for: {error}");
                return;
            }
            if let Err(error) = self.accept_all(&shard) {
                // Out of descriptors or memory: what is open goes on, and the
                // kernel keeps the others waiting.
                tracing::warn!("cannot accept a connection: {error}");
                shard.metrics.accept_paused();
                net::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn accept_all(&self, shard: &Rc<Shard>) -> io::Result<()> {
        loop {
            if self.census.of(self.index) >= shard.config.ingress.connections_max {
                return Err(io::Error::other("the shard has all the connections it may have"));
            }
            match self.listener.accept() {
                Ok((socket, _)) => self.place(shard, socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn place(&self, shard: &Rc<Shard>, socket: TcpStream) {
        let chosen = self.census.choose(self.index);
        let member = self.census.enter(chosen);
        if chosen == self.index {
            return serve(shard, socket, member);
        }
        // A full mailbox gives the connection back: then it stays here.
        if let Err(Mail::Connection(socket, _)) = self.post.send(chosen, Mail::Connection(socket, member)) {
            serve(shard, socket, self.census.enter(self.index));
        }
    }
}

/// Serves an accepted connection on this shard.
pub(crate) fn serve(shard: &Rc<Shard>, socket: TcpStream, member: Member) {
    match Stream::adopt(socket, shard.driver) {
        Ok(stream) => {
            let shard = Rc::clone(shard);
            net::spawn(async move {
                let metrics = Arc::clone(&shard.metrics);
                metrics.connection_opened();
                connection::serve(shard, stream).await;
                metrics.connection_closed();
                drop(member);
            });
        }
        Err(error) => tracing::warn!("cannot serve a connection: {error}"),
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_are_spread_evenly_wherever_they_arrive() {
        let census = Census::new(3);
        let mut members = Vec::new();
        for _ in 0..7 {
            let chosen = census.choose(0);
            members.push(census.enter(chosen));
        }
        let mut loads: Vec<_> = (0..3).map(|index| census.of(index)).collect();
        loads.sort_unstable();
        assert_eq!(loads, [2, 2, 3]);
        members.clear();
        assert_eq!((0..3).map(|index| census.of(index)).sum::<usize>(), 0);
    }
}
