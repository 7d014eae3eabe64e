//! What producers and subscribers saw: the one witness of the oracle.
//!
//! An event is written down before its first byte is sent, and as acknowledged only
//! after its 202 was read; whatever lies between is "maybe". A delivery is written down
//! when it is answered.
//!
//! There are no times in it. Crashes divide it into *runs* of the server, and every
//! delivery belongs to the run that sent it: a crash is written down when nothing that
//! was sent before it is left to be read.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{owed::Owed, plan::Kind};

/// The id of an event: a number, and whether it is the reply to the event of that
/// number. Its text form is `e17` or `r17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    /// Counts the posted events of a trial.
    pub number: u64,
    /// A reply rather than a posted event.
    pub reply: bool,
}

/// An event that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Its type.
    pub kind: Kind,
    /// Hash of its payload.
    pub hash: u64,
    /// Bytes of its payload.
    pub bytes: usize,
    /// Its 202 was read.
    pub acknowledged: bool,
}

/// A request that a subscriber or sink read.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// The trigger.
    pub trigger: usize,
    /// It came to the trigger's dead letter sink.
    pub sink: bool,
    /// The event.
    pub id: EventId,
    /// What it says it is; none for an unknown type.
    pub kind: Option<Kind>,
    /// Hash of the payload that arrived.
    pub hash: u64,
    /// It was answered with success.
    pub accepted: bool,
    /// Crashes before the server sent it.
    pub run: usize,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Events by id.
    pub sent: HashMap<EventId, Sent>,
    /// Deliveries in the order of their answers.
    pub deliveries: Vec<Delivery>,
    /// For each crash, what the disk then owed.
    pub crashes: Vec<Owed>,
    /// What should not be possible at all, in words.
    pub oddities: Vec<String>,
    /// Answers to producers that were neither 202, 429 nor 503 are oddities; these are
    /// the 503s.
    pub unavailable: u64,
}

/// What was seen, shared by all threads of a trial.
#[derive(Debug, Default)]
pub struct History(Mutex<Seen>);

impl History {
    /// Access to all of it.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        // A thread that panicked has said so itself; the facts stay facts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event is about to be sent.
    pub fn sends(&self, id: EventId, kind: Kind, payload: &[u8]) {
        let sent = Sent { kind, hash: xxh3_64(payload), bytes: payload.len(), acknowledged: false };
        self.seen().sent.entry(id).or_insert(sent);
    }

    /// A delivery of the present run was answered.
    pub fn answered(&self, delivery: Delivery) {
        let mut seen = self.seen();
        let run = seen.crashes.len();
        seen.deliveries.push(Delivery { run, ..delivery });
    }

    /// The server crashed, and this is what the disk owes; what follows is the next run.
    pub fn crashed(&self, owed: Owed) {
        self.seen().crashes.push(owed);
    }

    /// A 202 for these events was read.
    pub fn acknowledged(&self, ids: &[EventId]) {
        let mut seen = self.seen();
        for id in ids {
            if let Some(sent) = seen.sent.get_mut(id) {
                sent.acknowledged = true;
            }
        }
    }

    /// How many events were acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        self.seen().sent.values().filter(|sent| sent.acknowledged).count()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.reply { 'r' } else { 'e' }, self.number)
    }
}

/// The text is no event's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event of this trial")]
pub struct NotAnId;

impl FromStr for EventId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (reply, number) = match text.split_at_checked(1) {
            Some(("e", number)) => (false, number),
            Some(("r", number)) => (true, number),
            _ => return Err(NotAnId),
        };
        Ok(Self { number: number.parse().map_err(|_| NotAnId)?, reply })
    }
}
