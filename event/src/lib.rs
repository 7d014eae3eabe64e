//! CloudEvents: what arrives over HTTP, what the log keeps, what leaves again.
//!
//! HTTP fields and a body go into a [`Draft`]; the draft answers questions of
//! filters, is stamped, and yields the bytes of a record; a [`Record`] reads
//! them back and renders them for a subscriber.
//!
//! Promises:
//! - An attribute value that arrived in a header leaves in a header with the
//!   same bytes, and `data` is never changed.
//! - No byte that could end a header line reaches a header block.
//! - Every record a draft made parses; damaged bytes are an error, no panic.
//! - Binary mode allocates nothing once the draft's buffers have grown.
//!
//! Absent on purpose: HTTP framing, size limits of heads and bodies (the HTTP
//! codec has them), the judging of filters, storage, and any upgrade of 0.3 to 1.0.

mod limits;
mod error;
pub use error::{Error, Fault};
mod mode;
pub use mode::{Mode, is_event, mode};
mod name;
mod value;
pub use value::Value;
mod draft;
mod media_type;
mod pass_through;
mod percent;
mod rule;
mod time;
pub use draft::{Draft, Ttl, TtlExhausted};
mod batch;
mod binary;
mod structured;
pub use batch::{BatchError, decode_batch};
mod index;
mod record;
pub use record::{Malformed, Record};
mod dead_letter;
mod json;
pub use dead_letter::{ERROR_DATA_BYTES_MAX, Failure};
