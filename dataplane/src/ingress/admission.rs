//! Rows 6 to 13 of contract 1.2: from a whole request to events in the store's
//! next batch, or a reason why not.

use eagre_event::{BatchError, Draft, Error as EventError, Ttl};

use super::{Ingress, reason::Reason, request::Outcome};
use crate::{
    config::table::{BrokerRoute, Table},
    limits::ingress::BATCH_BODIES_MAX,
    runtime::time,
    store::NoRoom,
};

/// Accepts one event, in binary or structured mode.
pub(super) fn accept<'h>(
    ingress: &Ingress,
    path: &str,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
) -> Result<Outcome, Reason> {
    let scratch = &mut *ingress.scratch.borrow_mut();
    scratch.draft.decode(fields, body).map_err(bad_event)?;
    let table = ingress.routes.table();
    let broker = broker(&table, path)?;
    stamp(&mut scratch.draft)?;
    let last =
        ingress.store.accept(broker).and_then(|accepted| accepted.append(scratch, body)).map_err(no_room)?;
    Ok(Outcome::Stored {
        last: Some(last),
        broker: broker.broker.id,
        events: 1,
        body_bytes: body.len() as u64,
    })
}

/// Accepts a batch: all of its events are stored together, or none (design
/// section 5). One without events is stored when it has arrived.
pub(super) fn accept_batch<'h>(
    ingress: &Ingress,
    path: &str,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
) -> Result<Outcome, Reason> {
    let scratch = &mut *ingress.scratch.borrow_mut();
    let table = ingress.routes.table();
    let max = BATCH_BODIES_MAX * ingress.settings.body_bytes_max;
    let mut draft = std::mem::take(&mut scratch.draft);
    let (mut records, mut bytes) = (Vec::new(), 0);
    let decoded = eagre_event::decode_batch(fields, body, &mut draft, |draft, item| {
        let broker = broker(&table, path)?;
        stamp(draft)?;
        let record = scratch.render(draft, broker, item);
        bytes += record.len();
        records.push(record);
        if bytes > max { Err(Reason::BatchTooLarge { events: records.len(), bytes, max }) } else { Ok(()) }
    });
    scratch.draft = draft;
    decoded.map_err(bad_batch)?;
    let broker = broker(&table, path)?;
    let last =
        ingress.store.accept(broker).and_then(|accepted| accepted.append_batch(&records)).map_err(no_room)?;
    let events = records.len() as u64;
    Ok(Outcome::Stored { last, broker: broker.broker.id, events, body_bytes: body.len() as u64 })
}

fn broker<'t>(table: &'t Table, path: &str) -> Result<&'t BrokerRoute, Reason> {
    table.broker(path).map(|broker| &**broker).ok_or_else(|| Reason::UnknownBroker(path.to_owned()))
}

fn stamp(draft: &mut Draft) -> Result<(), Reason> {
    draft.stamp(time::calendar(), Ttl::FromEvent { max: TTL_MAX }).map_err(|_| Reason::TtlExhausted)
}

/// Of the reasons against an event only its size is the producer's.
fn no_room(reason: NoRoom) -> Reason {
    match reason {
        NoRoom::OverQuota => Reason::OverQuota,
        NoRoom::TooLarge(error) => Reason::Http { status: NoRoom::TOO_LARGE, reason: error.to_string() },
        NoRoom::Full(error) | NoRoom::NotNow(error) => Reason::Full(error.to_string()),
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
