//! Every bound of this crate, in one place, each with its reason.

/// What an event may cost. The defaults let every event of 64 KiB or less
/// pass, which the CloudEvents specification asks of intermediaries ("Size
/// Limits"); sizes of heads and bodies are the HTTP codec's business.
///
/// There is no bound on the depth of JSON: `data` is skipped by a loop, never
/// by recursion, and attributes do not nest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of one event. 64 KiB of JSON hold at most 8,363 distinct
    /// names (36 of one character at 6 bytes, 1,296 of two at 7, the rest at 8);
    /// the draft adds the arrival time. Counts of the record have 16 bits.
    pub attributes_max: u16,
    /// Bytes of one attribute name; the record counts them in 16 bits.
    pub attribute_name_bytes_max: u16,
    /// Bytes of the rendered header block. Percent-encoding makes three bytes
    /// of one, so 64 KiB of JSON become at most 192 KiB, plus pass-through fields.
    pub header_block_bytes_max: u32,
    /// Bytes of one payload; the record counts them in 32 bits.
    pub payload_bytes_max: u32,
    /// Events of one batch: all of them become one group in the log, and wait for each other.
    pub batch_events_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            attributes_max: 8_400,
            attribute_name_bytes_max: u16::MAX,
            header_block_bytes_max: 256 * 1024,
            payload_bytes_max: u32::MAX,
            batch_events_max: 4_096,
        }
    }
}
