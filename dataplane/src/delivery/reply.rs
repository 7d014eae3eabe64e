//! A reply: the event in a subscriber's response goes back to the broker.
//!
//! It takes the same way as a posted event. That the original is delivered and
//! that the reply is stored is one step in the log: a crash leaves both or
//! neither (contract 3.7 asks for a new delivery when the reply is not stored).

use eagre_event::Ttl;
use eagre_snapshot::Counter;

use super::{
    attempts::{Attempt, Delivery},
    exchange::Response,
    failure::Failure,
    pool::Connection,
    request::Target,
};
use crate::{
    limits::delivery::SHORTAGE_PAUSE,
    runtime::time,
    store::{NoRoom, Stored},
};

/// Why a reply was not stored.
#[derive(Debug, thiserror::Error)]
enum ReplyRefused {
    #[error("the reply is not a valid CloudEvent: {0}")]
    Malformed(String),
    #[error("the reply's time to live is used up: does the subscriber answer its own replies?")]
    TtlExhausted,
    #[error("broker {0} is gone")]
    BrokerGone(String),
    #[error(transparent)]
    NotStored(NoRoom),
}

impl ReplyRefused {
    /// The status that the broker would answer to the same event.
    const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::TtlExhausted => 400,
            Self::BrokerGone(_) => 404,
            Self::NotStored(no_room) => no_room.status(),
        }
    }

    /// Another delivery may lead to a reply that can be stored.
    const fn is_transient(&self) -> bool {
        !matches!(self, Self::TtlExhausted | Self::NotStored(NoRoom::TooLarge(_)))
    }

    /// Contract 3.7: a reply that the broker refuses fails the delivery; the dead
    /// letter names the broker.
    fn into_attempt(self, delivery: &Delivery, target: &Target<'_>) -> Attempt {
        let text = self.to_string();
        let failure = match self {
            Self::Malformed(_) => Failure::new(&target.endpoint.uri, Some(502), text.as_bytes()),
            _ => {
                let broker = format!("http://{}/{}", delivery.lane.room.address, delivery.route.broker_path);
                Failure::new(&broker, Some(self.status()), text.as_bytes())
            }
        };
        Attempt::failed(failure, self.is_transient())
    }
}

/// Stores the reply in `response` together with the end of the delivery. While the
/// process is short of something the reply waits: that is no failure of the
/// subscriber, and costs the event no attempt.
pub(super) async fn take(
    delivery: &Delivery,
    target: &Target<'_>,
    connection: &Connection,
    response: &Response,
) -> Attempt {
    loop {
        match append(delivery, connection, response) {
            Ok(stored) => {
                let lane = &delivery.lane;
                lane.room.store.stored(stored).await;
                lane.add(Counter::Replies, 1);
                return Attempt::Taken;
            }
            Err(ReplyRefused::NotStored(NoRoom::NotNow(_))) if delivery.is_over() => {
                return Attempt::Abandoned;
            }
            Err(ReplyRefused::NotStored(NoRoom::NotNow(_))) => time::sleep(SHORTAGE_PAUSE).await,
            Err(refused) => return refused.into_attempt(delivery, target),
        }
    }
}

fn append(delivery: &Delivery, connection: &Connection, response: &Response) -> Result<Stored, ReplyRefused> {
    let Delivery { lane, route, event, job } = delivery;
    let room = &lane.room;
    if response.truncated {
        let limit = room.response_limits.body_bytes_max;
        return Err(ReplyRefused::Malformed(format!("longer than the limit of {limit} bytes")));
    }
    let table = room.routes.table();
    let broker = table
        .broker(&route.broker_path)
        .ok_or_else(|| ReplyRefused::BrokerGone(route.broker_path.clone()))?;
    let body = connection.body(response);
    let scratch = &mut *room.scratch.borrow_mut();
    connection
        .with_fields(&room.response_limits, |fields| {
            scratch.draft.decode(fields.iter().map(|field| (field.name, field.value)), body)
        })
        .ok_or_else(|| ReplyRefused::Malformed("its head does not parse".into()))?
        .map_err(|error| ReplyRefused::Malformed(error.to_string()))?;
    let ttl = Ttl::FromParent(event.record().ttl());
    scratch.draft.stamp(time::calendar(), ttl).map_err(|_| ReplyRefused::TtlExhausted)?;
    let append = |progress: &_| room.store.append_reply(scratch, broker, body, lane.id, progress);
    // At once: progress that is stored meanwhile must not bring the event back.
    lane.record(Some(job.offset), append).map_err(ReplyRefused::NotStored)
}
