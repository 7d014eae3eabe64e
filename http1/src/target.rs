//! What a request asks for: the target's four forms (RFC 9112 section 3.2) and
//! the authority in `Host` (RFC 9110 section 7.2).

use crate::Refusal;

/// The path and query of `target`, or `*`.
///
/// A server must take the absolute form (section 3.2.2). It is taken if it names
/// the same authority as `Host`: with two names nobody knows which one a
/// recipient in front of us acted on.
#[inline]
pub(crate) fn origin_form<'b>(
    method: &str,
    target: &'b str,
    host: Option<&[u8]>,
) -> Result<&'b str, Refusal> {
    if method == "CONNECT" {
        return Err(Refusal::Connect);
    }
    if target.starts_with('/') {
        return if is_path_and_query(target) { Ok(target) } else { Err(Refusal::Target) };
    }
    other_form(method, target, host)
}

#[cold]
fn other_form<'b>(method: &str, target: &'b str, host: Option<&[u8]>) -> Result<&'b str, Refusal> {
    if target == "*" && method == "OPTIONS" {
        return Ok(target);
    }
    let (scheme, rest) = target.split_once("://").ok_or(Refusal::Target)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let same_host = host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_bytes()));
    let is_http = scheme.eq_ignore_ascii_case("http");
    if !is_http || !is_authority(authority.as_bytes()) || !same_host || !is_path_and_query(path) {
        return Err(Refusal::Target);
    }
    match path.as_bytes() {
        [] if method == "OPTIONS" => Ok("*"),
        [] => Ok("/"),
        // `?query` alone has no path that could be borrowed.
        [b'?', ..] => Err(Refusal::Target),
        _ => Ok(path),
    }
}

/// `uri-host [":" port]`, with a host that is not empty (RFC 9110 section 4.2.1).
/// User information is no part of it.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let (host_is_valid, port) = if let [b'[', rest @ ..] = text {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        (is_ip_literal(&rest[..end]), &rest[end + 1..])
    } else {
        let end = memchr::memchr(b':', text).unwrap_or(text.len());
        (end > 0 && is_made_of(&text[..end], HOST), &text[end..])
    };
    let port_is_valid = match port {
        [] => true,
        // At most 65535, with no more digits than that needs.
        [b':', digits @ ..] => {
            digits.len() <= 5
                && digits.iter().all(u8::is_ascii_digit)
                && digits.iter().fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65535
        }
        _ => false,
    };
    host_is_valid && port_is_valid
}

/// What is between the brackets: an IPv6 address. Its future forms and zone
/// identifiers have no meaning here.
fn is_ip_literal(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// `*( pchar / "/" / "?" )` (RFC 3986 sections 3.3 and 3.4).
#[inline]
fn is_path_and_query(text: &str) -> bool {
    is_made_of(text.as_bytes(), PATH_AND_QUERY)
}

const HOST: u8 = 1;
const PATH_AND_QUERY: u8 = 2;
/// Every byte but `%`, so that one conjunction over a text also tells whether
/// it holds any.
const NOT_PERCENT: u8 = 4;

/// The sets that a byte belongs to (RFC 3986 section 2).
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'%' => HOST | PATH_AND_QUERY,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => HOST | PATH_AND_QUERY | NOT_PERCENT,
            b'-' | b'.' | b'_' | b'~' => HOST | PATH_AND_QUERY | NOT_PERCENT,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' => HOST | PATH_AND_QUERY | NOT_PERCENT,
            b'*' | b'+' | b',' | b';' | b'=' => HOST | PATH_AND_QUERY | NOT_PERCENT,
            b':' | b'@' | b'/' | b'?' => PATH_AND_QUERY | NOT_PERCENT,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Every byte is of the class, and every `%` begins a pair of hexadecimal digits.
/// Without an early exit: texts are short and nearly always valid.
#[inline]
fn is_made_of(text: &[u8], class: u8) -> bool {
    let common = text.iter().fold(u8::MAX, |common, byte| common & CLASSES[*byte as usize]);
    common & class != 0 && (common & NOT_PERCENT != 0 || percent_pairs_are_valid(text))
}

#[cold]
fn percent_pairs_are_valid(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}
