//! What a dead letter says beyond the event (contract sections 3.8 and 9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::name::BROKER_TTL;
use crate::percent;
use crate::record::Record;
use crate::value::Value;

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

impl Failure<'_> {
    /// Calls `each` with the attributes to add. Those that the event already
    /// has are kept (contract section 9, 3); empty ones are left out.
    pub(crate) fn each_attribute(&self, record: &Record<'_>, mut each: impl FnMut(&str, Value<'_>)) {
        let data = &self.data[..self.data.len().min(ERROR_DATA_BYTES_MAX)];
        let data = STANDARD.encode(data);
        let attributes = [
            ("knativeerrordest", Some(Value::String(self.destination))),
            ("knativeerrorcode", self.code.map(|code| Value::Integer(i32::from(code)))),
            ("knativeerrordata", Some(Value::String(&data))),
        ];
        for (name, value) in attributes {
            let value = value.filter(|value| *value != Value::String(""));
            if let Some(value) = value.filter(|_| record.attribute(name).is_none()) {
                each(name, value);
            }
        }
    }
}

impl Record<'_> {
    /// Appends the header block for a dead letter sink: the record's own, then
    /// `knativebrokerttl`, then the error attributes it does not already have.
    pub fn write_dead_letter_headers(&self, out: &mut Vec<u8>, failure: &Failure<'_>) {
        out.extend_from_slice(self.headers());
        line(out, BROKER_TTL, Value::Integer(i32::from(self.ttl())));
        failure.each_attribute(self, |name, value| line(out, name, value));
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: Value<'_>) {
    out.extend_from_slice(b"ce-");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    match value {
        Value::String(text) => {
            percent::encode(text, out);
        }
        Value::Integer(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Boolean(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
    }
    out.extend_from_slice(b"\r\n");
}
