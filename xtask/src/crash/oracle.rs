//! Whether what was seen is what was promised. Pure: a history in, violations out.
//!
//! - **No loss**: every acknowledged event was accepted by the subscriber of every
//!   trigger that matches it, or by that trigger's dead letter sink. The reply to an
//!   acknowledged event counts as acknowledged: the delivery that caused it is not
//!   finished before the reply is stored.
//! - **No invention**: everything that was delivered had been sent, and has the type and
//!   the bytes it was sent with, to the trigger that matches it.
//! - **No needless repetition**: what a subscriber accepted comes again only after a
//!   crash that followed within [`REPEATED_WITHIN`].
//!
//! A request without an answer may be there or not, never in part: no rule asks for it,
//! and the second holds for it too.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use super::{
    history::{Delivery, EventId, Seen},
    plan::{CURSOR_INTERVAL, Kind, Trigger},
};

/// How long before a crash an accepted delivery may lie to be repeated after it: the
/// cursors' interval, and what a debug build on a machine that does other things needs
/// to get them onto the disk.
pub const REPEATED_WITHIN: Duration = CURSOR_INTERVAL.saturating_add(Duration::from_millis(1900));

/// How long after a crash a subscriber may read what was sent before it: its thread
/// waits for a processor.
const READ_LATE: Duration = Duration::from_millis(250);

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Acknowledged events that a trigger never got.
    Lost {
        /// The trigger.
        trigger: usize,
        /// The events, in ascending order.
        ids: Vec<EventId>,
    },
    /// A delivery of something that was not sent, or not so.
    Invented {
        /// The trigger.
        trigger: usize,
        /// The event it claims to be.
        id: EventId,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An accepted event came again for no reason.
    Repeated {
        /// The trigger.
        trigger: usize,
        /// The event.
        id: EventId,
        /// From the acceptance to the second delivery.
        after: Duration,
        /// From the acceptance to the next crash, if there was one between.
        crash_after: Option<Duration>,
    },
    /// The server did something that it should not: ended by itself, took too long,
    /// logged an error, answered what no producer can expect.
    Server(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { trigger, ids } => {
                let some: Vec<_> = ids.iter().take(20).map(ToString::to_string).collect();
                write!(f, "LOST: trigger t{trigger} never got {} acknowledged events: ", ids.len())?;
                write!(f, "{}{}", some.join(" "), if ids.len() > some.len() { " …" } else { "" })
            }
            Self::Invented { trigger, id, what } => {
                write!(f, "INVENTED: trigger t{trigger} got {id}: {what}")
            }
            Self::Repeated { trigger, id, after, crash_after } => {
                write!(
                    f,
                    "REPEATED: trigger t{trigger} got {id} again {after:?} after it had accepted it; "
                )?;
                match crash_after {
                    Some(crash) => write!(f, "the crash came {crash:?} after the acceptance"),
                    None => write!(f, "there was no crash between"),
                }
            }
            Self::Server(what) => write!(f, "SERVER: {what}"),
        }
    }
}

/// What the oracle found.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Accepted deliveries beyond the first of an event at a trigger.
    pub duplicates: usize,
}

/// Judges everything that was seen, when nothing more is to come.
pub fn judge(triggers: &[Trigger], seen: &Seen) -> Judgement {
    let lost = missing(triggers, seen).into_iter().map(|(trigger, ids)| Violation::Lost { trigger, ids });
    let mut violations: Vec<_> = lost.collect();
    violations.extend(seen.deliveries.iter().filter_map(|delivery| invented(triggers, seen, delivery)));
    let (repeated, duplicates) = repeated(triggers, seen);
    violations.extend(repeated);
    violations.extend(seen.oddities.iter().cloned().map(Violation::Server));
    Judgement { violations, duplicates }
}

/// What every trigger still has to get, by trigger; those that have all are left out.
pub fn missing(triggers: &[Trigger], seen: &Seen) -> Vec<(usize, Vec<EventId>)> {
    let mut accepted: Vec<HashSet<EventId>> = vec![HashSet::new(); triggers.len()];
    for delivery in seen.deliveries.iter().filter(|delivery| delivery.accepted.is_some()) {
        accepted[delivery.trigger].insert(delivery.id);
    }
    let due = due(triggers, seen);
    let of = |(index, trigger): (usize, &Trigger)| {
        let missing = due.iter().filter(|(_, kind)| trigger.matches(*kind)).map(|(id, _)| *id);
        let mut ids: Vec<_> = missing.filter(|id| !accepted[index].contains(id)).collect();
        ids.sort_unstable();
        (!ids.is_empty()).then_some((index, ids))
    };
    triggers.iter().enumerate().filter_map(of).collect()
}

/// Acknowledged events, and the replies to them.
fn due(triggers: &[Trigger], seen: &Seen) -> Vec<(EventId, Kind)> {
    let acknowledged = seen.sent.iter().filter(|(_, sent)| sent.acknowledged.is_some());
    let mut due: Vec<_> = acknowledged.map(|(id, sent)| (*id, sent.kind)).collect();
    let replies = due.iter().filter(|(_, kind)| triggers.iter().any(|t| t.replies && t.matches(*kind)));
    let replies: Vec<_> = replies.map(|(id, _)| (EventId { reply: true, ..*id }, Kind::Reply)).collect();
    due.extend(replies);
    due
}

fn invented(triggers: &[Trigger], seen: &Seen, delivery: &Delivery) -> Option<Violation> {
    let Delivery { trigger, id, .. } = *delivery;
    let what = match seen.sent.get(&id) {
        None => "no such event was sent",
        Some(sent) if delivery.kind != Some(sent.kind) => "it was sent with another type",
        Some(sent) if delivery.hash != sent.hash => "it was sent with other bytes",
        Some(sent) if !triggers[trigger].matches(sent.kind) => "the trigger does not match it",
        Some(_) => return None,
    };
    Some(Violation::Invented { trigger, id, what })
}

/// Repetitions that nothing excuses, and the number of all.
///
/// A trigger that replies is excused: where there is no room for the reply, the
/// delivery has failed and is tried again.
fn repeated(triggers: &[Trigger], seen: &Seen) -> (Vec<Violation>, usize) {
    let mut violations = Vec::new();
    let mut duplicates = 0;
    let mut last: HashMap<(usize, bool, EventId), &Delivery> = HashMap::new();
    // By their arrival: a slow answer may come after that to the repetition.
    let mut accepted: Vec<_> =
        seen.deliveries.iter().filter(|delivery| delivery.accepted.is_some()).collect();
    accepted.sort_by_key(|delivery| delivery.received);
    for again in accepted {
        let Delivery { trigger, sink, id, received, .. } = *again;
        let Some(first) = last.insert((trigger, sink, id), again) else { continue };
        duplicates += 1;
        let accepted = first.accepted.expect("only accepted deliveries are looked at");
        let between = |crash: &&Instant| first.received <= **crash + READ_LATE && **crash <= received;
        let crash = seen.crashes.iter().filter(between).min();
        let crash_after = crash.map(|crash| crash.saturating_duration_since(accepted));
        if crash_after.is_none_or(|after| after > REPEATED_WITHIN) && !triggers[trigger].replies {
            let after = received.saturating_duration_since(accepted);
            violations.push(Violation::Repeated { trigger, id, after, crash_after });
        }
    }
    (violations, duplicates)
}

#[cfg(test)]
mod tests;
