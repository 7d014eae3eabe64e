//! What the records of a data plane's logs hold, for those who look at them from
//! outside. The layouts are those of `envelope`, `moved` and `dead_letters`; nothing here
//! writes.

use eagre_event::Record;
use eagre_snapshot::Id;
use eagre_wal::{Kind, Lsn};

use super::{
    backlog, dead_letters,
    envelope::{self, Envelope},
    moved::{self, MovedEvent},
};

/// What a record holds.
#[derive(Clone, Debug)]
pub enum Contents<'a> {
    /// An accepted event.
    Event(Event<'a>),
    /// An event that was moved to the backlog of its broker.
    Moved {
        /// Its position in the shard's log.
        source: Lsn,
        /// When it was accepted, Unix milliseconds.
        time_ms: u64,
        /// The event, for the triggers that still needed it.
        event: Event<'a>,
    },
    /// An event that no sink took.
    DeadLetter {
        /// The trigger that could not deliver it.
        trigger: Id,
        /// HTTP status of the last failure, if there was a response.
        code: Option<u16>,
        /// Where it was to go.
        destination: &'a str,
        /// What came back with the failure.
        data: &'a [u8],
        /// The event as it was accepted.
        event: Event<'a>,
    },
}

/// An event with its envelope.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The broker that accepted it.
    pub broker: Id,
    /// The triggers that it matched.
    pub triggers: Vec<Id>,
    /// The event.
    pub record: Record<'a>,
}

/// Why a record of a known kind cannot be read: another version wrote it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// The consumer in a shard's log whose cursor tells how far `trigger` has read the
/// backlog of `broker`.
#[must_use]
pub const fn backlog_consumer(trigger: Id, broker: Id) -> u64 {
    backlog::consumer(trigger, broker)
}

/// Reads the body of a record; `None` for a kind that is not the data plane's.
///
/// # Errors
/// The body has another form than this version's.
pub fn read(kind: Kind, body: &[u8]) -> Result<Option<Contents<'_>>, Unreadable> {
    match kind {
        envelope::EVENT => event(body).map(Contents::Event).map(Some),
        moved::MOVED => {
            let moved = MovedEvent::parse(body)
                .ok_or_else(|| Unreadable("log record holds no moved event".into()))?;
            let (source, time_ms) = (moved.offset.0, moved.time_ms);
            Ok(Some(Contents::Moved { source, time_ms, event: event(moved.event)? }))
        }
        dead_letters::DEAD_LETTER => {
            let letter = dead_letters::parse(body)
                .ok_or_else(|| Unreadable("log record holds no dead letter of a known version".into()))?;
            Ok(Some(Contents::DeadLetter {
                trigger: letter.trigger,
                code: letter.code,
                destination: letter.destination,
                data: letter.data,
                event: event(letter.event)?,
            }))
        }
        _ => Ok(None),
    }
}

fn event(body: &[u8]) -> Result<Event<'_>, Unreadable> {
    let unreadable = |error: &dyn std::fmt::Display| Unreadable(error.to_string());
    let envelope = Envelope::parse(body).map_err(|error| unreadable(&error))?;
    let record = envelope.event().map_err(|error| unreadable(&error))?;
    Ok(Event { broker: envelope.broker(), triggers: envelope.matches().collect(), record })
}
