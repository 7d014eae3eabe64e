//! One request, as far as no waiting is needed: parse, route, decode, match,
//! append.
//!
//! Called with what has arrived so far, as often as needed; the checks come in
//! the order of contract 1.2.

use std::rc::Rc;

use eagre_event::Mode;
use eagre_http1::{Framing, Headers, RequestHead, parse_request};
use eagre_snapshot::Id;

use super::{
    Ingress,
    admission::{accept, accept_batch},
    reason::Reason,
    route::{Route, route},
};
use crate::{limits::ingress::LARGE_BYTES, store::Stored};

/// Where a request stands.
pub(super) enum Step {
    /// Its head is not complete.
    NeedHead,
    /// Its head is fine; its body has not arrived in full.
    NeedBody { head_bytes: usize, framing: Framing, expect_continue: bool },
    /// It has arrived, and deciding it is worth a turn of its own.
    Large,
    /// It is decided.
    Decided { outcome: Outcome, consumed: usize, close: bool },
}

/// How a request ends.
pub(super) enum Outcome {
    /// Its events are in the store's next batch; there may be none.
    Stored {
        last: Option<Stored>,
        broker: Id,
        events: u64,
        body_bytes: u64,
    },
    /// It is answered at once.
    Options,
    Probed(Option<Vec<u8>>),
    Refused(Reason),
}

/// Looks at what has arrived: `input` from the request's first byte on, and its
/// body decoded, if it is chunked and complete. `in_turn`: a large one is decided.
pub(super) fn step(ingress: &Rc<Ingress>, input: &[u8], chunked: Option<&[u8]>, in_turn: bool) -> Step {
    let mut headers = Headers::new();
    let head = match parse_request(input, &mut headers, &ingress.request_limits) {
        Ok(Some(head)) => head,
        Ok(None) => return Step::NeedHead,
        Err(refusal) => {
            let reason = Reason::Http { status: refusal.status(), reason: refusal.to_string() };
            // After that the rest of the input means nothing.
            return Step::Decided { outcome: Outcome::Refused(reason), consumed: input.len(), close: true };
        }
    };
    let path = match by_head(ingress, &head) {
        Ok(path) => path,
        Err(outcome) => return answer_by_head(&head, outcome, input.len()),
    };
    let (body, consumed) = match (head.framing, chunked) {
        (Framing::Chunked, Some(body)) => (body, head.head_bytes),
        (Framing::Length(length), _) if input.len() - head.head_bytes >= length as usize => {
            let end = head.head_bytes + length as usize;
            (&input[head.head_bytes..end], end)
        }
        (Framing::None, _) => (&[][..], head.head_bytes),
        (framing, _) => {
            let RequestHead { head_bytes, expect_continue, .. } = head;
            return Step::NeedBody { head_bytes, framing, expect_continue };
        }
    };
    let fields = head.headers.iter().map(|field| (field.name, field.value));
    let is_batch = eagre_event::mode(fields.clone()) == Some(Mode::Batch);
    if !in_turn && (is_batch || body.len() >= LARGE_BYTES) {
        return Step::Large;
    }
    let accepted = if is_batch {
        accept_batch(ingress, path, fields, body)
    } else {
        accept(ingress, path, fields, body)
    };
    let close = !head.keep_alive || ingress.draining.get();
    Step::Decided { outcome: accepted.unwrap_or_else(Outcome::Refused), consumed, close }
}

/// The broker's path, or the answer that needs no body.
fn by_head<'b>(ingress: &Ingress, head: &RequestHead<'b, '_>) -> Result<&'b str, Outcome> {
    match route(head) {
        Route::Broker(_) | Route::Probe if ingress.draining.get() => Err(Outcome::Refused(Reason::Draining)),
        Route::Broker(path) => {
            let limit = ingress.settings.body_bytes_max;
            match head.framing {
                Framing::Length(length) if length > limit as u64 => {
                    Err(Outcome::Refused(Reason::TooLarge { limit }))
                }
                _ => Ok(path),
            }
        }
        Route::Probe => Err(Outcome::Probed(None)),
        Route::NetworkProbe(hash) => Err(Outcome::Probed(Some(hash.to_vec()))),
        Route::Options => Err(Outcome::Options),
        Route::Refuse(reason) => Err(Outcome::Refused(reason)),
    }
}

/// Answers without reading the body. The connection stays open only if the body
/// is there already and can be skipped: what is not read must never be taken
/// for the next request.
fn answer_by_head(head: &RequestHead<'_, '_>, outcome: Outcome, received: usize) -> Step {
    let body_bytes = match head.framing {
        Framing::None => Some(0),
        Framing::Length(length) => usize::try_from(length).ok(),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let end = body_bytes.and_then(|bytes| head.head_bytes.checked_add(bytes)).filter(|end| *end <= received);
    let close = !head.keep_alive || end.is_none();
    Step::Decided { outcome, consumed: end.unwrap_or(received), close }
}
