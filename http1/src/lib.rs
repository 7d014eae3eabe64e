//! HTTP/1.1 message codec without I/O (RFC 9110, RFC 9112).
//!
//! Promises:
//! - one reading of every message: where two recipients could disagree about
//!   where a message ends, it is refused, never repaired;
//! - no allocation while a head is parsed, and none that the input can grow
//!   past a named limit while a body is decoded;
//! - the verdict does not depend on how the bytes were cut on their way.
//!
//! The caller owns the buffers. It reads into a buffer, calls
//! [`parse_request`] with everything received since the start of the message,
//! and reads on while the answer is `None`. A head is parsed from its start
//! each time: the work is bounded by [`Limits::head_bytes_max`] bytes a call, so
//! a peer that drips bytes must be bounded in time by the caller. A chunked
//! body is decoded incrementally: each byte is looked at once.
//!
//! After a [`Refusal`] the position in the stream is unknown: answer with its
//! status, then close.
//!
//! Stricter than the RFCs, on purpose: no empty line before a request line, no
//! line ended by a bare LF, no whitespace around a chunk size, no list of equal
//! Content-Length values, no transfer coding but `chunked`, no HTTP/1.2.
//! Absent: HTTP/2, `Upgrade` (ignored), `CONNECT`, trailers (checked and
//! dropped), content codings.
#![forbid(unsafe_code)]

mod head;

mod framing;
mod target;

mod chunked;

pub mod encode;

mod error;

pub use chunked::{Chunked, EXTENSION_BYTES_MAX, Progress};
pub use error::Refusal;
pub use framing::Framing;
pub use head::{
    HEADERS_MAX, Header, Headers, Limits, RequestHead, ResponseHead, Version, parse_request, parse_response,
};
