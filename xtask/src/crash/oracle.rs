//! Whether what was seen is what was promised. Pure: a history in, violations out.
//!
//! - **No loss**: every acknowledged event was accepted by the subscriber of every
//!   trigger that matches it, or by that trigger's dead letter sink. The reply to an
//!   acknowledged event counts as acknowledged: the delivery that caused it is not
//!   finished before the reply is stored.
//! - **No invention**: everything that was delivered had been sent, and has the type and
//!   the bytes it was sent with, to the trigger that matches it.
//! - **No needless repetition**: what a subscriber accepted comes again only after a
//!   crash, and only if the cursors that were on the disk then did not call it finished.
//!
//! A request without an answer may be there or not, never in part: no rule asks for it,
//! and the second holds for it too.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::{
    history::{Delivery, EventId, Seen},
    owed::Owed,
    plan::{Kind, Trigger},
};

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
        /// The run of the server in which it came again.
        run: usize,
        /// The crash, by its run, after which the disk called it finished; none if it
        /// came twice in one run.
        finished: Option<usize>,
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
            Self::Repeated { trigger, id, run, finished } => {
                write!(f, "REPEATED: trigger t{trigger} got {id} again in run {run}, ")?;
                match finished {
                    Some(crash) => write!(f, "though the disk called it finished after run {crash}"),
                    None => write!(f, "in which it had accepted it already"),
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
    for delivery in seen.deliveries.iter().filter(|delivery| delivery.accepted) {
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

/// Of what is missing, what a disk that is as `owed` says will never give: it owes the
/// event to nobody, nor the delivery that will lead to it.
pub fn lost(triggers: &[Trigger], seen: &Seen, owed: &Owed) -> HashSet<(usize, EventId)> {
    let comes = |id: EventId| {
        let cause = EventId { reply: false, ..id };
        id.reply && (0..triggers.len()).any(|other| triggers[other].replies && owed.includes(other, cause))
    };
    let missing = missing(triggers, seen).into_iter();
    let missing = missing.flat_map(|(trigger, ids)| ids.into_iter().map(move |id| (trigger, id)));
    missing.filter(|(trigger, id)| !owed.includes(*trigger, *id) && !comes(*id)).collect()
}

/// Acknowledged events, and the replies to them.
fn due(triggers: &[Trigger], seen: &Seen) -> Vec<(EventId, Kind)> {
    let acknowledged = seen.sent.iter().filter(|(_, sent)| sent.acknowledged);
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
/// Within a run, a trigger that replies is excused: where there is no room for the reply,
/// the delivery has failed and is tried again. After a crash the disk alone decides,
/// whether or not the repetition is accepted.
fn repeated(triggers: &[Trigger], seen: &Seen) -> (Vec<Violation>, usize) {
    let mut violations = Vec::new();
    let mut duplicates = 0;
    let mut accepted: HashMap<(usize, EventId), Vec<&Delivery>> = HashMap::new();
    for again in &seen.deliveries {
        let Delivery { trigger, sink, id, run, .. } = *again;
        let before = accepted.entry((trigger, id)).or_default();
        let is_twice = |first: &&Delivery| again.accepted && first.sink == sink;
        duplicates += usize::from(before.iter().any(&is_twice));
        let in_this_run = before.iter().any(|first| is_twice(first) && first.run == run);
        let finished = before
            .iter()
            .map(|first| first.run)
            .min()
            .and_then(|first| (first..run).find(|crash| !seen.crashes[*crash].includes(trigger, id)));
        if finished.is_some() || in_this_run && !triggers[trigger].replies {
            violations.push(Violation::Repeated { trigger, id, run, finished });
        }
        if again.accepted {
            before.push(again);
        }
    }
    (violations, duplicates)
}

#[cfg(test)]
mod tests;
