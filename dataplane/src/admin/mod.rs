//! The admin port: health, readiness, metrics, and the state of brokers and triggers.
//!
//! Threads of its own with blocking sockets, so that it answers when a shard does not.
//! One request a connection, a fixed number of connections, a deadline on every read and
//! write: a client can hold one place for a few seconds, and only while nobody else wants
//! it. It reads state and never changes it; everything it shows comes in through
//! [`AdminState`], so that it knows no shard.
//!
//! Deliberately absent: TLS and authentication. The port listens on loopback unless told
//! otherwise, and holds no payload.

mod places;
mod http;
mod pages;
pub(crate) mod view;

use std::{
    io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

pub use pages::{AdminState, BrokerRow};

use self::places::Places;
use crate::limits::admin as limits;

/// The running admin port. Dropping it stops it: nothing more is accepted; requests under
/// way are answered, but not waited for.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// Starts to answer on `listener`.
///
/// # Errors
/// The system refuses a thread or a descriptor.
pub fn serve(listener: TcpListener, state: Arc<dyn AdminState>) -> io::Result<Server> {
    let stopping = Arc::new(AtomicBool::new(false));
    let accepting = {
        let (listener, stopping) = (listener.try_clone()?, Arc::clone(&stopping));
        // A listener that came non-blocking would make the loop below spin.
        listener.set_nonblocking(false)?;
        thread::Builder::new().name("admin".into()).spawn(move || accept(&listener, &stopping, &state))?
    };
    Ok(Server { listener, stopping, accepting: Some(accepting) })
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // On Linux this makes a blocked accept return.
        let shut = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let (Ok(()), Some(accepting)) = (shut, self.accepting.take()) {
            // Nothing is left to be told should that thread have panicked.
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, stopping: &AtomicBool, state: &Arc<dyn AdminState>) {
    let places = Arc::<Places>::default();
    loop {
        let accepted = listener.accept();
        if stopping.load(Ordering::Acquire) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, as a rule. Accepting again at once would fail again.
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        let (place, state) = (places.take(stream, limits::CONNECTIONS_MAX), Arc::clone(state));
        let answer = move || {
            // A client that left or dawdled is its own business.
            let _ = http::answer(&place, &*state);
        };
        if let Err(error) = thread::Builder::new().name("admin-answer".into()).spawn(answer) {
            tracing::warn!("an admin request is not answered, no thread for it: {error}");
        }
    }
}

/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
