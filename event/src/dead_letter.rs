//! What a dead letter says beyond the event (contract sections 3.8 and 9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::name::BROKER_TTL;
use crate::percent;
use crate::record::Record;

/// How much of a failing response's body is kept: 768 bytes are 1,024
/// characters of base64, the size upstream promises.
pub const ERROR_DATA_BYTES_MAX: usize = 768;

/// The last attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The URL that failed, as resolved.
    pub destination: &'a str,
    /// Its HTTP status, if there was a response.
    pub code: Option<u16>,
    /// The response's body, or what went wrong; cut at [`ERROR_DATA_BYTES_MAX`].
    pub data: &'a [u8],
}

impl Record<'_> {
    /// Appends the header block for a dead letter sink: the record's own, then
    /// `knativebrokerttl`, then the error attributes. Those that the event already
    /// has are kept (contract section 9, 3); empty ones are left out.
    pub fn write_dead_letter_headers(&self, out: &mut Vec<u8>, failure: &Failure<'_>) {
        out.extend_from_slice(self.headers());
        line(out, BROKER_TTL, itoa::Buffer::new().format(self.ttl()));
        let mut digits = itoa::Buffer::new();
        let data = &failure.data[..failure.data.len().min(ERROR_DATA_BYTES_MAX)];
        let mut add = |name, value: &str| {
            if !value.is_empty() && self.attribute(name).is_none() {
                line(out, name, value);
            }
        };
        add("knativeerrordest", failure.destination);
        add("knativeerrorcode", failure.code.map_or("", |code| digits.format(code)));
        add("knativeerrordata", &STANDARD.encode(data));
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b"ce-");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    percent::encode(value, out);
    out.extend_from_slice(b"\r\n");
}
