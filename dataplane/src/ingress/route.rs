//! What a request wants, by its head alone (contract 1.1, 1.2 and 1.9). Pure.

use eagre_http1::{Header, RequestHead};

use super::reason::Reason;

/// The answer's kind, as far as the head decides.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'b> {
    /// An event for the broker `namespace/name`.
    Broker(&'b str),
    /// A health check of the platform.
    Probe,
    /// A network probe: the hash to echo.
    NetworkProbe(&'b [u8]),
    /// `OPTIONS`: allowed methods and the webhook handshake.
    Options,
    /// Nothing that an event can be posted to.
    Refuse(Reason),
}

/// Decides in the order of contract 1.2, rows 0 to 4.
pub(super) fn route<'b>(head: &RequestHead<'b, '_>) -> Route<'b> {
    if field(head.headers, "user-agent").is_some_and(|agent| agent.starts_with(b"kube-probe/")) {
        return Route::Probe;
    }
    if field(head.headers, "k-network-probe").is_some_and(|value| value == b"probe") {
        return match field(head.headers, "k-network-hash") {
            Some(hash) if !hash.is_empty() => Route::NetworkProbe(hash),
            _ => Route::Refuse(Reason::ProbeWithoutHash),
        };
    }
    match head.method {
        "POST" => broker(head.target),
        "OPTIONS" => Route::Options,
        _ => Route::Refuse(Reason::Method),
    }
}

/// `/namespace/name`, one trailing slash tolerated. The query is part of the
/// name and nothing is percent-decoded, as upstream does.
fn broker(target: &str) -> Route<'_> {
    if target == "/" {
        return Route::Refuse(Reason::NoBroker);
    }
    let Some(path) = target.strip_prefix('/') else {
        return Route::Refuse(Reason::Path);
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    match path.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Route::Broker(path)
        }
        _ => Route::Refuse(Reason::Path),
    }
}

fn field<'b>(headers: &[Header<'b>], name: &str) -> Option<&'b [u8]> {
    headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespace_and_name_make_a_broker() {
        assert_eq!(broker("/default/b"), Route::Broker("default/b"));
        assert_eq!(broker("/default/b/"), Route::Broker("default/b"));
        assert_eq!(broker("/ns/name?x=1"), Route::Broker("ns/name?x=1"));
        assert_eq!(broker("/"), Route::Refuse(Reason::NoBroker));
        for target in ["/default", "/default/", "/a/b/c", "//b", "/a//", "/a/b//", "*", ""] {
            assert_eq!(broker(target), Route::Refuse(Reason::Path), "{target}");
        }
    }
}
