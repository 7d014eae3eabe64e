//! The header value codec of the HTTP binding (CloudEvents HTTP protocol
//! binding, section 3.1.3.2).
//!
//! Encoding: space, `"`, `%` and everything outside of U+0021 to U+007E become
//! `%XY` per UTF-8 byte. Decoding: undo a quoted-string (RFC 9110 section
//! 5.6.4), then exactly one round of percent-decoding. A `%` without two hex
//! digits stays as it is, since producers that never encode send such values.

/// May the value differ from its decoded form?
pub(crate) fn needs_decoding(value: &[u8]) -> bool {
    memchr::memchr2(b'%', b'"', value).is_some()
}

/// Appends the decoded value to `out`. The caller checks that it is UTF-8:
/// that one check refuses invalid, overlong and surrogate encodings alike.
pub(crate) fn decode(value: &[u8], out: &mut Vec<u8>) {
    match value {
        [b'"', inner @ .., b'"'] if is_quoted_content(inner) => decode_quoted(inner, out),
        _ => decode_percent(value.iter().copied(), out),
    }
}

/// No bare quote inside, and the last backslash does not escape the closing one.
fn is_quoted_content(inner: &[u8]) -> bool {
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return false,
            b'\\' if bytes.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

fn decode_quoted(inner: &[u8], out: &mut Vec<u8>) {
    let mut escaped = false;
    let plain = inner.iter().copied().filter(move |byte| {
        escaped = *byte == b'\\' && !escaped;
        !escaped
    });
    decode_percent(plain, out);
}

fn decode_percent(bytes: impl Iterator<Item = u8> + Clone, out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| (ahead.next().and_then(hex), ahead.next().and_then(hex)));
        if let Some((Some(high), Some(low))) = digits {
            out.push(high << 4 | low);
            rest = ahead;
        } else {
            out.push(byte);
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Appends the encoded value to `out`; says whether anything had to be encoded.
pub(crate) fn encode(value: &str, out: &mut Vec<u8>) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let before = out.len();
    for &byte in value.as_bytes() {
        if matches!(byte, 0x21..=0x7E) && byte != b'"' && byte != b'%' {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    out.len() - before != value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &str) -> String {
        let mut out = Vec::new();
        decode(value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_examples_of_the_specification_hold() {
        let mut out = Vec::new();
        assert!(encode("Euro € 😀", &mut out));
        assert_eq!(out, b"Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(decoded("Euro%20%e2%82%AC%20%F0%9F%98%80"), "Euro € 😀");
    }

    #[test]
    fn quotes_go_first_then_one_round_of_percent_decoding() {
        assert_eq!(decoded(r#""a \"b\" \\ %2541""#), r#"a "b" \ %41"#);
        assert_eq!(decoded(r#""\%41""#), "A");
        assert_eq!(decoded("%2541"), "%41");
    }

    #[test]
    fn what_is_not_an_encoding_stays() {
        for same in ["50%", "%", "%4", "%zz", r#"a"b"#, r#"""#, r#""a"b""#, r#""a\""#] {
            assert_eq!(decoded(same), same);
        }
    }
}
