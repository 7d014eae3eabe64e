//! Which fields travel beside the event (contract section 1.6).

use crate::error::{Error, quoted};
use crate::media_type::is_token_byte;

const NAMES: [&str; 5] = ["x-request-id", "retry-after", "traceparent", "tracestate", "baggage"];
const PREFIXES: [&str; 2] = ["knative-", "x-b3-"];

/// Is the field on the allow-list, in any case?
pub(crate) fn is_carried(name: &str) -> bool {
    // Most fields of a request are not; their first letter settles it.
    if !matches!(name.as_bytes().first().map(u8::to_ascii_lowercase), Some(b'x' | b'r' | b't' | b'b' | b'k'))
    {
        return false;
    }
    let starts = |prefix: &str| name.get(..prefix.len()).is_some_and(|s| s.eq_ignore_ascii_case(prefix));
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || PREFIXES.iter().any(|prefix| starts(prefix))
}

/// Appends the field as a header line, its name in lower case.
pub(crate) fn render(name: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let value = value.trim_ascii();
    if !name.bytes().all(is_token_byte) || !is_field_value(value) {
        return Err(Error::Field { name: quoted(name.as_bytes()) });
    }
    out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// May these bytes stand in a header line (RFC 9110 section 5.5)?
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|byte| !matches!(byte, 0..=0x08 | 0x0A..=0x1F | 0x7F))
}
