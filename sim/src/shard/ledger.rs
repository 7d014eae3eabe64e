//! What was sent, what was promised, and what arrived.

use std::collections::BTreeMap;

use eagre_snapshot::Id;

use super::{
    content::Content,
    seen::{Seen, Sights},
};
use crate::world::Nanos;

/// What became of a request, as far as its producer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody knows.
    Unknown,
    /// 202, or the end of the delivery that led to it.
    Accepted,
    /// With this status.
    Refused(u16),
}

/// An event that was sent to a broker.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub content: Content,
    pub broker: String,
    pub began: Nanos,
    /// It was judged by then.
    pub ended: Nanos,
    pub fate: Fate,
    /// Its durability does not cover what has happened to the machine since.
    pub excused: bool,
    /// It was on the platter when a process stopped in good order.
    pub settled: bool,
    /// A reply to this event, by this trigger.
    pub origin: Option<(u64, Id)>,
}

/// How a subscriber answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub at: Nanos,
    /// The run of the process that asked.
    pub run: u32,
    pub is_sink: bool,
    /// A whole 2xx was sent.
    pub ok: bool,
    /// At once, on a connection that nothing happened to.
    pub clean: bool,
    /// It was an event.
    pub reply: Option<u64>,
}

/// Everything that the actors have noted.
#[derive(Default)]
pub(super) struct Ledger {
    pub numbers: u64,
    pub sent: BTreeMap<u64, Sent>,
    /// By event and trigger, in the order of the answers.
    pub answered: BTreeMap<(u64, Id), Vec<Answered>>,
    /// When the process was killed, or the power cut.
    pub crashes: Vec<Nanos>,
    /// Events that triggers have given up for want of room, as each run counts them:
    /// in all until the count began anew, and since.
    pub dropped: BTreeMap<(u32, Id), (u64, u64)>,
    pub sights: Sights,
}

impl Ledger {
    pub(super) fn saw(&mut self, seen: Seen) {
        self.sights.hit(seen);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// An event is about to be sent.
    pub(super) fn send(&mut self, content: Content, broker: &str, began: Nanos, origin: Option<(u64, Id)>) {
        let sent = Sent {
            broker: broker.to_owned(),
            began,
            ended: Nanos::MAX,
            fate: Fate::Unknown,
            excused: false,
            settled: false,
            origin,
            content,
        };
        self.sent.insert(sent.content.number, sent);
    }

    /// What a run counts now of what a trigger gave up. The count begins anew where
    /// the trigger was gone for a while.
    pub(super) fn counts_dropped(&mut self, run: u32, trigger: Id, count: u64) {
        let (before, now) = self.dropped.entry((run, trigger)).or_default();
        if count < *now {
            *before += *now;
        }
        *now = count;
    }

    /// All that a trigger gave up.
    pub(super) fn dropped(&self, trigger: Id) -> u64 {
        let of_it = self.dropped.iter().filter(|((_, id), _)| *id == trigger);
        of_it.map(|(_, (before, now))| before + now).sum()
    }

    /// What became of it.
    pub(super) fn end(&mut self, number: u64, fate: Fate, at: Nanos) {
        let sent = self.sent.get_mut(&number).expect("it was sent");
        (sent.fate, sent.ended) = (fate, at);
    }

    /// A subscriber has the event and has answered.
    pub(super) fn answer(&mut self, number: u64, trigger: Id, answered: Answered) {
        self.answered.entry((number, trigger)).or_default().push(answered);
    }
}
