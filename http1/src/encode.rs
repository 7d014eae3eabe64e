//! Heads and chunks, written into a buffer of the caller's.
//!
//! What is written here can be read back by this crate: names and values are
//! checked, so that no field can smuggle a second one in.

use thiserror::Error;

use crate::chunked::{is_field_byte, is_token_byte};

/// The interim response that asks for a body held back by `Expect`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Something that cannot be written into a head. The buffer is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} {text:?} holds a byte that no HTTP head may carry there")]
pub struct InvalidHead {
    what: &'static str,
    text: String,
}

impl InvalidHead {
    #[cold]
    fn new(what: &'static str, text: &[u8]) -> Self {
        Self { what, text: String::from_utf8_lossy(text).into_owned() }
    }
}

/// Appends the head of a response.
///
/// `content_length` is left out if `None` (no body, or chunked: then give the
/// field). `Connection: close` is written unless `keep_alive`.
///
/// # Errors
/// [`InvalidHead`] if a field cannot be sent.
pub fn response_head<'a>(
    out: &mut Vec<u8>,
    status: u16,
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_length: Option<u64>,
    keep_alive: bool,
) -> Result<(), InvalidHead> {
    let start = out.len();
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    finish(out, fields, content_length, keep_alive).inspect_err(|_| out.truncate(start))
}

/// Appends the head of a request; `host` becomes the `Host` field. The rest is as
/// for [`response_head`].
///
/// # Errors
/// [`InvalidHead`] if the method, target, host or a field cannot be sent.
pub fn request_head<'a>(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    host: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_length: Option<u64>,
    keep_alive: bool,
) -> Result<(), InvalidHead> {
    if method.is_empty() || !method.bytes().all(is_token_byte) {
        return Err(InvalidHead::new("the method", method.as_bytes()));
    }
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidHead::new("the target", target.as_bytes()));
    }
    if !crate::target::is_authority(host.as_bytes()) {
        return Err(InvalidHead::new("the host", host.as_bytes()));
    }
    let start = out.len();
    for part in [method, " ", target, " HTTP/1.1\r\nHost: ", host, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    finish(out, fields, content_length, keep_alive).inspect_err(|_| out.truncate(start))
}

fn finish<'a>(
    out: &mut Vec<u8>,
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_length: Option<u64>,
    keep_alive: bool,
) -> Result<(), InvalidHead> {
    for (name, value) in fields {
        field(out, name, value)?;
    }
    if let Some(length) = content_length {
        out.extend_from_slice(b"Content-Length: ");
        number(out, length);
        out.extend_from_slice(b"\r\n");
    }
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends one field line.
///
/// # Errors
/// [`InvalidHead`] if the name is no token or the value holds a control byte.
pub fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), InvalidHead> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(InvalidHead::new("the field name", name.as_bytes()));
    }
    if !value.iter().copied().all(is_field_byte) {
        return Err(InvalidHead::new("the field value", value));
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends a decimal number.
pub fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `data` as one chunk. No data is no chunk: an empty one would end the
/// body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let digits = data.len().ilog2() / 4 + 1;
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[data.len() >> (4 * place) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status (RFC 9110 section 15, RFC 6585); empty if the
/// status has none.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        _ => "",
    }
}
