//! Why an event is refused: which part, what is wrong, how to mend it.

use thiserror::Error;

/// Longest piece of the producer's input that an error repeats.
const QUOTED_CHARS_MAX: usize = 64;

/// An event that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Neither mode applies (contract section 1.3: unknown encoding).
    #[error(
        "not a CloudEvent: send a ce-specversion header (binary mode) or content-type \
         application/cloudevents+json (structured mode)"
    )]
    NotAnEvent,
    /// A batch where one event is expected, or the other way round.
    #[error("the message is {found} where {expected} is expected; send events in that mode")]
    WrongMode {
        /// The mode of the message.
        found: &'static str,
        /// The mode the caller asked for.
        expected: &'static str,
    },
    /// A context attribute breaks a rule.
    #[error("attribute {name}: {fault}")]
    Attribute {
        /// Name of the attribute as the producer wrote it.
        name: String,
        /// The rule it breaks.
        fault: Fault,
    },
    /// A pass-through header cannot be carried on.
    #[error("header {name}: control characters are not allowed in a field; remove them")]
    Field {
        /// Name of the field.
        name: String,
    },
    /// The body is not the JSON it claims to be.
    #[error("body: not valid JSON: {reason}; send one JSON {expected} as RFC 8259 has it")]
    Json {
        /// What the parser found, with line and column.
        reason: String,
        /// "object" or "array".
        expected: &'static str,
    },
    /// `data` or `data_base64` breaks a rule of the JSON event format.
    #[error("member {member}: {reason}")]
    Data {
        /// The member of the envelope.
        member: &'static str,
        /// What is wrong and how to mend it.
        reason: &'static str,
    },
    /// A bound of this crate is passed.
    #[error("{what} exceed the limit of {max}; send a smaller event")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

/// The rule an attribute breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A required attribute is not there.
    #[error("required but missing; add it")]
    Missing,
    /// A required attribute is empty or blank.
    #[error("must not be empty; give it a value")]
    Empty,
    /// The name is not `[a-zA-Z0-9]+`.
    #[error("names consist of letters a-z and digits 0-9 only; rename it")]
    Name,
    /// One name twice in a JSON envelope.
    #[error("occurs more than once; keep one")]
    Duplicate,
    /// Not a version this broker knows.
    #[error("{0:?} is not a known version; use \"1.0\" or \"0.3\"")]
    SpecVersion(String),
    /// Not a URI-reference (RFC 3986 section 4.1, RFC 3987).
    #[error("{0:?} is not a URI-reference (RFC 3986); percent-encode what is not allowed in one")]
    UriReference(String),
    /// Not an absolute URI.
    #[error("{0:?} is not an absolute URI (RFC 3986); write it with its scheme")]
    AbsoluteUri(String),
    /// Not a timestamp.
    #[error("{0:?} is not an RFC 3339 timestamp; write it like 2026-11-21T12:00:00Z")]
    Timestamp(String),
    /// Not a media type.
    #[error("{0:?} is not a media type (RFC 2046); write it like application/json")]
    MediaType(String),
    /// 0.3 knows only one content encoding.
    #[error("{0:?} is not a known encoding; use \"base64\" or leave it out")]
    ContentEncoding(String),
    /// The header's octets are not UTF-8, before or after percent-decoding.
    #[error("not valid UTF-8 after percent-decoding; encode the value as UTF-8")]
    Utf8,
    /// A control character in a header.
    #[error("control characters are not allowed in a header; percent-encode them")]
    Control,
    /// A defined attribute whose JSON value is not a string.
    #[error("must be a JSON string; put it in quotes")]
    NotAString,
    /// An extension whose JSON value has no CloudEvents type.
    #[error("must be a string, a Boolean or an integer; move objects and arrays into data")]
    Type,
    /// An integer outside of 32 bits.
    #[error("{0} is outside of the 32-bit integers; send it as a string")]
    Integer(String),
}

impl Error {
    /// A broken rule of attribute `name`; long names are cut.
    pub(crate) fn attribute(name: &[u8], fault: Fault) -> Error {
        Error::Attribute { name: quoted(name), fault }
    }

    /// The HTTP status to answer with: 400, or 413 for a limit.
    pub fn status(&self) -> u16 {
        match self {
            Error::Limit { .. } => 413,
            _ => 400,
        }
    }
}

/// Input as it may appear in a message: printable, and cut to a sane length.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * QUOTED_CHARS_MAX)]);
    let mut shown: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        shown.push('…');
    }
    if shown.chars().any(char::is_control) { shown.escape_debug().collect() } else { shown }
}
