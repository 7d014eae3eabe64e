//! One connection: a request in, an answer out, each before its deadline, and closed.

use std::{
    io::{self, Read, Write},
    iter,
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use eagre_http1::{HEADERS_MAX, Headers, Limits, encode, parse_request};

use super::{
    pages::{ALLOW, AdminState, Page},
    places::Place,
};
use crate::limits::{admin as limits, ingress::CHUNK_LINE_BYTES_MAX};

const LIMITS: Limits = Limits {
    head_bytes_max: limits::HEAD_BYTES_MAX,
    headers_max: HEADERS_MAX,
    chunk_line_bytes_max: CHUNK_LINE_BYTES_MAX,
    // Bodies are never read.
    trailer_bytes_max: 0,
};

/// Answers the one request of the connection that has `place`.
///
/// # Errors
/// The client left, missed a deadline, or had to leave.
pub(super) fn answer(place: &Place, state: &dyn AdminState) -> io::Result<()> {
    let stream = &*place.stream;
    let (page, with_body) = read_request(stream, state, || place.has_asked())?;
    let deadline = Instant::now() + limits::WRITE_DEADLINE;
    write_all(stream, &head(&page), deadline)?;
    if with_body {
        write_all(stream, page.body.as_bytes(), deadline)?;
    }
    close(stream)
}

/// The page asked for, and whether its body is.
fn read_request(
    mut stream: &TcpStream,
    state: &dyn AdminState,
    has_asked: impl Fn(),
) -> io::Result<(Page, bool)> {
    let deadline = Instant::now() + limits::READ_DEADLINE;
    let mut input = Vec::with_capacity(1024);
    loop {
        match parse_request(&input, &mut Headers::new(), &LIMITS) {
            Ok(Some(head)) => {
                has_asked();
                return Ok((Page::of(head.method, head.target, state), head.method != "HEAD"));
            }
            Ok(None) => {}
            Err(refusal) => return Ok((Page::text(refusal.status(), refusal.to_string()), true)),
        }
        let mut chunk = [0; 1024];
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => input.extend_from_slice(&chunk[..n]),
        }
    }
}

fn head(page: &Page) -> Vec<u8> {
    let content_type = ("content-type", page.content_type.as_bytes());
    let allow = (page.status == 405).then_some(("allow", ALLOW.as_bytes()));
    let mut head = Vec::with_capacity(256);
    let length = page.body.len() as u64;
    encode::response_head(&mut head, page.status, iter::once(content_type).chain(allow), Some(length), false)
        .expect("the fields are constants of ours");
    head
}

fn write_all(mut stream: &TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(remaining(deadline)?))?;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => bytes = &bytes[n..],
        }
    }
    Ok(())
}

/// Closes our side and waits a little for the client's: a socket closed over unread
/// input resets the connection, and the answer with it (RFC 9112 section 9.6).
fn close(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + LINGER;
    let mut discarded = [0; 4096];
    for _ in 0..LINGER_READS_MAX {
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        if stream.read(&mut discarded)? == 0 {
            break;
        }
    }
    Ok(())
}

const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS_MAX: usize = 16;

fn remaining(deadline: Instant) -> io::Result<Duration> {
    let remaining = deadline.saturating_duration_since(Instant::now());
    if remaining.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(remaining) }
}
