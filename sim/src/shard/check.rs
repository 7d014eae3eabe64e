//! The promises, held against what was noted.

use std::collections::{BTreeMap, BTreeSet};

use eagre_snapshot::Id;

use super::{
    ledger::{Answered, Fate, Ledger, Sent},
    model::{APPLY_MAX, Version},
};
use crate::world::{Nanos, SECOND};

/// Everything that a verdict rests on.
pub(super) struct Evidence<'a> {
    pub ledger: &'a Ledger,
    pub versions: &'a [Version],
    /// Dead letters that the process keeps.
    pub kept: &'a BTreeSet<(u64, Id)>,
    pub grace: Nanos,
}

impl Evidence<'_> {
    /// What is still owed; empty once everything has arrived.
    pub(super) fn owed(&self) -> Vec<(u64, Id)> {
        let mut owed = Vec::new();
        for sent in self.ledger.sent.values().filter(|sent| self.is_owed(sent)) {
            let missing = self.readings(sent).into_iter().map(|triggers| self.missing(sent, &triggers));
            let least = missing.min_by_key(|missing| self.weight(missing)).unwrap_or_default();
            owed.extend(least.into_iter().map(|trigger| (sent.content.number, trigger)));
        }
        owed
    }

    /// How much the lack of an event for these triggers says: an absence that a full
    /// dead-letter log may explain says less.
    fn weight(&self, missing: &[Id]) -> (usize, usize) {
        let unexplained = missing.iter().filter(|trigger| self.ledger.dropped(**trigger) == 0);
        (unexplained.count(), missing.len())
    }

    /// Every promise that is broken.
    pub(super) fn broken(&self) -> Option<String> {
        self.lost().or_else(|| self.strange()).or_else(|| self.twice()).or_else(|| self.too_often())
    }

    fn lost(&self) -> Option<String> {
        let mut by_trigger: BTreeMap<Id, (Vec<u64>, BTreeSet<Id>)> = BTreeMap::new();
        for (event, trigger) in self.owed() {
            let (events, explain) = by_trigger.entry(trigger).or_default();
            events.push(event);
            // Without a sink and without room a dead letter is let go, and counted: the
            // event itself, or, where the broker had no room for a reply, what led to it.
            explain.insert(trigger);
            explain.extend(self.ledger.sent.get(&event).and_then(|sent| Some(sent.origin?.1)));
        }
        let (trigger, (events, _)) = by_trigger.into_iter().find(|(_, (events, explain))| {
            events.len() as u64 > explain.iter().map(|trigger| self.ledger.dropped(*trigger)).sum()
        })?;
        Some(format!("trigger {trigger} was owed events and never got them: {events:?}"))
    }

    /// An event went to somebody whom no single configuration names.
    fn strange(&self) -> Option<String> {
        for sent in self.ledger.sent.values() {
            let number = sent.content.number;
            let got = self.got(number);
            if got.is_empty() {
                continue;
            }
            if let Fate::Refused(status) = sent.fate {
                return Some(format!("e{number} was refused with {status} and went to {got:?}"));
            }
            let readings = self.readings(sent);
            if !readings.iter().any(|triggers| got.iter().all(|trigger| triggers.contains(trigger))) {
                return Some(format!("e{number} went to {got:?}; it matched one of {readings:?}"));
            }
        }
        None
    }

    /// A trigger got an event again that it had taken at once, from the same run.
    fn twice(&self) -> Option<String> {
        for ((event, trigger), answers) in &self.ledger.answered {
            let mut taken = BTreeSet::new();
            let clean = answers.iter().filter(|answer| answer.clean && !answer.is_sink);
            if let Some(again) = clean.map(|answer| answer.run).find(|run| !taken.insert(*run)) {
                return Some(format!("trigger {trigger} took e{event} twice from run {again}"));
            }
        }
        None
    }

    /// More attempts within a run than the trigger has ever asked for.
    fn too_often(&self) -> Option<String> {
        for ((event, trigger), answers) in &self.ledger.answered {
            let policies = self.versions.iter().filter_map(|version| version.model.trigger(*trigger));
            let allowed = policies.map(|spec| spec.delivery.retry_max + 1).max().unwrap_or(1);
            let mut attempts: BTreeMap<u32, u32> = BTreeMap::new();
            for answer in answers.iter().filter(|answer| !answer.is_sink) {
                *attempts.entry(answer.run).or_default() += 1;
            }
            if let Some((run, made)) = attempts.into_iter().find(|(_, made)| *made > allowed) {
                return Some(format!(
                    "trigger {trigger} was sent e{event} {made} times by run {run}, allowed {allowed}"
                ));
            }
        }
        None
    }

    /// Who got something of it, be it a dead letter.
    fn got(&self, number: u64) -> Vec<Id> {
        let all = (number, Id(0))..=(number, Id(u64::MAX));
        let answered = self.ledger.answered.range(all.clone()).map(|((_, trigger), _)| *trigger);
        let mut got: Vec<Id> = answered.chain(self.kept.range(all).map(|(_, trigger)| *trigger)).collect();
        got.sort_unstable();
        got.dedup();
        got
    }

    /// It was promised to somebody.
    fn is_owed(&self, sent: &Sent) -> bool {
        if sent.excused {
            return false;
        }
        match sent.origin {
            None => sent.fate == Fate::Accepted,
            Some((event, trigger)) => self.ended_with(event, trigger, sent.content.number),
        }
    }

    /// The delivery ended with this reply: nothing came after it.
    fn ended_with(&self, event: u64, trigger: Id, reply: u64) -> bool {
        let answers = self.ledger.answered.get(&(event, trigger)).map_or(&[][..], Vec::as_slice);
        let is_last = answers.last().is_some_and(|answer| answer.reply == Some(reply));
        is_last && !self.kept.contains(&(event, trigger)) && !self.is_gone(trigger, 0)
    }

    /// Whom it may have been for: one answer for each configuration that may have
    /// been in force when it was judged.
    fn readings(&self, sent: &Sent) -> Vec<Vec<Id>> {
        // A reply is judged once its subscriber has been heard.
        let until = if sent.origin.is_some() { sent.began + REPLY_MAX } else { sent.ended };
        let brokers = self.brokers(sent);
        let mut readings = Vec::new();
        for (at, version) in self.versions.iter().enumerate() {
            let replaced = self.versions.get(at + 1).map(|next| next.at);
            let in_force = version.at <= until
                && replaced.is_none_or(|replaced| replaced.saturating_add(APPLY_MAX) >= sent.began);
            if in_force {
                let matches = |broker: &&str| version.model.matches(broker, sent.content.kind);
                readings.extend(brokers.iter().filter_map(matches));
            }
        }
        readings
    }

    /// The broker that got it; a reply goes to the one that the trigger had when its
    /// delivery began, which is one of those that it ever had.
    fn brokers<'s>(&'s self, sent: &'s Sent) -> BTreeSet<&'s str> {
        let Some((_, trigger)) = sent.origin else { return BTreeSet::from([sent.broker.as_str()]) };
        let had = self.versions.iter().filter_map(|version| version.model.trigger(trigger));
        had.map(|trigger| trigger.broker.as_str()).collect()
    }

    fn missing(&self, sent: &Sent, triggers: &[Id]) -> Vec<Id> {
        let number = sent.content.number;
        let lacks = |trigger: &&Id| {
            let answers = self.ledger.answered.get(&(number, **trigger)).map_or(&[][..], Vec::as_slice);
            let has =
                answers.iter().any(|answer: &Answered| answer.ok) || self.kept.contains(&(number, **trigger));
            !has && !self.is_gone(**trigger, sent.began)
        };
        triggers.iter().filter(lacks).copied().collect()
    }

    /// The trigger is gone for good, or was for longer than its grace at some time
    /// after `from`.
    fn is_gone(&self, trigger: Id, from: Nanos) -> bool {
        let mut absent_since = None;
        for version in self.versions {
            if version.model.trigger(trigger).is_some() {
                let absent = absent_since.take().map_or(0, |since| version.at - since);
                if version.at > from && absent + SLACK >= self.grace {
                    return true;
                }
            } else {
                absent_since.get_or_insert(version.at);
            }
        }
        absent_since.is_some()
    }
}

/// A shard may hear of an absence sooner than of its end.
const SLACK: Nanos = SECOND;
/// From a subscriber's reply until it is judged.
const REPLY_MAX: Nanos = 10 * SECOND;
