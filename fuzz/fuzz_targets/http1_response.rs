//! A response head: the verdict is the same however the bytes were cut, the
//! framing fits the status and the fields, and the head written anew from its
//! parts says the same.
#![no_main]

use eagre_fuzz::{Input, cuts};
use eagre_http1::{Framing, Headers, Limits, ResponseHead, Version, parse_response};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits =
    Limits { head_bytes_max: 512, headers_max: 8, chunk_line_bytes_max: 16, trailer_bytes_max: 64 };

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let cuts = cuts(&mut input, |input| input.0.len());
    let bytes = input.0;
    let mut room = Headers::new();
    let whole = parse_response(bytes, &mut room, &LIMITS);
    // Every cut of a short message, two of a long one.
    let every = 0..if bytes.len() <= 96 { bytes.len() } else { 0 };
    for cut in every.chain(cuts) {
        let mut room = Headers::new();
        match parse_response(&bytes[..cut], &mut room, &LIMITS) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "cut at {cut}"),
        }
    }
    if let Ok(Some(head)) = whole {
        check(&head, bytes);
    }
});

fn check(head: &ResponseHead<'_, '_>, bytes: &[u8]) {
    assert!(head.head_bytes <= bytes.len().min(LIMITS.head_bytes_max));
    assert!(bytes[..head.head_bytes].ends_with(b"\r\n\r\n"));
    assert!(head.headers.len() <= LIMITS.headers_max);
    assert!((100..600).contains(&head.status) && head.status != 101);
    for header in head.headers {
        assert!(!header.value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
    let count = |name: &str| head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).count();
    let framed_by = (count("content-length"), count("transfer-encoding"));
    match head.framing {
        Framing::None => assert!(matches!(head.status, 100..=199 | 204 | 304)),
        Framing::Length(_) => assert_eq!(framed_by, (1, 0)),
        Framing::Chunked => assert_eq!((framed_by, head.version), ((0, 1), Version::Http11)),
        Framing::UntilClose => assert!(!head.keep_alive && framed_by == (0, 0)),
    }
    assert!(framed_by.0 <= 1 && framed_by.1 <= 1 && framed_by != (1, 1));

    let version = if head.version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut again = format!("{version} {}\r\n", head.status).into_bytes();
    for header in head.headers {
        again.extend_from_slice(header.name.as_bytes());
        again.push(b':');
        again.extend_from_slice(header.value);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"\r\n");
    let mut room = Headers::new();
    let second = parse_response(&again, &mut room, &LIMITS).expect("accepted before").expect("whole");
    assert_eq!(second, ResponseHead { head_bytes: again.len(), ..*head });
}
