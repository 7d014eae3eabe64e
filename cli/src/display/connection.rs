//! A connection of the event display: requests in, status codes out. All parsing is
//! [`eagre_http1`]'s.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use eagre_http1::{Chunked, Framing, Headers, Limits, Refusal, encode, parse_request};

/// Bytes of a body. More than the largest event the data plane can be configured to take.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Of everything else; the data plane sends heads of at most 256 KiB and no chunks.
const LIMITS: Limits = Limits {
    head_bytes_max: 512 << 10,
    headers_max: 128,
    chunk_line_bytes_max: 256,
    trailer_bytes_max: 8 << 10,
};

/// Bytes asked for at once.
const READ_BYTES: usize = 16 << 10;

/// A whole request.
#[derive(Debug, Default)]
pub struct Request {
    /// `POST`, if all is well.
    pub method: String,
    /// Names as sent, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

impl Request {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// A connection and what was read ahead.
pub struct Connection<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// The part of a head that outlives the buffer.
struct Head {
    request: Request,
    bytes: usize,
    framing: Framing,
    expect_continue: bool,
}

impl<S: Read + Write> Connection<S> {
    /// A connection nothing was read from yet.
    pub fn new(stream: S) -> Connection<S> {
        Connection { stream, buffer: Vec::new() }
    }

    /// The next request; `None` when the other side is done or was refused.
    pub fn next(&mut self) -> io::Result<Option<Request>> {
        let head = loop {
            match head(&self.buffer) {
                Ok(Some(head)) => break head,
                Ok(None) if self.fill()? => {}
                Ok(None) => return Ok(None),
                Err(refusal) => return self.refuse(refusal.status()),
            }
        };
        self.buffer.drain(..head.bytes);
        if head.expect_continue {
            self.stream.write_all(encode::CONTINUE)?;
        }
        let mut request = head.request;
        match self.body(&head.framing)? {
            Ok(body) => request.body = body,
            Err(status) => return self.refuse(status),
        }
        Ok(Some(request))
    }

    /// Answers the request that [`Connection::next`] returned.
    pub fn answer(&mut self, status: u16, keep_alive: bool) -> io::Result<()> {
        let mut head = Vec::new();
        encode::response_head(&mut head, status, [], Some(0), keep_alive).expect("no field, so no wrong one");
        self.stream.write_all(&head)
    }

    fn refuse(&mut self, status: u16) -> io::Result<Option<Request>> {
        self.answer(status, false)?;
        Ok(None)
    }

    /// The body, or the status that refuses it.
    fn body(&mut self, framing: &Framing) -> io::Result<Result<Vec<u8>, u16>> {
        match framing {
            Framing::None | Framing::UntilClose => Ok(Ok(Vec::new())),
            Framing::Length(length) => match usize::try_from(*length) {
                Ok(length) if length <= BODY_BYTES_MAX => self.exactly(length).map(Ok),
                _ => Ok(Err(413)),
            },
            Framing::Chunked => self.chunked(),
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.expect_more()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn chunked(&mut self) -> io::Result<Result<Vec<u8>, u16>> {
        let mut decoder = Chunked::new(&LIMITS);
        let mut body = Vec::new();
        loop {
            match decoder.decode(&self.buffer, &mut body, BODY_BYTES_MAX) {
                Ok(progress) => {
                    self.buffer.drain(..progress.consumed);
                    if progress.done {
                        return Ok(Ok(body));
                    }
                }
                Err(refusal) => return Ok(Err(refusal.status())),
            }
            self.expect_more()?;
        }
    }

    fn expect_more(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads what there is; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let end = self.buffer.len();
        self.buffer.resize(end + READ_BYTES, 0);
        let outcome = self.stream.read(&mut self.buffer[end..]);
        self.buffer.truncate(end + outcome.as_ref().unwrap_or(&0));
        outcome.map(|count| count > 0)
    }
}

fn head(buffer: &[u8]) -> Result<Option<Head>, Refusal> {
    let mut scratch = Headers::new();
    let Some(head) = parse_request(buffer, &mut scratch, &LIMITS)? else { return Ok(None) };
    let request = Request {
        method: head.method.to_owned(),
        headers: head.headers.iter().map(|field| (field.name.to_owned(), field.value.to_owned())).collect(),
        body: Vec::new(),
        keep_alive: head.keep_alive,
    };
    let (bytes, expect_continue) = (head.head_bytes, head.expect_continue);
    Ok(Some(Head { request, bytes, framing: head.framing, expect_continue }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads from a text byte by byte, collects what is written.
    struct Peer<'a> {
        input: &'a [u8],
        output: Vec<u8>,
    }

    impl Read for Peer<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.input.len().min(1);
            buffer[..count].copy_from_slice(&self.input[..count]);
            self.input = &self.input[count..];
            Ok(count)
        }
    }

    impl Write for Peer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.output.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(input: &str) -> Connection<Peer<'_>> {
        Connection::new(Peer { input: input.as_bytes(), output: Vec::new() })
    }

    #[test]
    fn requests_follow_one_another_on_a_connection() {
        let one = "POST / HTTP/1.1\r\nHost: h\r\nce-id: 1\r\nContent-Length: 2\r\n\r\nab";
        let two = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n";
        let text = format!("{one}{two}");
        let mut connection = connection(&text);
        let first = connection.next().unwrap().unwrap();
        assert_eq!((first.header("CE-ID"), first.body.as_slice()), (Some(&b"1"[..]), &b"ab"[..]));
        assert_eq!(connection.next().unwrap().unwrap().body, b"cd");
        assert!(connection.next().unwrap().is_none());
        assert!(connection.stream.output.is_empty());
    }

    #[test]
    fn what_is_no_request_is_refused_and_the_connection_closed() {
        let mut connection = connection("nonsense\r\n\r\n");
        assert!(connection.next().unwrap().is_none());
        assert!(connection.stream.output.starts_with(b"HTTP/1.1 400 "));
    }

    #[test]
    fn a_body_beyond_the_limit_is_not_waited_for() {
        let mut connection = connection("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n");
        assert!(connection.next().unwrap().is_none());
        assert!(connection.stream.output.starts_with(b"HTTP/1.1 413 "));
    }
}
