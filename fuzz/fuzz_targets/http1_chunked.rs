//! A chunked body: decoded whole or in pieces it gives the same verdict, body
//! and end; the body stays within its limit, a limit changes nothing but
//! whether the body is too long, and the body encoded anew decodes to itself.
#![no_main]

use eagre_fuzz::Input;
use eagre_http1::{Chunked, Limits, Refusal, encode};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits =
    Limits { head_bytes_max: 512, headers_max: 8, chunk_line_bytes_max: 32, trailer_bytes_max: 64 };

/// What became of a stream: where the body ended, if it did, and the body so far.
type Outcome = (Result<Option<usize>, Refusal>, Vec<u8>);

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let max = usize::from(input.byte());
    let sizes = [1 + usize::from(input.byte() % 8), 1 + usize::from(input.byte())];
    let bytes = input.0;

    let (verdict, body) = decode([bytes], max);
    assert!(body.len() <= max);
    assert_eq!(decode(bytes.chunks(1), max), (verdict, body.clone()));
    let mut pieces = Vec::new();
    let mut sizes = sizes.into_iter().cycle();
    while !input.is_empty() {
        pieces.push(input.bytes(sizes.next().unwrap_or(1)));
    }
    assert_eq!(decode(pieces, max), (verdict, body.clone()));

    let (unlimited, long) = decode([bytes], usize::MAX);
    match (verdict, unlimited) {
        (Err(Refusal::BodyTooLong), _) => assert!(long.starts_with(&body)),
        _ => assert_eq!((unlimited, &long), (verdict, &body)),
    }
    if let Ok(Some(_)) = verdict {
        let mut again = Vec::new();
        encode::chunk(&mut again, &body);
        again.extend_from_slice(encode::LAST_CHUNK);
        assert_eq!(decode([&again[..]], max), (Ok(Some(again.len())), body));
    }
});

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, max: usize) -> Outcome {
    let (mut decoder, mut body, mut consumed) = (Chunked::new(&LIMITS), Vec::new(), 0);
    for piece in pieces {
        match decoder.decode(piece, &mut body, max) {
            Err(refusal) => return (Err(refusal), body),
            Ok(progress) => {
                assert!(progress.consumed == piece.len() || progress.done);
                consumed += progress.consumed;
                if progress.done {
                    return (Ok(Some(consumed)), body);
                }
            }
        }
    }
    (Ok(None), body)
}
