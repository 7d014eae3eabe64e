//! Request and response heads, from received bytes into borrowed slices.
//!
//! httparse reads the grammar; what it is lenient about (bare LF, empty lines
//! in front) is refused here. What the fields mean for the message is decided in
//! `framing`, what the target means in `target`.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use crate::{
    Framing, Refusal,
    framing::{self, Fields},
    target,
};

/// The most header fields that a head can have: their slots are on the stack,
/// 32 bytes each.
pub const HEADERS_MAX: usize = 128;

/// What a peer may make us read. Each limit is the last size that is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a head, from its first line to the empty line, both included.
    pub head_bytes_max: usize,
    /// Fields in a head; at most [`HEADERS_MAX`].
    pub headers_max: usize,
    /// Bytes of a chunk's size line, without its CRLF.
    pub chunk_line_bytes_max: usize,
    /// Bytes of all trailer fields of a body, with their CRLFs.
    pub trailer_bytes_max: usize,
}

/// One field: its name as sent, its value without surrounding whitespace.
pub type Header<'b> = httparse::Header<'b>;

/// Room for the fields of one head; costs nothing to make.
pub struct Headers<'b>([MaybeUninit<Header<'b>>; HEADERS_MAX]);

impl Headers<'_> {
    /// Empty room.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; HEADERS_MAX])
    }
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A request's head; everything in it borrows the received bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestHead<'b, 'h> {
    /// As sent; methods are case-sensitive. Never `CONNECT`.
    pub method: &'b str,
    /// Path and query, beginning with `/`, or `*` (OPTIONS only). Of an
    /// absolute-form target this is the part behind the authority.
    pub target: &'b str,
    /// As sent.
    pub version: Version,
    /// All fields in the order sent.
    pub headers: &'h [Header<'b>],
    /// Bytes of the head; the body begins behind them.
    pub head_bytes: usize,
    /// How the body ends; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// The client takes another response on this connection.
    pub keep_alive: bool,
    /// The client waits for a 100 before it sends its body, which is not empty.
    pub expect_continue: bool,
}

/// A response's head; everything in it borrows the received bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseHead<'b, 'h> {
    /// 100 to 599, never 101. Below 200 the response is interim: drop
    /// `head_bytes` bytes and parse again.
    pub status: u16,
    /// As sent.
    pub version: Version,
    /// All fields in the order sent.
    pub headers: &'h [Header<'b>],
    /// Bytes of the head; the body begins behind them.
    pub head_bytes: usize,
    /// How the body ends.
    pub framing: Framing,
    /// The server takes another request on this connection, once the body is read.
    pub keep_alive: bool,
}

/// Reads the request head at the start of `buf`; `None` asks for more bytes.
///
/// # Errors
/// A [`Refusal`] as soon as the bytes cannot become an acceptable head.
pub fn parse_request<'b, 'h>(
    buf: &'b [u8],
    headers: &'h mut Headers<'b>,
    limits: &Limits,
) -> Result<Option<RequestHead<'b, 'h>>, Refusal> {
    let window = window(buf, limits)?;
    let mut request = httparse::Request::new(&mut []);
    let head_bytes = match request.parse_with_uninit_headers(window, slots(headers, limits)) {
        Ok(Status::Complete(head_bytes)) => head_bytes,
        Ok(Status::Partial) => return incomplete(buf, limits),
        Err(httparse::Error::Version) => return Err(refused_version(window)),
        Err(error) => return Err(refusal(error)),
    };
    let httparse::Request { method: Some(method), path: Some(path), version: Some(minor), headers } = request
    else {
        return Err(Refusal::RequestLine);
    };
    let headers: &'h [Header<'b>] = headers;
    check_line_endings(&window[..head_bytes], headers)?;
    let version = version(minor);
    let fields = Fields::read(headers, version)?;
    let target = target::origin_form(method, path, fields.host)?;
    fields.check_host(version)?;
    let framing = framing::of_request(&fields);
    let has_body = matches!(framing, Framing::Chunked | Framing::Length(1..));
    Ok(Some(RequestHead {
        method,
        target,
        version,
        headers,
        head_bytes,
        framing,
        keep_alive: fields.keep_alive(version),
        // A 1.0 client does not know interim responses (RFC 9110 section 10.1.1).
        expect_continue: fields.expects_continue()? && has_body && version == Version::Http11,
    }))
}

/// Reads the head of a response to a request that was neither HEAD nor CONNECT;
/// `None` asks for more bytes.
///
/// # Errors
/// A [`Refusal`] as soon as the bytes cannot become an acceptable head.
pub fn parse_response<'b, 'h>(
    buf: &'b [u8],
    headers: &'h mut Headers<'b>,
    limits: &Limits,
) -> Result<Option<ResponseHead<'b, 'h>>, Refusal> {
    let window = window(buf, limits)?;
    let mut response = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let slots = slots(headers, limits);
    let head_bytes = match config.parse_response_with_uninit_headers(&mut response, window, slots) {
        Ok(Status::Complete(head_bytes)) => head_bytes,
        Ok(Status::Partial) => return incomplete(buf, limits),
        Err(error) => return Err(refusal(error)),
    };
    let httparse::Response { version: Some(minor), code: Some(status), headers, .. } = response else {
        return Err(Refusal::StatusLine);
    };
    let headers: &'h [Header<'b>] = headers;
    check_line_endings(&window[..head_bytes], headers)?;
    match status {
        101 => return Err(Refusal::Upgraded),
        100..=599 => {}
        _ => return Err(Refusal::StatusLine),
    }
    let version = version(minor);
    let fields = Fields::read(headers, version)?;
    let framing = framing::of_response(&fields, status);
    let keep_alive = fields.keep_alive(version)
        && framing != Framing::UntilClose
        && !(framing == Framing::None && fields.announces_body());
    Ok(Some(ResponseHead { status, version, headers, head_bytes, framing, keep_alive }))
}

/// The bytes that may belong to the head. Nothing behind the limit is looked at,
/// so that the verdict is the same however much has arrived.
#[inline]
fn window<'b>(buf: &'b [u8], limits: &Limits) -> Result<&'b [u8], Refusal> {
    match buf.first() {
        Some(b'\r' | b'\n') => Err(Refusal::LineEnding),
        _ => Ok(&buf[..buf.len().min(limits.head_bytes_max)]),
    }
}

#[inline]
fn slots<'b, 'h>(headers: &'h mut Headers<'b>, limits: &Limits) -> &'h mut [MaybeUninit<Header<'b>>] {
    &mut headers.0[..limits.headers_max.min(HEADERS_MAX)]
}

/// More bytes are wanted, unless the limit leaves no room for them.
#[cold]
fn incomplete<T>(buf: &[u8], limits: &Limits) -> Result<Option<T>, Refusal> {
    if buf.len() < limits.head_bytes_max {
        return Ok(None);
    }
    match memchr::memchr(b'\n', &buf[..limits.head_bytes_max]) {
        Some(_) => Err(Refusal::HeadTooLong),
        None => Err(Refusal::LineTooLong),
    }
}

/// httparse takes a bare LF for the end of a line. A line that ends with LF
/// is followed by a field's name or is one of the last two, so it is enough to
/// look there; field names always point into `head`.
#[inline]
fn check_line_endings(head: &[u8], headers: &[Header<'_>]) -> Result<(), Refusal> {
    let start = head.as_ptr().addr();
    let ends_with_crlf = |header: &Header<'_>| {
        let at = header.name.as_ptr().addr() - start;
        head[..at].ends_with(b"\r\n")
    };
    if head.ends_with(b"\r\n\r\n") && headers.iter().all(ends_with_crlf) {
        Ok(())
    } else {
        Err(Refusal::LineEnding)
    }
}

const fn version(minor: u8) -> Version {
    if minor == 0 { Version::Http10 } else { Version::Http11 }
}

/// A version that we do not speak, or no version at all.
#[cold]
fn refused_version(head: &[u8]) -> Refusal {
    let text = head.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
    match text {
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..] => Refusal::Version,
        _ => Refusal::RequestLine,
    }
}

#[cold]
const fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName => Refusal::FieldName,
        httparse::Error::HeaderValue => Refusal::FieldValue,
        httparse::Error::NewLine => Refusal::LineEnding,
        httparse::Error::Status => Refusal::StatusLine,
        httparse::Error::Token => Refusal::RequestLine,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::Version => Refusal::Version,
    }
}
