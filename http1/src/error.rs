//! Why a message is refused, and the status to answer with.

use thiserror::Error;

/// A message that this codec does not read any further.
///
/// Where the next message would begin is unknown, so the connection must be
/// closed after the answer. On a response the status has no addressee; only 413
/// carries a meaning there: the body is longer than the caller's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// RFC 9112 section 3.
    #[error("the request line is not `method SP target SP HTTP/1.1 CRLF`")]
    RequestLine,
    /// RFC 9112 section 4; a status outside 100 to 599 (RFC 9110 section 15).
    #[error("the status line is not `HTTP/1.1 SP status SP reason CRLF`")]
    StatusLine,
    /// RFC 9112 section 2.3.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
    /// RFC 9112 section 3.2.
    #[error("the request target is not a path, an http URL of this host, or `*` with OPTIONS")]
    Target,
    /// RFC 9110 section 9.3.6.
    #[error("CONNECT is not supported")]
    Connect,
    /// RFC 9112 section 2.2.
    #[error("every line of a head ends with CRLF; a bare CR, a bare LF or an empty first line is refused")]
    LineEnding,
    /// RFC 9112 sections 5.1 and 5.2.
    #[error("a field name must be a token directly followed by a colon, and no line may be folded")]
    FieldName,
    /// RFC 9110 section 5.5.
    #[error("a field value holds a control byte")]
    FieldValue,
    /// RFC 9112 section 3.2, RFC 9110 section 7.2.
    #[error("a request has exactly one valid Host field")]
    Host,
    /// RFC 9112 section 6.3.
    #[error("Content-Length must be one decimal number below 2^64, given once")]
    ContentLength,
    /// RFC 9112 section 6.1.
    #[error("Transfer-Encoding must be `chunked`, given once, on HTTP/1.1")]
    TransferEncoding,
    /// RFC 9112 section 6.1: a coding that may be legal, before `chunked`.
    #[error("no transfer coding but `chunked` is supported")]
    TransferCoding,
    /// RFC 9112 section 6.1.
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    LengthAndEncoding,
    /// RFC 9110 section 10.1.1.
    #[error("the only expectation that can be met is `100-continue`")]
    Expect,
    /// A 101 response to a request without `Upgrade` (RFC 9110 section 15.2.2).
    #[error("the response switches to a protocol that nobody asked for")]
    Upgraded,
    /// [`Limits::head_bytes_max`](crate::Limits::head_bytes_max) ends inside the first line.
    #[error("the first line is too long")]
    LineTooLong,
    /// [`Limits::head_bytes_max`](crate::Limits::head_bytes_max).
    #[error("the head has too many bytes")]
    HeadTooLong,
    /// [`Limits::headers_max`](crate::Limits::headers_max).
    #[error("the head has too many fields")]
    TooManyFields,
    /// RFC 9112 section 7.1.
    #[error("a chunk size is hexadecimal digits below 2^64, followed by CRLF or an extension")]
    ChunkSize,
    /// RFC 9112 section 7.1.1.
    #[error("a chunk extension is malformed")]
    ChunkExtension,
    /// [`Limits::chunk_line_bytes_max`](crate::Limits::chunk_line_bytes_max), or
    /// [`EXTENSION_BYTES_MAX`](crate::EXTENSION_BYTES_MAX) over all chunks.
    #[error("the lines between the chunks are too long")]
    ChunkLineTooLong,
    /// RFC 9112 section 7.1: chunk data is not followed by CRLF, or a line ends otherwise.
    #[error("a line of the chunked body does not end with CRLF where it must")]
    ChunkEnding,
    /// RFC 9110 section 6.5.1.
    #[error("a trailer field is malformed or may not be a trailer")]
    Trailer,
    /// [`Limits::trailer_bytes_max`](crate::Limits::trailer_bytes_max).
    #[error("the trailer has too many bytes")]
    TrailerTooLong,
    /// The caller's `body_bytes_max`.
    #[error("the body is longer than the limit")]
    BodyTooLong,
}

impl Refusal {
    /// The status code to answer a request with, before closing.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::BodyTooLong => 413,
            Self::LineTooLong => 414,
            Self::Expect => 417,
            Self::HeadTooLong | Self::TooManyFields | Self::TrailerTooLong => 431,
            Self::TransferCoding | Self::Connect => 501,
            Self::Version => 505,
            _ => 400,
        }
    }
}
