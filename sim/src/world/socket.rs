//! One end of a connection.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    task::Poll,
};

use eagre_dataplane::simulation::{Local, Socket};

use super::{
    MILLISECOND, Nanos, SECOND, Shared, lock,
    pipe::{Found, Pipe, broken_pipe, reset_error},
};

/// An end of a connection. As on a real machine, closing one that has unread
/// bytes resets the connection.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    /// Of this end, then of the other.
    link: Arc<Mutex<[Pipe; 2]>>,
    side: usize,
    /// The run of the process in which it was made.
    pub(crate) run: u32,
    /// The process under test has it.
    is_tested: bool,
}

/// The side that connects.
const DIALS: usize = 0;

/// A connection: the end that connects, and the one that accepts.
pub(super) fn pair(shared: &Arc<Shared>, tested: usize) -> (Wire, Wire) {
    let link = Arc::new(Mutex::new(<[Pipe; 2]>::default()));
    if shared.chance(shared.habits().resets) {
        let at = shared.clock.now() + shared.below(SECOND);
        lock(&link).iter_mut().for_each(|pipe| pipe.reset(at));
    }
    if tested == DIALS {
        shared.dialled.fetch_add(1, Relaxed);
    }
    let run = shared.run.load(Relaxed);
    let end = |side| Wire {
        shared: Arc::clone(shared),
        link: Arc::clone(&link),
        side,
        run,
        is_tested: side == tested,
    };
    (end(0), end(1))
}

impl Wire {
    fn arrival(&self) -> Nanos {
        self.shared.clock.now() + self.shared.latency(self.shared.habits().latency_max)
    }

    /// At most `max` bytes that have arrived; none at the end.
    pub(crate) async fn receive(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let mut sleep = None;
        let partial = self.shared.chance(self.shared.habits().partial);
        let max = if partial { 1 + self.shared.below(max.min(64) as u64) as usize } else { max };
        poll_fn(|context| {
            let mut link = lock(&self.link);
            let pipe = &mut link[1 - self.side];
            let next = match pipe.read(max, self.shared.clock.now()) {
                Found::Bytes(bytes) => return Poll::Ready(Ok(bytes)),
                Found::End => return Poll::Ready(Ok(Vec::new())),
                Found::Reset => return Poll::Ready(Err(reset_error())),
                Found::Nothing(next) => next,
            };
            pipe.reader = Some(context.waker().clone());
            drop(link);
            sleep = next.map(|at| self.shared.clock.sleep_until(at));
            if let Some(sleep) = &mut sleep
                && Pin::new(sleep).poll(context).is_ready()
            {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Sends some of `bytes`, at least one.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let partial = self.shared.chance(self.shared.habits().partial) && bytes.len() > 1;
        let max = if partial { 1 + self.shared.below(bytes.len() as u64 - 1) as usize } else { bytes.len() };
        let arrival = self.arrival();
        poll_fn(|context| {
            let now = self.shared.clock.now();
            let mut link = lock(&self.link);
            if link[1 - self.side].is_reset(now) {
                return Poll::Ready(Err(broken_pipe()));
            }
            if link[self.side].reader_gone {
                // The other end answers bytes that nobody reads with a reset.
                link[1 - self.side].reset(now + MILLISECOND);
                return Poll::Ready(Ok(max));
            }
            let room = link[self.side].room();
            if room == 0 {
                link[self.side].writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            let sent = max.min(room);
            link[self.side].write(&bytes[..sent], arrival);
            Poll::Ready(Ok(sent))
        })
        .await
    }

    /// Sends all of `bytes`.
    pub(crate) async fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            sent += self.send(&bytes[sent..]).await?;
        }
        Ok(())
    }

    /// Nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let at = self.arrival();
        lock(&self.link)[self.side].finish(at);
    }

    /// Ends the connection without a word.
    pub(crate) fn reset(self) {
        let at = self.arrival();
        lock(&self.link)[self.side].reset(at);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.is_tested && self.side == DIALS {
            self.shared.dialled.fetch_sub(1, Relaxed);
        }
        let at = self.arrival();
        let mut link = lock(&self.link);
        let unread = link[1 - self.side].holds_bytes();
        link[1 - self.side].reader_gone = true;
        let writer = link[1 - self.side].writer.take();
        if unread {
            link[self.side].reset(at);
        } else {
            link[self.side].finish(at);
        }
        drop(link);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

impl Socket for Wire {
    fn read(&mut self, max: usize) -> Local<'_, io::Result<Vec<u8>>> {
        Box::pin(self.receive(max))
    }

    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Local<'a, io::Result<usize>> {
        Box::pin(self.send(bytes))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.finish();
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        lock(&self.link)[1 - self.side].is_quiet(self.shared.clock.now())
    }
}
