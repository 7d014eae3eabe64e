//! Media types, as far as events need them.

/// The media type without its parameters.
pub(crate) fn essence(value: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    value[..end].trim_ascii()
}

/// Is data of this type JSON? An absent type counts as JSON (JSON event format, section 3.1).
pub(crate) fn is_json(value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return true };
    let essence = essence(value);
    let Some(slash) = memchr::memchr(b'/', essence) else { return false };
    let subtype = &essence[slash + 1..];
    let suffix = &subtype[subtype.len().saturating_sub("+json".len())..];
    subtype.eq_ignore_ascii_case(b"json") || suffix.eq_ignore_ascii_case(b"+json")
}

/// Does the value start with a type? As with upstream's parser the subtype may
/// be missing; of parameters only the characters count: the value becomes a
/// header, which holds printable ASCII and tabs.
pub(crate) fn is_media_type(value: &[u8]) -> bool {
    if !value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return false;
    }
    let mut parts = essence(value).splitn(2, |byte| *byte == b'/');
    parts.all(|part| !part.is_empty() && part.iter().all(|byte| is_token_byte(*byte)))
}

/// A character of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_subtype_or_suffix() {
        for json in ["application/json", "text/JSON; charset=utf-8", "application/vnd.a+json", "a/b+JSON ;x"]
        {
            assert!(is_json(Some(json.as_bytes())), "{json}");
        }
        for other in ["text/plain", "json", "application/jsonl", "application/json-seq", ""] {
            assert!(!is_json(Some(other.as_bytes())), "{other}");
        }
        assert!(is_json(None));
    }

    #[test]
    fn a_media_type_is_one_or_two_tokens() {
        for good in ["text/plain", "text", "a/b; charset", "a/b;\tq=1", "application/vnd.x+y"] {
            assert!(is_media_type(good.as_bytes()), "{good}");
        }
        for bad in ["", "/", "a/", "/b", "a b", "a/b/c", "; q=1", "a;\n", "a;é"] {
            assert!(!is_media_type(bad.as_bytes()), "{bad}");
        }
    }
}
