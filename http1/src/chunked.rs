//! Chunked bodies, decoded as they arrive (RFC 9112 section 7.1).
//!
//! Strict: CRLF and nothing else ends a line, a size is hexadecimal digits and
//! nothing else. Extensions are skipped, trailers checked and dropped. Each byte is
//! looked at once, and nothing is kept but the decoded body and one trailer
//! line.

use crate::{Limits, Refusal};

/// Bytes of chunk extensions in one body, over all of its chunks. No known
/// producer sends any; without a bound on their sum, one-byte chunks with long
/// extensions make us read many times the body that we count.
pub const EXTENSION_BYTES_MAX: usize = 4096;

/// Digits of the largest size, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;

/// A chunked body in decoding.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// Data bytes announced so far.
    body_bytes: u64,
    /// Bytes of the current size line.
    line_bytes: usize,
    extension_bytes: usize,
    trailer_bytes: usize,
    /// The current trailer line.
    trailer: Vec<u8>,
    chunk_line_bytes_max: usize,
    trailer_bytes_max: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { size: u64, begun: bool },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer,
    TrailerLf,
    Done,
}

/// How far decoding came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are used up: all of it, unless the body ends before.
    pub consumed: usize,
    /// The body is complete; what follows in the input belongs to the next message.
    pub done: bool,
}

impl Chunked {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size { value: 0, digits: 0 },
            body_bytes: 0,
            line_bytes: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailer: Vec::new(),
            chunk_line_bytes_max: limits.chunk_line_bytes_max,
            trailer_bytes_max: limits.trailer_bytes_max,
        }
    }

    /// Decodes `input`, the bytes that follow those already consumed, and
    /// appends data to `out`. A body over `body_bytes_max` bytes is refused as
    /// soon as a chunk announces it.
    ///
    /// # Errors
    /// A [`Refusal`]; the decoder must not be used again.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        body_bytes_max: usize,
    ) -> Result<Progress, Refusal> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if let State::Data { left } = self.state {
                let rest = &input[at..];
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                out.extend_from_slice(&rest[..taken]);
                at += taken;
                let left = left - taken as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
            } else {
                self.state = self.step(input[at], body_bytes_max)?;
                at += 1;
            }
        }
        Ok(Progress { consumed: at, done: self.state == State::Done })
    }

    /// The state after one byte that is not data.
    fn step(&mut self, byte: u8, body_bytes_max: usize) -> Result<State, Refusal> {
        match self.state {
            State::Size { value, digits } => self.size(byte, value, digits),
            State::Extension { size, begun } => self.extension(byte, size, begun),
            State::SizeLf { size } if byte == b'\n' => self.begin_chunk(size, body_bytes_max),
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::Size { value: 0, digits: 0 }),
            State::Trailer => self.trailer(byte),
            State::TrailerLf if byte == b'\n' => self.end_trailer(),
            _ => Err(Refusal::ChunkEnding),
        }
    }

    fn size(&mut self, byte: u8, value: u64, digits: u8) -> Result<State, Refusal> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(State::SizeLf { size: value }),
            b';' if digits > 0 => {
                self.count_extension_byte()?;
                return Ok(State::Extension { size: value, begun: false });
            }
            _ => return Err(Refusal::ChunkSize),
        };
        if digits == SIZE_DIGITS_MAX {
            return Err(Refusal::ChunkSize);
        }
        self.count_line_byte()?;
        Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
    }

    /// Skips what `;` begins. `begun`: it has a name.
    fn extension(&mut self, byte: u8, size: u64, begun: bool) -> Result<State, Refusal> {
        let valid = if begun { is_field_byte(byte) } else { is_token_byte(byte) };
        match byte {
            b'\r' if begun => return Ok(State::SizeLf { size }),
            _ if valid => {}
            _ => return Err(Refusal::ChunkExtension),
        }
        self.count_extension_byte()?;
        Ok(State::Extension { size, begun: true })
    }

    fn count_line_byte(&mut self) -> Result<(), Refusal> {
        self.line_bytes += 1;
        if self.line_bytes > self.chunk_line_bytes_max { Err(Refusal::ChunkLineTooLong) } else { Ok(()) }
    }

    fn count_extension_byte(&mut self) -> Result<(), Refusal> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Refusal::ChunkLineTooLong);
        }
        self.count_line_byte()
    }

    fn begin_chunk(&mut self, size: u64, body_bytes_max: usize) -> Result<State, Refusal> {
        self.line_bytes = 0;
        if size == 0 {
            return Ok(State::Trailer);
        }
        match self.body_bytes.checked_add(size) {
            Some(total) if total <= body_bytes_max as u64 => self.body_bytes = total,
            _ => return Err(Refusal::BodyTooLong),
        }
        Ok(State::Data { left: size })
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Refusal> {
        match byte {
            b'\r' => return Ok(State::TrailerLf),
            b'\n' => return Err(Refusal::ChunkEnding),
            _ => {}
        }
        // Two more bytes will end the line.
        if self.trailer_bytes + self.trailer.len() + 3 > self.trailer_bytes_max {
            return Err(Refusal::TrailerTooLong);
        }
        self.trailer.push(byte);
        Ok(State::Trailer)
    }

    fn end_trailer(&mut self) -> Result<State, Refusal> {
        if self.trailer.is_empty() {
            return Ok(State::Done);
        }
        check_trailer(&self.trailer)?;
        self.trailer_bytes += self.trailer.len() + 2;
        self.trailer.clear();
        Ok(State::Trailer)
    }
}

/// Fields that may not be trailers (RFC 9110 section 6.5.1): they frame the
/// message, route it, or say how to read it. Sorted by kind.
const FORBIDDEN_TRAILERS: [&str; 22] = [
    "transfer-encoding",
    "content-length",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "host",
    "expect",
    "max-forwards",
    "range",
    "cache-control",
    "pragma",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "content-encoding",
    "content-type",
    "content-range",
    "retry-after",
];

fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refusal::Trailer)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let well_formed = !name.is_empty()
        && name.iter().copied().all(is_token_byte)
        && value.iter().copied().all(is_field_byte);
    let forbidden = FORBIDDEN_TRAILERS.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()));
    if well_formed && !forbidden { Ok(()) } else { Err(Refusal::Trailer) }
}

/// `tchar` (RFC 9110 section 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// What a field value is made of (RFC 9110 section 5.5).
pub(crate) const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}
