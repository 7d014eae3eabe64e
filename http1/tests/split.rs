//! The verdict does not depend on how the bytes were cut.

mod cases;

use cases::{BODY_BYTES_MAX, Kind, LIMITS, Reading, all, judge, read};
use eagre_http1::{Chunked, encode};
use proptest::prelude::*;

#[test]
fn every_case_reads_the_same_at_every_two_way_cut() {
    for case in all() {
        let whole = read(case.kind, &[&case.bytes], &LIMITS);
        assert!(judge(&whole, &case.verdict), "{} ({})", case.id, case.section);
        for cut in 0..=case.bytes.len() {
            let (front, back) = case.bytes.split_at(cut);
            let reading = read(case.kind, &[front, back], &LIMITS);
            assert_eq!(reading, whole, "{} cut at {cut}: {}", case.id, case.bytes.escape_ascii());
        }
    }
}

#[test]
fn every_case_reads_the_same_byte_by_byte() {
    for case in all() {
        let pieces: Vec<&[u8]> = case.bytes.chunks(1).collect();
        let whole = read(case.kind, &[&case.bytes], &LIMITS);
        assert_eq!(read(case.kind, &pieces, &LIMITS), whole, "{}", case.id);
    }
}

/// A deliberately naive decoder over the whole input: no extensions, no
/// trailers. `None`: not a body of that kind.
fn reference(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut rest) = (Vec::new(), input);
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        if line.is_empty() || line.len() > 16 || !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(line, 16).ok()?;
        rest = &rest[end + 2..];
        let chunk = rest.get(..size)?;
        data.extend_from_slice(chunk);
        rest = rest[size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return (data.len() <= BODY_BYTES_MAX).then(|| (data, input.len() - rest.len()));
        }
    }
}

/// Bytes that look like a chunked body more often than chance would have it.
fn nearly_a_body() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => Just(b"\r\n".to_vec()),
        4 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|data| {
            let mut out = Vec::new();
            encode::chunk(&mut out, &data);
            out
        }),
        3 => Just(encode::LAST_CHUNK.to_vec()),
        2 => prop::sample::select(b"0123456789abcdefABCDEF\r\n +-x_".to_vec()).prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(token, 0..10).prop_map(|tokens| tokens.concat())
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_decode_as_the_naive_reference_does(
        bytes in nearly_a_body(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let reading = read(Kind::Body, &pieces(&bytes, &cuts), &LIMITS);
        match (reference(&bytes), &reading) {
            (Some((data, consumed)), _) => prop_assert_eq!(reading, Reading::Body { data, consumed }),
            (None, Reading::Body { .. }) => {
                // The reference knows no trailers.
                let text = bytes.escape_ascii().to_string();
                prop_assert!(bytes.contains(&b':') || bytes.contains(&b';'), "accepted: {}", text);
            }
            _ => {}
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            encode::chunk(&mut bytes, chunk);
        }
        bytes.extend_from_slice(encode::LAST_CHUNK);
        let (mut decoder, mut data, mut done) = (Chunked::new(&LIMITS), Vec::new(), false);
        for piece in pieces(&bytes, &cuts) {
            done = decoder.decode(piece, &mut data, usize::MAX).expect("our own encoding").done;
        }
        prop_assert!(done);
        prop_assert_eq!(data, chunks.concat());
    }

    #[test]
    fn heads_of_any_bytes_read_the_same_however_cut(
        bytes in prop::collection::vec(prop::sample::select(b"GET / HTTP/1.1\r\n\r\n\r\n: \tXa0\0\xff".to_vec()), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        for (kind, start) in [(Kind::Request, "GET / HTTP/1.1\r\nHost: a\r\n"), (Kind::Response, "HTTP/1.1 200 ")] {
            let bytes = [start.as_bytes(), &bytes].concat();
            let whole = read(kind, &[&bytes], &LIMITS);
            prop_assert_eq!(read(kind, &pieces(&bytes, &[cut]), &LIMITS), whole);
        }
    }
}
