//! A reply: the event in a subscriber's response goes back to the broker.
//!
//! It takes the same way as a posted event. That the original is delivered and
//! that the reply is stored is one step in the log: a crash leaves both or
//! neither (contract 3.7 asks for a new delivery when the reply is not stored).

use std::time::SystemTime;

use eagre_event::Ttl;
use eagre_wal::{AppendError, Lsn, Place};

use super::{exchange::Response, lane::Lane, pool::Connection};
use crate::{backlog, commit::Stored, intake::Origin, shard::Shard, table::TriggerRoute};

/// Why a reply was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the reply is not a valid CloudEvent: {0}")]
    Malformed(String),
    #[error("the reply's time to live is used up: does the subscriber answer its own replies?")]
    TtlExhausted,
    #[error("broker {0} is gone")]
    BrokerGone(String),
    #[error(transparent)]
    NotStored(AppendError),
}

impl Refused {
    /// The status that the broker would answer to the same event.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::TtlExhausted => 400,
            Self::BrokerGone(_) => 404,
            Self::NotStored(_) => 503,
        }
    }

    /// Another delivery may lead to a reply that can be stored.
    pub(crate) const fn is_transient(&self) -> bool {
        !matches!(self, Self::TtlExhausted)
    }
}

/// Puts the reply in `response` into the log's next batch, together with the end
/// of the delivery of `lsn`. The caller waits for the position.
pub(crate) fn append(
    shard: &Shard,
    lane: &Lane,
    route: &TriggerRoute,
    lsn: Lsn,
    parent_ttl: u8,
    connection: &Connection,
    response: &Response,
) -> Result<Stored, Refused> {
    if response.truncated {
        let limit = shard.response_limits.body_bytes_max;
        return Err(Refused::Malformed(format!("longer than the limit of {limit} bytes")));
    }
    let table = shard.table();
    let broker =
        table.broker(&route.broker_path).ok_or_else(|| Refused::BrokerGone(route.broker_path.clone()))?;
    let body = connection.body(response);
    let scratch = &mut *shard.scratch.borrow_mut();
    connection
        .with_fields(&shard.response_limits, |fields| {
            scratch.draft.decode(fields.iter().map(|field| (field.name, field.value)), body)
        })
        .ok_or_else(|| Refused::Malformed("its head does not parse".into()))?
        .map_err(|error| Refused::Malformed(error.to_string()))?;
    scratch.draft.stamp(SystemTime::now(), Ttl::FromParent(parent_ttl)).map_err(|_| Refused::TtlExhausted)?;
    let moved = lane.moved_to(lsn).and_then(|_| lane.moved_cursor(Some(lsn)));
    let origin = match moved {
        Some(cursor) => Origin { consumer: backlog::consumer(lane.id), place: Place::Elsewhere, cursor },
        None => Origin {
            consumer: lane.id.0,
            place: Place::Here,
            cursor: lane.cursor(shard.fanned_out(), Some(lsn)),
        },
    };
    scratch.store(&shard.log, broker, shard.fsync(broker), body, Some(origin)).map_err(Refused::NotStored)
}
