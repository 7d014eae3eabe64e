//! The controller: outcomes to statuses, and those that differ to the API server.
//!
//! Promise: only the leader writes, only when something differs, and never to an object
//! of another class. A state that is about to pass is not written
//! ([`PATIENCE`]): of 1,000 triggers that are applied at once, each is written once.
//!
//! [`judge`](Controller::judge) is pure but for what it remembers; the requests are in
//! [`super::status`].

use std::collections::{HashMap, HashSet};

use eagre_api::status::{BrokerStatus, ConditionStatus, TriggerStatus};
use eagre_snapshot::Id;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::agent::stamps;
use super::state::{Held, State};
use super::writes::{ObjectKey, Outcome, Writes};
use crate::compile::{Compiled, id};
use crate::conditions::{self, Applied, BROKER_ANNOTATION, Served, Verdict, kind};
use crate::index::{Kind, key};
use crate::limits::{PATIENCE, PATIENCE_WITHOUT_BROKER, PATIENCE_WITHOUT_DATA_PLANE};
use crate::outcome::{Standing, TriggerOutcome};
use crate::resolve::Resolver;
use crate::{merge, reason};

/// What an object's status should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Of which object.
    pub uid: String,
    /// The whole status.
    pub status: String,
    /// Whether that says `Ready`.
    pub ready: Verdict,
    /// Whether it said so before; `None` if nothing was said.
    pub was_ready: Option<ConditionStatus>,
    /// How the object stands with the data plane.
    pub standing: Standing,
    /// Whether what is there was written by Eagre, or nobody else writes to it.
    pub is_ours: bool,
    /// Whether another class may have left something behind under a trigger.
    pub takes_over: bool,
}

/// An object that needs no write, and what that depends on beside itself.
#[derive(Debug, PartialEq, Eq)]
struct Settled {
    stamp: u64,
    resource_version: String,
}

/// The controller's memory.
#[derive(Debug, Default)]
pub struct Controller {
    /// Statuses that differ.
    wanted: HashMap<ObjectKey, Wanted>,
    /// Objects that are ready, and are said to be.
    settled: HashMap<ObjectKey, Settled>,
    /// Since when objects of a generation are in a state that should pass.
    passing: HashMap<ObjectKey, (i64, Instant)>,
    /// Objects of ours.
    known: HashSet<ObjectKey>,
    /// Whose turn it is.
    pub writes: Writes,
    /// When a state has been passing for too long.
    patience_ends: Option<Instant>,
}

impl Controller {
    /// Works out what every status should be.
    pub fn judge(
        &mut self,
        state: &State,
        compiled: &Compiled<'_>,
        resolver: &Resolver,
        now: Instant,
        time: &Time,
    ) {
        let stamps = stamps(compiled);
        let comparison = state.fleet.compare(&stamps, now);
        let fsync = state.fleet.fsync(now);
        let oidc = state.referents.features.oidc;
        self.patience_ends = None;
        let mut known = HashSet::new();
        let mut brokers: HashMap<Id, Verdict> = HashMap::new();
        for outcome in &compiled.brokers {
            let at = (Kind::Broker, key(outcome.metadata));
            let Some(held) = state.held(&at) else { continue };
            let (namespace, name) = &at.1;
            let url = resolver.broker_url(namespace, name);
            let served = Served { url, fsync: fsync.clone(), applied: comparison.of(outcome.id) };
            let former = serde_json::from_str::<BrokerStatus>(&held.status).unwrap_or_default();
            let (status, ready) = conditions::broker(outcome, &served, &former, time);
            brokers.insert(outcome.id, ready.clone());
            let was_ready = was_ready(&former.status.conditions);
            let wanted = wanted(held, outcome.standing, &status, ready, was_ready);
            self.want(&at, outcome.metadata.generation, held, wanted, now);
            known.insert(at);
        }
        for outcome in &compiled.triggers {
            let at = (Kind::Trigger, key(outcome.metadata));
            let Some(held) = state.held(&at) else { continue };
            let broker = outcome.broker.as_ref().ok();
            let broker = broker.and_then(|broker| brokers.get(&id("Broker", broker)));
            let applied = comparison.of(outcome.id);
            let is_settled = !oidc
                && applied == Applied::Everywhere
                && broker.is_some_and(Verdict::is_true)
                && self.is_settled(&at, outcome.standing, held);
            if !is_settled {
                let former = serde_json::from_str::<TriggerStatus>(&held.status).unwrap_or_default();
                if outcome.broker.is_err() && is_another_ones(outcome, &former) {
                    self.forget(&at);
                    continue;
                }
                let (status, ready) = conditions::trigger(outcome, broker, &applied, oidc, &former, time);
                let was_ready = was_ready(&former.status.conditions);
                let written_for = former.status.annotations.get(BROKER_ANNOTATION);
                let mut wanted = wanted(held, outcome.standing, &status, ready, was_ready);
                wanted.is_ours = written_for.is_some();
                wanted.takes_over = !former.status.conditions.is_empty()
                    && written_for != status.status.annotations.get(BROKER_ANNOTATION);
                if self.want(&at, outcome.metadata.generation, held, wanted, now) {
                    self.settle(&at, outcome.standing, held);
                }
            }
            known.insert(at);
        }
        for gone in self.known.difference(&known).cloned().collect::<Vec<_>>() {
            self.forget(&gone);
        }
        self.known = known;
    }

    /// Whether the status of an object of ours is now what neither was nor is to be
    /// written: somebody else wrote it.
    pub fn is_surprised(&self, key: &ObjectKey, state: &State) -> bool {
        let held = state.held(key);
        let is_written =
            self.wanted.get(key).zip(held).is_some_and(|(wanted, held)| held.says(&wanted.status));
        self.known.contains(key) && !is_written
    }

    /// When to judge again although nothing was told.
    pub fn judge_at(&self) -> Option<Instant> {
        self.patience_ends
    }

    /// The next write: which object, what its status should be, and the patch from what
    /// it is.
    pub fn next_write(&mut self, state: &State, now: Instant) -> Option<(ObjectKey, Wanted, Json)> {
        while let Some(key) = self.writes.next(now) {
            let held = state.held(&key);
            let wanted =
                self.wanted.get(&key).filter(|wanted| held.is_some_and(|held| held.uid == wanted.uid));
            if let (Some(held), Some(wanted)) = (held, wanted)
                && let Some(status) = merge::patch(&tree(&held.status), &tree(&wanted.status))
            {
                // Who changed it meanwhile has said something that is not known yet.
                let metadata = serde_json::json!({"uid": held.uid, "resourceVersion": held.resource_version});
                let patch = serde_json::json!({"metadata": metadata, "status": status});
                return Some((key, wanted.clone(), patch));
            }
            self.wanted.remove(&key);
            self.writes.done(&key, Outcome::Done, 0.0, now);
        }
        None
    }

    /// A write has ended. What is not written yet is tried again.
    pub fn done(&mut self, key: &ObjectKey, outcome: Outcome, state: &State, jitter: f64, now: Instant) {
        self.writes.done(key, outcome, jitter, now);
        let Some(wanted) = self.wanted.get(key) else { return };
        let held = state.held(key).filter(|held| held.uid == wanted.uid);
        match held {
            Some(held) if !held.says(&wanted.status) => self.writes.add(key.clone()),
            Some(held) => {
                if wanted.ready.is_true() {
                    self.settle(key, wanted.standing, held);
                }
                self.passing.remove(key);
                self.wanted.remove(key);
            }
            None => _ = self.wanted.remove(key),
        }
    }

    /// Notes what an object's status should be; whether it is that already.
    fn want(&mut self, key: &ObjectKey, generation: i64, held: &Held, wanted: Wanted, now: Instant) -> bool {
        if held.says(&wanted.status) {
            self.passing.remove(key);
            self.wanted.remove(key);
            self.writes.remove(key);
            return wanted.ready.is_true();
        }
        let patience = match (&wanted.ready.status, wanted.ready.reason.as_deref()) {
            (_, Some(reason::NO_DATA_PLANE)) => Some(PATIENCE_WITHOUT_DATA_PLANE),
            // One that was ready flickers while others beside it change.
            (ConditionStatus::Unknown, _) if wanted.was_ready == Some(ConditionStatus::True) => {
                Some(PATIENCE_WITHOUT_DATA_PLANE)
            }
            (ConditionStatus::Unknown, _) => Some(PATIENCE),
            // Whoever the broker belonged to may say so, or it is made in a moment.
            (_, Some(reason::NO_BROKER)) if !wanted.is_ours => Some(PATIENCE_WITHOUT_BROKER),
            _ => None,
        };
        match patience {
            None => _ = self.passing.remove(key),
            Some(patience) => {
                let since = self.passing.entry(key.clone()).or_insert((generation, now));
                if since.0 != generation {
                    *since = (generation, now);
                }
                let until = since.1 + patience;
                if until > now {
                    self.patience_ends = Some(self.patience_ends.map_or(until, |ends| ends.min(until)));
                    // What was wanted before is no longer.
                    self.wanted.remove(key);
                    self.writes.remove(key);
                    return false;
                }
            }
        }
        self.wanted.insert(key.clone(), wanted);
        self.writes.add(key.clone());
        false
    }

    fn is_settled(&self, key: &ObjectKey, standing: Standing, held: &Held) -> bool {
        let Standing::Current(stamp) = standing else { return false };
        // What is on its way to be written would unsettle it.
        if self.wanted.contains_key(key) {
            return false;
        }
        let settled = self.settled.get(key);
        settled.is_some_and(|settled| {
            settled.stamp == stamp && settled.resource_version == held.resource_version
        })
    }

    fn settle(&mut self, key: &ObjectKey, standing: Standing, held: &Held) {
        if let Standing::Current(stamp) = standing {
            let resource_version = held.resource_version.clone();
            self.settled.insert(key.clone(), Settled { stamp, resource_version });
        }
    }

    fn forget(&mut self, key: &ObjectKey) {
        self.wanted.remove(key);
        self.settled.remove(key);
        self.passing.remove(key);
        self.writes.remove(key);
    }
}

fn wanted<S: Serialize>(
    held: &Held,
    standing: Standing,
    status: &S,
    ready: Verdict,
    was_ready: Option<ConditionStatus>,
) -> Wanted {
    let status = // By way of a tree, in which fields are sorted as the API server sorts them.
    serde_json::to_value(status).expect("a status is JSON").to_string();
    let uid = held.uid.clone();
    Wanted { uid, status, ready, was_ready, standing, is_ours: true, takes_over: false }
}

fn tree(status: &str) -> Json {
    serde_json::from_str(status).unwrap_or_default()
}

fn was_ready(conditions: &[eagre_api::status::Condition]) -> Option<ConditionStatus> {
    let ready = conditions.iter().find(|condition| condition.type_ == eagre_api::status::READY);
    ready.map(|condition| condition.status)
}

/// Whether a trigger without a broker has somebody else who says so. Of two who say the
/// same in different words, none would ever be content.
fn is_another_ones(outcome: &TriggerOutcome<'_>, former: &TriggerStatus) -> bool {
    let status = &former.status;
    let is_ours = status.annotations.contains_key(BROKER_ANNOTATION);
    let says_so = status
        .conditions
        .iter()
        .any(|condition| condition.type_ == kind::BROKER && condition.status == ConditionStatus::False);
    !is_ours && says_so && status.observed_generation == Some(outcome.metadata.generation)
}
