//! One request, as far as no waiting is needed: parse, route, decode, match,
//! append.
//!
//! Called with what has arrived so far, as often as needed; the checks come in
//! the order of contract 1.2.

use std::{rc::Rc, time::SystemTime};

use eagre_event::{BatchError, Draft, Error as EventError, Mode, Ttl};
use eagre_http1::{Framing, Headers, RequestHead, parse_request};
use eagre_snapshot::Id;
use eagre_wal::{AppendError, Kind};

use super::{
    answer::Reason,
    route::{Route, route},
};
use crate::{
    commit::Stored,
    envelope::EVENT,
    shard::Shard,
    table::{BrokerRoute, Table},
};

/// Where a request stands.
pub(crate) enum Step {
    /// Its head is not complete.
    NeedHead,
    /// Its head is fine; its body has not arrived in full.
    NeedBody { head_bytes: usize, framing: Framing, expect_continue: bool },
    /// It is decided.
    Decided { outcome: Outcome, consumed: usize, close: bool },
}

/// How a request ends.
pub(crate) enum Outcome {
    /// Its events are in the log's next batch.
    Stored {
        last: Stored,
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
/// body decoded, if it is chunked and complete.
pub(crate) fn step(shard: &Rc<Shard>, input: &[u8], chunked: Option<&[u8]>) -> Step {
    let mut headers = Headers::new();
    let head = match parse_request(input, &mut headers, &shard.request_limits) {
        Ok(Some(head)) => head,
        Ok(None) => return Step::NeedHead,
        Err(refusal) => {
            let reason = Reason::Http { status: refusal.status(), reason: refusal.to_string() };
            // After that the rest of the input means nothing.
            return Step::Decided { outcome: Outcome::Refused(reason), consumed: input.len(), close: true };
        }
    };
    let path = match by_head(shard, &head) {
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
    let close = !head.keep_alive || shard.is_draining();
    let outcome = accept(shard, path, &head, body).unwrap_or_else(Outcome::Refused);
    Step::Decided { outcome, consumed, close }
}

/// The broker's path, or the answer that needs no body.
fn by_head<'b>(shard: &Shard, head: &RequestHead<'b, '_>) -> Result<&'b str, Outcome> {
    match route(head) {
        Route::Broker(_) | Route::Probe if shard.is_draining() => Err(Outcome::Refused(Reason::Draining)),
        Route::Broker(path) => {
            let limit = shard.config.ingress.body_bytes_max;
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

/// Rows 6 to 13 of contract 1.2.
fn accept(shard: &Rc<Shard>, path: &str, head: &RequestHead<'_, '_>, body: &[u8]) -> Result<Outcome, Reason> {
    let fields = head.headers.iter().map(|field| (field.name, field.value));
    if eagre_event::mode(fields.clone()) == Some(Mode::Batch) {
        return accept_batch(shard, path, fields, body);
    }
    let scratch = &mut *shard.scratch.borrow_mut();
    scratch.draft.decode(fields, body).map_err(bad_event)?;
    let table = shard.table();
    let broker = broker(&table, path)?;
    stamp(&mut scratch.draft)?;
    has_room(shard, broker)?;
    let last = scratch.store(&shard.log, broker, shard.fsync(broker), body, None).map_err(full)?;
    Ok(Outcome::Stored { last, broker: broker.broker.id, events: 1, body_bytes: body.len() as u64 })
}

/// All events of a batch are stored together, or none (design section 5).
fn accept_batch<'h>(
    shard: &Rc<Shard>,
    path: &str,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
) -> Result<Outcome, Reason> {
    let scratch = &mut *shard.scratch.borrow_mut();
    let table = shard.table();
    let mut draft = std::mem::take(&mut scratch.draft);
    let mut records = Vec::new();
    let decoded = eagre_event::decode_batch(fields, body, &mut draft, |draft, item| {
        let broker = broker(&table, path)?;
        stamp(draft)?;
        records.push(scratch.render(draft, broker, item));
        Ok(())
    });
    scratch.draft = draft;
    decoded.map_err(bad_batch)?;
    let broker = broker(&table, path)?;
    has_room(shard, broker)?;
    let parts: Vec<[&[u8]; 1]> = records.iter().map(|record| [record.as_slice()]).collect();
    let group: Vec<(Kind, &[&[u8]])> = parts.iter().map(|parts| (EVENT, &parts[..])).collect();
    let last = shard.log.append_group(shard.now_ms(), shard.fsync(broker), &group).map_err(full)?;
    let events = records.len() as u64;
    Ok(Outcome::Stored { last, broker: broker.broker.id, events, body_bytes: body.len() as u64 })
}

fn broker<'t>(table: &'t Table, path: &str) -> Result<&'t BrokerRoute, Reason> {
    table.broker(path).map(|broker| &**broker).ok_or_else(|| Reason::UnknownBroker(path.to_owned()))
}

fn stamp(draft: &mut Draft) -> Result<(), Reason> {
    draft.stamp(SystemTime::now(), Ttl::FromEvent { max: TTL_MAX }).map_err(|_| Reason::TtlExhausted)
}

/// Replies are not asked: to refuse them would keep those triggers behind that
/// have to catch up.
fn has_room(shard: &Shard, broker: &BrokerRoute) -> Result<(), Reason> {
    if shard.backlogs.is_over_quota(broker.broker.id) {
        return Err(Reason::OverQuota);
    }
    if let Some(shortage) = shard.log.shortage() {
        return Err(full(shortage.into()));
    }
    shard.may_accept().map_err(full)
}

/// Of the reasons against a record only its size is the producer's.
fn full(error: AppendError) -> Reason {
    match error {
        AppendError::TooLarge { .. } => Reason::Http { status: 413, reason: error.to_string() },
        _ => Reason::Full(error.to_string()),
    }
}

fn bad_event(error: EventError) -> Reason {
    Reason::BadEvent { status: error.status(), reason: error.to_string() }
}

fn bad_batch(error: BatchError<Reason>) -> Reason {
    match error {
        BatchError::Refused { error, .. } => error,
        BatchError::Batch(ref cause) | BatchError::Event { error: ref cause, .. } => {
            Reason::BadEvent { status: cause.status(), reason: error.to_string() }
        }
    }
}

/// Contract 1.5: passes through brokers before an event is taken for a loop.
const TTL_MAX: u8 = 255;
