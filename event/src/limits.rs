//! Every bound of this crate, in one place, each with its reason.
//!
//! They let every event of 64 KiB or less pass, which the CloudEvents specification
//! asks of intermediaries ("Size Limits"); sizes of heads and bodies are the HTTP
//! codec's business. There is no bound on the depth of JSON: `data` is skipped by a
//! loop, never by recursion, and attributes do not nest.

/// Attributes of one event. 64 KiB of JSON hold at most 8,363 distinct names (36 of
/// one character at 6 bytes, 1,296 of two at 7, the rest at 8); the draft adds the
/// arrival time. Counts of the record have 16 bits.
pub(crate) const ATTRIBUTES_MAX: usize = 8_400;

/// Bytes of one attribute name; the record counts them in 16 bits.
pub(crate) const ATTRIBUTE_NAME_BYTES_MAX: usize = u16::MAX as usize;

/// Bytes of the rendered header block. Percent-encoding makes three bytes of one, so
/// 64 KiB of JSON become at most 192 KiB, plus pass-through fields.
pub(crate) const HEADER_BLOCK_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one payload; the record counts them in 32 bits.
pub(crate) const PAYLOAD_BYTES_MAX: usize = u32::MAX as usize;

/// Events of one batch: all of them become one group in the log, and wait for each other.
pub(crate) const BATCH_EVENTS_MAX: usize = 4_096;
