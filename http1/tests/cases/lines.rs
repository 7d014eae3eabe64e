//! Request lines, targets and status lines.

use eagre_http1::{Framing, Refusal};

use super::{
    Case, Kind,
    Verdict::{Close, Incomplete, Keep, Refuse, Target},
    rows,
};

pub fn add(cases: &mut Vec<Case>) {
    request_lines(cases);
    targets(cases);
    authorities(cases);
    status_lines(cases);
}

fn request_lines(cases: &mut Vec<Case>) {
    use Refusal::{Connect, LineEnding, RequestLine, Version};
    rows(
        cases,
        Kind::Request,
        "",
        "\r\nHost: a\r\n\r\n",
        &[
            ("line-post", "3", "POST / HTTP/1.1", Keep(Framing::None)),
            ("line-get", "3", "GET / HTTP/1.1", Keep(Framing::None)),
            ("line-1.0", "2.5", "POST / HTTP/1.0", Close(Framing::None)),
            ("method-unknown-is-the-callers", "3.1", "BREW / HTTP/1.1", Keep(Framing::None)),
            ("method-lower-case-is-another", "3.1", "post / HTTP/1.1", Keep(Framing::None)),
            ("method-all-token-bytes", "3.1", "!#$%&'*+-.^_`|~9 / HTTP/1.1", Keep(Framing::None)),
            ("method-not-a-token", "3.1", "PO(T / HTTP/1.1", Refuse(RequestLine)),
            ("method-slash", "3.1", "PO/T / HTTP/1.1", Refuse(RequestLine)),
            ("method-colon", "3.1", "POST: / HTTP/1.1", Refuse(RequestLine)),
            ("method-nul", "3.1", "PO\0T / HTTP/1.1", Refuse(RequestLine)),
            ("method-high-byte", "3.1", "PÖST / HTTP/1.1", Refuse(RequestLine)),
            ("method-missing", "3", " / HTTP/1.1", Refuse(RequestLine)),
            ("method-connect", "9110/9.3.6", "CONNECT a:443 HTTP/1.1", Refuse(Connect)),
            ("method-connect-with-path", "9110/9.3.6", "CONNECT / HTTP/1.1", Refuse(Connect)),
            ("line-leading-space", "3", " POST / HTTP/1.1", Refuse(RequestLine)),
            ("line-leading-tab", "3", "\tPOST / HTTP/1.1", Refuse(RequestLine)),
            ("line-two-spaces-before-target", "3", "POST  / HTTP/1.1", Refuse(RequestLine)),
            ("line-two-spaces-before-version", "3", "POST /  HTTP/1.1", Refuse(RequestLine)),
            ("line-tab-before-target", "3", "POST\t/ HTTP/1.1", Refuse(RequestLine)),
            ("line-tab-before-version", "3", "POST /\tHTTP/1.1", Refuse(RequestLine)),
            ("line-trailing-space", "3", "POST / HTTP/1.1 ", Refuse(LineEnding)),
            ("line-trailing-word", "3", "POST / HTTP/1.1 x", Refuse(LineEnding)),
            ("line-space-in-target", "3.2", "POST /a b HTTP/1.1", Refuse(RequestLine)),
            ("line-without-version", "3", "GET /", Refuse(RequestLine)),
            ("line-without-target", "3", "GET HTTP/1.1", Refuse(RequestLine)),
            ("line-empty-first-crlf", "2.2", "\r\nPOST / HTTP/1.1", Refuse(LineEnding)),
            ("line-empty-first-lf", "2.2", "\nPOST / HTTP/1.1", Refuse(LineEnding)),
            ("line-bare-cr-in-target", "2.2", "POST /\rx HTTP/1.1", Refuse(RequestLine)),
            ("line-bare-cr-at-end", "2.2", "POST / HTTP/1.1\r", Refuse(LineEnding)),
            ("version-0.9", "2.3", "GET / HTTP/0.9", Refuse(Version)),
            ("version-1.2", "2.3", "GET / HTTP/1.2", Refuse(Version)),
            ("version-1.9", "2.3", "GET / HTTP/1.9", Refuse(Version)),
            ("version-2.0", "2.3", "GET / HTTP/2.0", Refuse(Version)),
            ("version-2", "2.3", "GET / HTTP/2", Refuse(Version)),
            ("version-3", "2.3", "GET / HTTP/3", Refuse(Version)),
            ("version-9.9", "2.3", "GET / HTTP/9.9", Refuse(Version)),
            ("version-long-minor", "2.3", "GET / HTTP/1.10", Refuse(LineEnding)),
            ("version-long-minor-1.1", "2.3", "GET / HTTP/1.11", Refuse(LineEnding)),
            ("version-lower-case", "2.3", "GET / http/1.1", Refuse(RequestLine)),
            ("version-mixed-case", "2.3", "GET / HTTp/1.1", Refuse(RequestLine)),
            ("version-other-protocol", "2.3", "GET / SIP/2.0", Refuse(RequestLine)),
            ("version-https", "2.3", "GET / HTTPS/1.1", Refuse(RequestLine)),
            ("version-no-slash", "2.3", "GET / HTTP1.1", Refuse(RequestLine)),
            ("version-sign", "2.3", "GET / HTTP/+1.1", Refuse(RequestLine)),
            ("version-space", "2.3", "GET / HTTP/ 1.1", Refuse(RequestLine)),
        ],
    );
    rows(
        cases,
        Kind::Request,
        "",
        "",
        &[
            ("preface-http2", "9113/3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refuse(Version)),
            ("line-ends-with-lf", "2.2", "POST / HTTP/1.1\nHost: a\r\n\r\n", Refuse(LineEnding)),
            ("field-ends-with-lf", "2.2", "POST / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Refuse(LineEnding)),
            ("last-field-ends-with-lf", "2.2", "POST / HTTP/1.1\r\nHost: a\n\r\n", Refuse(LineEnding)),
            ("empty-line-is-lf", "2.2", "POST / HTTP/1.1\r\nHost: a\r\n\n", Refuse(LineEnding)),
            ("all-lines-end-with-lf", "2.2", "POST / HTTP/1.1\nHost: a\n\n", Refuse(LineEnding)),
            ("no-fields-lf", "2.2", "GET / HTTP/1.0\n\n", Refuse(LineEnding)),
            ("no-fields-crlf-lf", "2.2", "GET / HTTP/1.0\r\n\n", Refuse(LineEnding)),
            ("no-fields-lf-crlf", "2.2", "GET / HTTP/1.0\n\r\n", Refuse(LineEnding)),
            ("empty-value-ends-with-lf", "2.2", "GET / HTTP/1.0\r\nX:\nY: 1\r\n\r\n", Refuse(LineEnding)),
            ("empty-line-is-cr", "2.2", "POST / HTTP/1.1\r\nHost: a\r\n\rX", Refuse(LineEnding)),
            ("no-fields-1.0", "3.2", "GET / HTTP/1.0\r\n\r\n", Close(Framing::None)),
            ("no-fields-1.1", "3.2", "GET / HTTP/1.1\r\n\r\n", Refuse(Refusal::Host)),
            ("pipelined-bytes-stay", "9.3.2", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /", Keep(Framing::None)),
            ("nothing", "3", "", Incomplete),
            ("half-a-method", "3", "PO", Incomplete),
            ("half-a-line", "3", "POST /a HTTP/1.", Incomplete),
            ("half-a-field", "5", "POST /a HTTP/1.1\r\nHos", Incomplete),
            ("half-an-end", "2.1", "POST /a HTTP/1.1\r\nHost: a\r\n\r", Incomplete),
            ("tls-client-hello", "3", "\u{16}\u{3}\u{1}\0\u{5}", Refuse(RequestLine)),
        ],
    );
}

fn targets(cases: &mut Vec<Case>) {
    use Refusal::{RequestLine, Target as Bad};
    rows(
        cases,
        Kind::Request,
        "POST ",
        " HTTP/1.1\r\nHost: a:80\r\n\r\n",
        &[
            ("target-path", "3.2.1", "/ns/broker", Target("/ns/broker")),
            ("target-query", "3.2.1", "/a?b=/c?d", Target("/a?b=/c?d")),
            ("target-empty-query", "3.2.1", "/?", Target("/?")),
            ("target-double-slash", "3.2.1", "//a/b", Target("//a/b")),
            ("target-dots-stay", "3.2.1", "/a/../b", Target("/a/../b")),
            ("target-all-path-bytes", "3.2.1", "/-._~!$&'()*+,;=:@", Target("/-._~!$&'()*+,;=:@")),
            ("target-percent", "3.2.1", "/%20%aF", Target("/%20%aF")),
            ("target-percent-short", "3.2.1", "/%2", Refuse(Bad)),
            ("target-percent-alone", "3.2.1", "/%", Refuse(Bad)),
            ("target-percent-not-hex", "3.2.1", "/%2x", Refuse(Bad)),
            ("target-percent-twice", "3.2.1", "/%%20", Refuse(Bad)),
            ("target-fragment", "3.2", "/a#b", Refuse(Bad)),
            ("target-quote", "3.2", "/a\"b", Refuse(Bad)),
            ("target-less", "3.2", "/a<b", Refuse(Bad)),
            ("target-backslash", "3.2", "/a\\b", Refuse(Bad)),
            ("target-caret", "3.2", "/a^b", Refuse(Bad)),
            ("target-backtick", "3.2", "/a`b", Refuse(Bad)),
            ("target-brace", "3.2", "/{a}", Refuse(Bad)),
            ("target-bar", "3.2", "/a|b", Refuse(Bad)),
            ("target-bracket", "3.2", "/a[b]", Refuse(Bad)),
            ("target-utf8", "3.2", "/\u{c3}\u{a9}", Refuse(Bad)),
            ("target-not-utf8", "3.2", "/\u{ff}", Refuse(RequestLine)),
            ("target-nul", "3.2", "/a\0b", Refuse(RequestLine)),
            ("target-delete", "3.2", "/a\u{7f}b", Refuse(RequestLine)),
            ("target-relative", "3.2", "a/b", Refuse(Bad)),
            ("target-query-only", "3.2", "?a", Refuse(Bad)),
            ("target-asterisk-post", "3.2.4", "*", Refuse(Bad)),
            ("target-authority-form", "3.2.3", "a:80", Refuse(Bad)),
            ("target-absolute", "3.2.2", "http://a:80/b?c", Target("/b?c")),
            ("target-absolute-case", "3.2.2", "HTTP://A:80/b", Target("/b")),
            ("target-absolute-no-path", "3.2.2", "http://a:80", Target("/")),
            ("target-absolute-query-only", "own", "http://a:80?c", Refuse(Bad)),
            ("target-absolute-other-host", "own", "http://b:80/", Refuse(Bad)),
            ("target-absolute-other-port", "own", "http://a:81/", Refuse(Bad)),
            ("target-absolute-no-host", "9110/4.2.1", "http:///b", Refuse(Bad)),
            ("target-absolute-user", "9110/4.2.4", "http://u@a:80/", Refuse(Bad)),
            ("target-absolute-https", "3.2.2", "https://a:80/", Refuse(Bad)),
            ("target-absolute-ftp", "3.2.2", "ftp://a:80/", Refuse(Bad)),
            ("target-absolute-fragment", "3.2.2", "http://a:80/#b", Refuse(Bad)),
        ],
    );
    rows(
        cases,
        Kind::Request,
        "OPTIONS ",
        " HTTP/1.1\r\nHost: a\r\n\r\n",
        &[
            ("options-asterisk", "3.2.4", "*", Target("*")),
            ("options-path", "3.2.1", "/x", Target("/x")),
            ("options-absolute-no-path", "3.2.4", "http://a", Target("*")),
            ("options-two-asterisks", "3.2.4", "**", Refuse(Bad)),
            ("options-slash-asterisk", "3.2.1", "/*", Target("/*")),
        ],
    );
}

fn authorities(cases: &mut Vec<Case>) {
    let (keep, bad) = (Keep(Framing::None), Refuse(Refusal::Host));
    rows(
        cases,
        Kind::Request,
        "GET / HTTP/1.1\r\nHost:",
        "\r\n\r\n",
        &[
            ("host-name", "9110/7.2", " a.example", keep.clone()),
            ("host-no-space", "5", "a", keep.clone()),
            ("host-tabs-around", "5", "\ta\t ", keep.clone()),
            ("host-port", "9110/7.2", " a:8080", keep.clone()),
            ("host-port-empty", "9110/7.2", " a:", keep.clone()),
            ("host-port-max", "9110/7.2", " a:65535", keep.clone()),
            ("host-port-over", "own", " a:65536", bad.clone()),
            ("host-port-long", "own", " a:000080", bad.clone()),
            ("host-port-name", "9110/7.2", " a:http", bad.clone()),
            ("host-port-sign", "9110/7.2", " a:+80", bad.clone()),
            ("host-two-ports", "9110/7.2", " a:80:80", bad.clone()),
            ("host-ipv4", "9110/7.2", " 127.0.0.1:80", keep.clone()),
            ("host-ipv6", "9110/7.2", " [::1]", keep.clone()),
            ("host-ipv6-port", "9110/7.2", " [fd00::1]:80", keep.clone()),
            ("host-ipv6-open", "9110/7.2", " [::1", bad.clone()),
            ("host-ipv6-empty", "9110/7.2", " []", bad.clone()),
            ("host-ipv6-nonsense", "9110/7.2", " [::g]", bad.clone()),
            ("host-ipv6-tail", "9110/7.2", " [::1]x", bad.clone()),
            ("host-ipv6-no-brackets", "9110/7.2", " ::1", bad.clone()),
            ("host-underscore", "9110/7.2", " a_b", keep.clone()),
            ("host-percent", "9110/7.2", " a%20b", keep),
            ("host-percent-short", "9110/7.2", " a%2", bad.clone()),
            ("host-empty", "9110/4.2.1", "", bad.clone()),
            ("host-blank", "9110/4.2.1", "  \t", bad.clone()),
            ("host-port-only", "9110/4.2.1", " :80", bad.clone()),
            ("host-user", "9110/4.2.4", " u@a", bad.clone()),
            ("host-path", "9110/7.2", " a/b", bad.clone()),
            ("host-query", "9110/7.2", " a?b", bad.clone()),
            ("host-scheme", "9110/7.2", " http://a", bad.clone()),
            ("host-space-inside", "9110/7.2", " a b", bad.clone()),
            ("host-list", "3.2", " a, b", bad.clone()),
            ("host-utf8", "9110/7.2", " \u{c3}\u{a9}", bad.clone()),
            ("host-twice", "3.2", " a\r\nHost: b", bad.clone()),
            ("host-twice-equal", "3.2", " a\r\nhOST: a", bad.clone()),
        ],
    );
    rows(
        cases,
        Kind::Request,
        "GET / HTTP/1.0\r\n",
        "\r\n",
        &[
            ("host-1.0-absent", "3.2", "X: y\r\n", Close(Framing::None)),
            ("host-1.0-twice", "3.2", "Host: a\r\nHost: a\r\n", bad.clone()),
            ("host-1.0-invalid", "3.2", "Host: a/b\r\n", bad),
        ],
    );
}

fn status_lines(cases: &mut Vec<Case>) {
    use Refusal::{LineEnding, StatusLine, Upgraded, Version};
    let empty = || Keep(Framing::Length(0));
    rows(
        cases,
        Kind::Response,
        "",
        "\r\nContent-Length: 0\r\n\r\n",
        &[
            ("status-200", "4", "HTTP/1.1 200 OK", empty()),
            ("status-reason-empty", "4", "HTTP/1.1 202 ", empty()),
            ("status-reason-missing", "own", "HTTP/1.1 202", empty()),
            ("status-reason-words", "4", "HTTP/1.1 404 not\there \u{e9}", empty()),
            ("status-unknown", "9110/15", "HTTP/1.1 299 x", empty()),
            ("status-599", "9110/15", "HTTP/1.1 599 x", empty()),
            ("status-600", "9110/15", "HTTP/1.1 600 x", Refuse(StatusLine)),
            ("status-099", "9110/15", "HTTP/1.1 099 x", Refuse(StatusLine)),
            ("status-000", "9110/15", "HTTP/1.1 000 x", Refuse(StatusLine)),
            ("status-two-digits", "4", "HTTP/1.1 20 x", Refuse(StatusLine)),
            ("status-four-digits", "4", "HTTP/1.1 2000 x", Refuse(StatusLine)),
            ("status-sign", "4", "HTTP/1.1 +20 x", Refuse(StatusLine)),
            ("status-hex", "4", "HTTP/1.1 0xa x", Refuse(StatusLine)),
            ("status-two-spaces", "4", "HTTP/1.1  200 OK", Refuse(StatusLine)),
            ("status-tab", "4", "HTTP/1.1\t200 OK", Refuse(Version)),
            ("status-reason-nul", "4", "HTTP/1.1 200 \0", Refuse(StatusLine)),
            ("status-reason-cr", "4", "HTTP/1.1 200 a\rb", Refuse(StatusLine)),
            ("status-101", "9110/15.2.2", "HTTP/1.1 101 Switching Protocols", Refuse(Upgraded)),
            ("status-version-2", "2.3", "HTTP/2 200 OK", Refuse(Version)),
            ("status-version-1.2", "2.3", "HTTP/1.2 200 OK", Refuse(Version)),
            ("status-not-http", "4", "ICY 200 OK", Refuse(Version)),
            ("status-empty-first-line", "2.2", "\r\nHTTP/1.1 200 OK", Refuse(LineEnding)),
            ("status-bare-lf", "2.2", "HTTP/1.1 200 OK\nX: y", Refuse(LineEnding)),
            ("status-1.0", "9.3", "HTTP/1.0 200 OK", Close(Framing::Length(0))),
            ("status-1.0-keep-alive", "9.3", "HTTP/1.0 200 OK\r\nConnection: keep-alive", empty()),
        ],
    );
    rows(
        cases,
        Kind::Response,
        "HTTP/1.1 ",
        "\r\n\r\n",
        &[
            ("interim-100", "9110/15.2", "100 Continue", Keep(Framing::None)),
            ("interim-103", "9110/15.2", "103 Early Hints\r\nLink: x", Keep(Framing::None)),
            ("interim-with-length", "6.3", "100 Continue\r\nContent-Length: 3", Close(Framing::None)),
            ("no-content", "6.3", "204 No Content", Keep(Framing::None)),
            ("no-content-length-0", "6.3", "204 No Content\r\nContent-Length: 0", Keep(Framing::None)),
            ("no-content-length-3", "6.3", "204 No Content\r\nContent-Length: 3", Close(Framing::None)),
            ("no-content-chunked", "6.3", "204 x\r\nTransfer-Encoding: chunked", Close(Framing::None)),
            ("not-modified", "6.3", "304 Not Modified", Keep(Framing::None)),
            ("until-close", "6.3", "200 OK", Close(Framing::UntilClose)),
            ("until-close-202", "6.3", "202 Accepted\r\nX: y", Close(Framing::UntilClose)),
            ("response-chunked", "6.3", "200 OK\r\nTransfer-Encoding: chunked", Keep(Framing::Chunked)),
            (
                "response-close",
                "9.3",
                "200 OK\r\nContent-Length: 1\r\nConnection: close",
                Close(Framing::Length(1)),
            ),
            ("response-half", "4", "200", Keep(Framing::None)),
        ],
    );
    if let Some(half) = cases.iter_mut().find(|case| case.id == "response-half") {
        half.bytes.truncate("HTTP/1.1 200".len());
        half.verdict = Incomplete;
    }
}
