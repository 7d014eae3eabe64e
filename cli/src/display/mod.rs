//! The event display of a bare `eagre up`: a subscriber on a free loopback port that
//! prints every event it gets and takes all of them.
//!
//! What it prints comes from whoever can post an event, so control characters are
//! escaped before they reach the terminal.

mod connection;
mod event;
mod json;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use connection::{Connection, Request};
use event::Event;

/// Connections at a time, a thread each. The data plane opens one per delivery in flight;
/// one too many is closed, and its delivery tried again.
const CONNECTIONS_MAX: usize = 256;

/// Stack of a connection's thread: the parser's array of fields and little else.
const STACK_BYTES: usize = 256 << 10;

/// How long a connection may be silent; longer than the data plane keeps idle ones.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Starts it; it runs until the process ends.
///
/// # Errors
/// No port, or no thread, is to be had.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("display".into()).spawn(move || accept(&listener))?;
    Ok(address)
}

fn accept(listener: &TcpListener) {
    let places = Arc::new(());
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: those in use come back.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let place = Arc::clone(&places);
        if Arc::strong_count(&places) > CONNECTIONS_MAX {
            continue;
        }
        let serve = move || {
            // The other side sees a connection that broke, and tries again.
            let _ = serve(stream);
            drop(place);
        };
        let _ = thread::Builder::new().name("display".into()).stack_size(STACK_BYTES).spawn(serve);
    }
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.next()? {
        let status = show(&request)?;
        connection.answer(status, request.keep_alive)?;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

/// Prints the event in one write; the status to answer. An event counts as taken when the
/// terminal has it.
fn show(request: &Request) -> io::Result<u16> {
    if request.method != "POST" {
        return Ok(405);
    }
    let Some(event) = Event::of(request) else { return Ok(400) };
    let mut out = io::stdout().lock();
    out.write_all(event.to_string().as_bytes())?;
    out.flush()?;
    Ok(202)
}
