//! Our own conformance table: what is read, and how it is judged.
//!
//! A row is (id, section, bytes, verdict). Sections without a document are of
//! RFC 9112; `9110/…` is RFC 9110, `own` is a decision of ours.

use eagre_http1::{Chunked, Framing, Headers, Limits, Refusal, parse_request, parse_response};

pub mod chunks;
pub mod fields;
pub mod lines;

pub const LIMITS: Limits =
    Limits { head_bytes_max: 512, headers_max: 8, chunk_line_bytes_max: 40, trailer_bytes_max: 64 };

/// Data bytes of a chunked case.
pub const BODY_BYTES_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Request,
    Response,
    Body,
}

/// Everything that a caller acts on.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Incomplete,
    Request { target: String, framing: Framing, keep_alive: bool, expect: bool, head_bytes: usize },
    Response { status: u16, framing: Framing, keep_alive: bool, head_bytes: usize },
    Body { data: Vec<u8>, consumed: usize },
    Refused(Refusal),
}

/// The part of a reading that a row names.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Incomplete,
    /// The body's framing; the connection persists.
    Keep(Framing),
    /// The body's framing; the connection does not persist.
    Close(Framing),
    /// As `Keep`, and the client waits for a 100.
    Continue(Framing),
    /// The target as the caller sees it.
    Target(&'static str),
    Data(&'static str),
    Refuse(Refusal),
}

pub struct Case {
    pub id: &'static str,
    pub section: &'static str,
    pub kind: Kind,
    pub bytes: Vec<u8>,
    pub verdict: Verdict,
}

pub type Row = (&'static str, &'static str, &'static str, Verdict);

/// Rows whose bytes are put between `before` and `after`.
pub fn rows(cases: &mut Vec<Case>, kind: Kind, before: &str, after: &str, rows: &[Row]) {
    for (id, section, text, verdict) in rows {
        // Rows are text; a byte above 127 stands for itself.
        let bytes = format!("{before}{text}{after}").chars().map(|c| c as u8).collect();
        cases.push(Case { id, section, kind, bytes, verdict: verdict.clone() });
    }
}

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    lines::add(&mut cases);
    fields::add(&mut cases);
    chunks::add(&mut cases);
    cases
}

/// Gives the bytes to the codec piece by piece, as a caller would.
pub fn read(kind: Kind, pieces: &[&[u8]], limits: &Limits) -> Reading {
    match kind {
        Kind::Body => read_body(pieces, limits),
        Kind::Request | Kind::Response => {
            let mut received = Vec::new();
            let mut reading = Reading::Incomplete;
            for piece in pieces {
                received.extend_from_slice(piece);
                reading = read_head(kind, &received, limits);
                if reading != Reading::Incomplete {
                    break;
                }
            }
            reading
        }
    }
}

fn read_head(kind: Kind, received: &[u8], limits: &Limits) -> Reading {
    let mut headers = Headers::new();
    if kind == Kind::Request {
        match parse_request(received, &mut headers, limits) {
            Ok(None) => Reading::Incomplete,
            Err(refusal) => Reading::Refused(refusal),
            Ok(Some(head)) => Reading::Request {
                target: head.target.to_owned(),
                framing: head.framing,
                keep_alive: head.keep_alive,
                expect: head.expect_continue,
                head_bytes: head.head_bytes,
            },
        }
    } else {
        match parse_response(received, &mut headers, limits) {
            Ok(None) => Reading::Incomplete,
            Err(refusal) => Reading::Refused(refusal),
            Ok(Some(head)) => Reading::Response {
                status: head.status,
                framing: head.framing,
                keep_alive: head.keep_alive,
                head_bytes: head.head_bytes,
            },
        }
    }
}

fn read_body(pieces: &[&[u8]], limits: &Limits) -> Reading {
    let mut decoder = Chunked::new(limits);
    let (mut data, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        match decoder.decode(piece, &mut data, BODY_BYTES_MAX) {
            Err(refusal) => return Reading::Refused(refusal),
            Ok(progress) => {
                consumed += progress.consumed;
                if progress.done {
                    return Reading::Body { data, consumed };
                }
                assert_eq!(progress.consumed, piece.len(), "everything is consumed until the body ends");
            }
        }
    }
    Reading::Incomplete
}

pub fn judge(reading: &Reading, verdict: &Verdict) -> bool {
    match (reading, verdict) {
        (Reading::Incomplete, Verdict::Incomplete) => true,
        (Reading::Refused(refusal), Verdict::Refuse(expected)) => refusal == expected,
        (Reading::Request { framing, keep_alive, expect, .. }, verdict) => match verdict {
            Verdict::Keep(expected) => framing == expected && *keep_alive && !expect,
            Verdict::Close(expected) => framing == expected && !keep_alive && !expect,
            Verdict::Continue(expected) => framing == expected && *keep_alive && *expect,
            Verdict::Target(expected) => {
                matches!(reading, Reading::Request { target, .. } if target == expected)
            }
            _ => false,
        },
        (Reading::Response { framing, keep_alive, .. }, verdict) => match verdict {
            Verdict::Keep(expected) => framing == expected && *keep_alive,
            Verdict::Close(expected) => framing == expected && !keep_alive,
            _ => false,
        },
        (Reading::Body { data, .. }, Verdict::Data(expected)) => data == expected.as_bytes(),
        _ => false,
    }
}
