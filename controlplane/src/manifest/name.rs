//! Names and namespaces, as an API server takes them (RFC 1123).

use crate::limits::{NAME_LENGTH_MAX, NAMESPACE_LENGTH_MAX};

/// What is wrong with the name of an object, if anything: a subdomain.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let fits = name.len() <= NAME_LENGTH_MAX && name.split('.').all(is_label_shaped);
    (!fits).then_some("use at most 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends of every part")
}

/// What is wrong with a namespace, if anything: a single label.
pub fn namespace_problem(namespace: &str) -> Option<&'static str> {
    let fits = namespace.len() <= NAMESPACE_LENGTH_MAX && is_label_shaped(namespace);
    (!fits)
        .then_some("use at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends")
}

fn is_label_shaped(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().is_some_and(|byte| alphanumeric(*byte))
        && bytes.last().is_some_and(|byte| alphanumeric(*byte))
        && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        let long = "a".repeat(254);
        for (name, fine) in [
            ("a", true),
            ("a-1.b", true),
            ("", false),
            ("A", false),
            ("-a", false),
            ("a-", false),
            ("a..b", false),
            ("a_b", false),
            (&long, false),
        ] {
            assert_eq!(name_problem(name).is_none(), fine, "{name}");
        }
        assert!(namespace_problem("a.b").is_some());
        assert!(namespace_problem(&long[..63]).is_none());
        assert!(namespace_problem(&long[..64]).is_some());
    }
}
