//! As much of HTTP/1.1 as a producer and a subscriber of a trial need: messages with a
//! declared length on connections that are kept. Everything else is an error.

use std::{
    io::{self, Read},
    net::TcpStream,
};

use super::patience::HANG_MAX;

/// A connection that messages are read from.
pub struct Connection {
    /// To write to.
    pub stream: TcpStream,
    received: Vec<u8>,
}

/// A message: its first line and fields as text, and its body.
pub struct Message {
    /// Up to the empty line.
    pub head: String,
    /// As long as the head says.
    pub body: Vec<u8>,
}

impl Connection {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// The socket refuses its options.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG_MAX))?;
        stream.set_write_timeout(Some(HANG_MAX))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// The next message; none at the end of the stream between messages.
    ///
    /// # Errors
    /// The connection breaks within a message, or what arrives is none.
    pub fn message(&mut self) -> io::Result<Option<Message>> {
        let head_bytes = loop {
            if let Some(at) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if self.read()? == 0 {
                return if self.received.is_empty() { Ok(None) } else { Err(cut()) };
            }
        };
        let head = String::from_utf8(self.received.drain(..head_bytes).collect());
        let head = head.map_err(|_| invalid("a head that is not text"))?;
        let length = field(&head, "content-length").map_or(Ok(0), str::parse);
        let length: usize = length.map_err(|_| invalid("a length that is no number"))?;
        while self.received.len() < length {
            if self.read()? == 0 {
                return Err(cut());
            }
        }
        Ok(Some(Message { head, body: self.received.drain(..length).collect() }))
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let bytes = self.stream.read(&mut chunk)?;
        self.received.extend_from_slice(&chunk[..bytes]);
        Ok(bytes)
    }
}

impl Message {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// The second word of the first line: a request's target, a response's status.
    pub fn second_word(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
