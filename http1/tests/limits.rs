//! Each limit at one below, at, and one above.

use eagre_http1::{
    Chunked, EXTENSION_BYTES_MAX, HEADERS_MAX, Headers, Limits, Refusal, encode, parse_request,
    parse_response,
};

const LIMITS: Limits =
    Limits { head_bytes_max: 8192, headers_max: 64, chunk_line_bytes_max: 64, trailer_bytes_max: 64 };

fn request(bytes: &[u8], limits: &Limits) -> Result<bool, Refusal> {
    parse_request(bytes, &mut Headers::new(), limits).map(|head| head.is_some())
}

#[test]
fn a_head_may_have_exactly_its_limit_of_bytes() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (spare, expected) in [(1, Ok(true)), (0, Ok(true)), (-1, Err(Refusal::HeadTooLong))] {
        let limits = Limits { head_bytes_max: head.len().saturating_add_signed(spare), ..LIMITS };
        assert_eq!(request(head, &limits), expected, "{spare}");
        assert_eq!(request(&[head.as_slice(), b"body"].concat(), &limits), expected, "{spare}, with a body");
    }
}

#[test]
fn a_first_line_beyond_the_limit_is_414() {
    let line = format!("GET /{} HTTP/1.1\r\n", "a".repeat(100));
    let limits = Limits { head_bytes_max: line.len() - 1, ..LIMITS };
    let refusal = request(line.as_bytes(), &limits).expect_err("too long");
    assert_eq!((refusal, refusal.status()), (Refusal::LineTooLong, 414));
    let limits = Limits { head_bytes_max: line.len(), ..LIMITS };
    let refusal = request(line.as_bytes(), &limits).expect_err("no room for the rest");
    assert_eq!((refusal, refusal.status()), (Refusal::HeadTooLong, 431));
}

#[test]
fn a_head_may_have_exactly_its_limit_of_fields() {
    for headers_max in [1, 5, HEADERS_MAX, HEADERS_MAX + 1, usize::MAX] {
        let most = headers_max.min(HEADERS_MAX);
        let limits = Limits { headers_max, ..LIMITS };
        for (fields, fits) in [(most.max(2) - 1, true), (most, true), (most + 1, false)] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(fields - 1));
            let expected = if fits { Ok(true) } else { Err(Refusal::TooManyFields) };
            assert_eq!(request(head.as_bytes(), &limits), expected, "{fields} of {headers_max}");
        }
    }
    assert_eq!(Refusal::TooManyFields.status(), 431);
}

#[test]
fn the_limits_hold_for_responses_too() {
    let head = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    let parse =
        |limits: &Limits| parse_response(head, &mut Headers::new(), limits).map(|head| head.is_some());
    assert_eq!(parse(&Limits { head_bytes_max: head.len(), ..LIMITS }), Ok(true));
    assert_eq!(parse(&Limits { head_bytes_max: head.len() - 1, ..LIMITS }), Err(Refusal::HeadTooLong));
    assert_eq!(parse(&Limits { headers_max: 2, ..LIMITS }), Ok(true));
    assert_eq!(parse(&Limits { headers_max: 1, ..LIMITS }), Err(Refusal::TooManyFields));
}

#[test]
fn a_body_may_have_exactly_its_limit_of_bytes() {
    let mut body = Vec::new();
    encode::chunk(&mut body, &[b'x'; 60]);
    encode::chunk(&mut body, &[b'x'; 40]);
    body.extend_from_slice(encode::LAST_CHUNK);
    for (limit, expected) in [(99, Err(Refusal::BodyTooLong)), (100, Ok(true)), (101, Ok(true))] {
        let mut out = Vec::new();
        let progress = Chunked::new(&LIMITS).decode(&body, &mut out, limit);
        assert_eq!(progress.map(|progress| progress.done), expected, "{limit}");
        assert!(out.len() <= limit);
    }
    assert_eq!(Refusal::BodyTooLong.status(), 413);
}

#[test]
fn an_announced_chunk_allocates_nothing() {
    let mut out = Vec::new();
    let progress = Chunked::new(&LIMITS).decode(b"7fffffffffffffff\r\n", &mut out, usize::MAX);
    assert!(progress.is_ok_and(|progress| !progress.done));
    assert_eq!(out.capacity(), 0);
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    // `;x` on one-byte chunks: two extension bytes each.
    let chunks = EXTENSION_BYTES_MAX / 2;
    let body = |chunks: usize| [b"1;x\r\na\r\n".repeat(chunks), encode::LAST_CHUNK.to_vec()].concat();
    for (chunks, expected) in
        [(chunks - 1, Ok(true)), (chunks, Ok(true)), (chunks + 1, Err(Refusal::ChunkLineTooLong))]
    {
        let progress = Chunked::new(&LIMITS).decode(&body(chunks), &mut Vec::new(), usize::MAX);
        assert_eq!(progress.map(|progress| progress.done), expected, "{chunks}");
    }
}

#[test]
fn a_chunk_line_may_have_exactly_its_limit_of_bytes() {
    for (line_bytes, expected) in [(63, Ok(true)), (64, Ok(true)), (65, Err(Refusal::ChunkLineTooLong))] {
        let line = format!("1;{}", "x".repeat(line_bytes - 2));
        let body = format!("{line}\r\na\r\n{line}\r\na\r\n0\r\n\r\n");
        let progress = Chunked::new(&LIMITS).decode(body.as_bytes(), &mut Vec::new(), 10);
        assert_eq!(progress.map(|progress| progress.done), expected, "{line_bytes}");
    }
}

#[test]
fn trailers_may_have_exactly_their_limit_of_bytes() {
    // Two fields; line ends count.
    for (bytes, expected) in [(63, Ok(true)), (64, Ok(true)), (65, Err(Refusal::TrailerTooLong))] {
        let body = format!("0\r\nA: b\r\nX:{}\r\n\r\n", "y".repeat(bytes - 10));
        let progress = Chunked::new(&LIMITS).decode(body.as_bytes(), &mut Vec::new(), 10);
        assert_eq!(progress.map(|progress| progress.done), expected, "{bytes}");
    }
    assert_eq!(Refusal::TrailerTooLong.status(), 431);
}
