//! What is written can be read back, and nothing can be smuggled into it.

use eagre_http1::{Framing, Headers, Limits, encode, parse_request, parse_response};

const LIMITS: Limits =
    Limits { head_bytes_max: 1024, headers_max: 16, chunk_line_bytes_max: 64, trailer_bytes_max: 64 };

#[test]
fn a_request_head_reads_back() {
    let mut out = Vec::new();
    encode::request_head(&mut out, "POST", "/a?b", "a:80", [("ce-id", b"1".as_slice())], Some(7), false)
        .expect("valid");
    let mut headers = Headers::new();
    let head = parse_request(&out, &mut headers, &LIMITS).expect("accepted").expect("complete");
    assert_eq!((head.method, head.target, head.framing), ("POST", "/a?b", Framing::Length(7)));
    assert!(!head.keep_alive);
    assert_eq!(head.head_bytes, out.len());
    assert!(head.headers.iter().any(|field| (field.name, field.value) == ("ce-id", b"1".as_slice())));
}

#[test]
fn a_response_head_reads_back() {
    for status in 102..600 {
        let mut out = Vec::new();
        encode::response_head(&mut out, status, [], Some(0), true).expect("valid");
        let mut headers = Headers::new();
        let head = parse_response(&out, &mut headers, &LIMITS).expect("accepted").expect("complete");
        assert_eq!((head.status, head.keep_alive, head.head_bytes), (status, true, out.len()));
    }
}

#[test]
fn the_continue_response_is_interim() {
    let mut headers = Headers::new();
    let head = parse_response(encode::CONTINUE, &mut headers, &LIMITS).expect("accepted").expect("complete");
    assert_eq!((head.status, head.framing, head.head_bytes), (100, Framing::None, encode::CONTINUE.len()));
}

#[test]
fn a_field_that_would_become_two_is_refused_and_leaves_the_buffer_as_it_was() {
    let fields: [(&str, &[u8]); 6] =
        [("a", b"b\r\nc: d"), ("a", b"b\n"), ("a", b"\0"), ("a: b\r\nc", b"d"), ("", b"a"), ("a ", b"b")];
    for field in fields {
        let mut out = b"before".to_vec();
        let written = encode::response_head(&mut out, 200, [("x", b"y".as_slice()), field], Some(0), true);
        assert!(written.is_err(), "{field:?}");
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_request_line_that_would_become_two_is_refused() {
    for (method, target, host) in [
        ("", "/", "a"),
        ("GET ", "/", "a"),
        ("GET", "", "a"),
        ("GET", "/ HTTP/1.1\r\nx:", "a"),
        ("GET", "/", "a\r\nx: y"),
        ("GET", "/", ""),
    ] {
        let mut out = b"before".to_vec();
        assert!(encode::request_head(&mut out, method, target, host, [], None, true).is_err());
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_chunk_without_data_is_not_written() {
    let mut out = Vec::new();
    encode::chunk(&mut out, b"");
    assert!(out.is_empty());
    encode::chunk(&mut out, &[b'x'; 0x123]);
    assert!(out.starts_with(b"123\r\nxxx"));
}
