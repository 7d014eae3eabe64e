//! What an agent says of its data plane, and what the controller makes of all of them.
//!
//! ```text
//! agent ─ Lease eagre-agent-NAME ─► API server ─► controller
//!         renewTime: it is alive
//!         annotation: which objects its data plane has in force, as sums of stamps
//! ```
//!
//! A report's size does not grow with the number of objects beyond a bound, and one
//! report covers any number of changes: an API write per change would be the end of a
//! cluster with 10,000 triggers. That an agent is alive is judged by when its renewals
//! *arrive*, so that no two clocks are compared.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use eagre_snapshot::{Fsync, Id};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::conditions::Applied;
use crate::limits::{AGENT_LEASE, STAMP_BUCKETS_MAX, STAMP_BUCKETS_MIN};
use crate::stamp;

/// Annotation of the Lease that has the report.
pub const ANNOTATION: &str = "eagre.eventing.knative.dev/report";
/// Label of the Leases of agents.
pub const LABEL: &str = "eagre.eventing.knative.dev/agent";

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How stamps are made, [`stamp::VERSION`].
    pub version: u32,
    /// Whether the data plane works with a configuration.
    pub ready: bool,
    /// When it counts an event as stored, of brokers that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsync: Option<String>,
    /// Why it refused the newest configuration, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The sums of the stamps of what is in force.
    #[serde(with = "sums")]
    pub applied: Vec<u64>,
}

/// How many sums for so many objects: one for each, as long as they are few.
pub fn bucket_count(objects: usize) -> usize {
    objects.next_power_of_two().clamp(STAMP_BUCKETS_MIN, STAMP_BUCKETS_MAX)
}

mod sums {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(sums: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        let bytes = BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let (words, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || !words.len().is_power_of_two() || words.len() > STAMP_BUCKETS_MAX {
            return Err(D::Error::custom("not a power of two of 64-bit words"));
        }
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }
}

/// All data planes, as their agents tell.
#[derive(Debug, Default)]
pub struct Fleet {
    agents: BTreeMap<String, Agent>,
    /// Whether all that there are have been heard of.
    pub is_listed: bool,
}

#[derive(Debug)]
struct Agent {
    renewed: Json,
    /// Until when it counts without another renewal.
    until: Instant,
    /// What it last said; `None` if that cannot be read.
    report: Option<Report>,
}

impl Fleet {
    /// Takes in the Lease of an agent; whether it says anything new.
    pub fn observe(&mut self, name: &str, lease: &Json, now: Instant) -> bool {
        let renewed = lease["spec"]["renewTime"].clone();
        let text = lease["metadata"]["annotations"][ANNOTATION].as_str();
        let report = text.and_then(|text| serde_json::from_str(text).ok());
        let report = report.filter(|report: &Report| report.version == stamp::VERSION);
        let seconds = lease["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(AGENT_LEASE.as_secs());
        let until = now + Duration::from_secs(seconds.min(AGENT_LEASE.as_secs() * 10));
        match self.agents.get_mut(name) {
            None => {
                self.agents.insert(name.to_owned(), Agent { renewed, until, report });
                true
            }
            Some(agent) => {
                let was_gone = agent.until <= now;
                if agent.renewed != renewed {
                    agent.renewed = renewed;
                    agent.until = until;
                }
                let is_new = agent.report != report || (was_gone && agent.until > now);
                agent.report = report;
                is_new
            }
        }
    }

    /// The Lease of an agent was deleted; whether it was known.
    pub fn forget(&mut self, name: &str) -> bool {
        self.agents.remove(name).is_some()
    }

    /// The names of all that are known.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.agents.keys()
    }

    /// How many count.
    pub fn alive(&self, now: Instant) -> usize {
        self.agents.values().filter(|agent| agent.until > now).count()
    }

    /// When the next one is gone if it does not renew.
    pub fn next_end(&self, now: Instant) -> Option<Instant> {
        self.agents.values().map(|agent| agent.until).filter(|until| *until > now).min()
    }

    /// The modes in which data planes store events.
    pub fn fsync(&self, now: Instant) -> Vec<Fsync> {
        let mut modes: Vec<Fsync> = Vec::new();
        for (_, report) in self.ready(now) {
            let mode = report.fsync.as_ref().and_then(|text| text.parse().ok());
            modes.extend(mode.filter(|mode| !modes.contains(mode)));
        }
        modes
    }

    /// Holds what is in force at each data plane against `wanted`.
    pub fn compare<'f>(&'f self, wanted: &[(Id, u64)], now: Instant) -> Comparison<'f> {
        let mut sums: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let ready: Vec<_> = self.ready(now).collect();
        for (_, report) in &ready {
            let count = report.applied.len();
            sums.entry(count).or_insert_with(|| stamp::buckets(count, wanted.iter().copied()));
        }
        Comparison { ready, sums }
    }

    fn ready(&self, now: Instant) -> impl Iterator<Item = (&str, &Report)> {
        let alive = self.agents.iter().filter(move |(_, agent)| agent.until > now);
        alive
            .filter_map(|(name, agent)| Some((name.as_str(), agent.report.as_ref()?)))
            .filter(|(_, report)| report.ready)
    }
}

/// What is wanted, beside what is in force.
#[derive(Debug)]
pub struct Comparison<'f> {
    ready: Vec<(&'f str, &'f Report)>,
    /// Of what is wanted, by the number of buckets.
    sums: BTreeMap<usize, Vec<u64>>,
}

impl Comparison<'_> {
    /// Where an object is in force as wanted.
    pub fn of(&self, id: Id) -> Applied {
        if self.ready.is_empty() {
            return Applied::Nowhere;
        }
        let lacks = |report: &Report| {
            let bucket = stamp::bucket(report.applied.len(), id);
            report.applied[bucket] != self.sums[&report.applied.len()][bucket]
        };
        let mut lacking = self.ready.iter().filter(|(_, report)| lacks(report)).peekable();
        if lacking.peek().is_none() {
            return Applied::Everywhere;
        }
        let lacking: Vec<_> = lacking.collect();
        match lacking.iter().find_map(|(name, report)| Some((name, report.refused.as_ref()?))) {
            Some((name, why)) => Applied::Refused(format!("refused by {name}: {why}")),
            None => Applied::Not(lacking.iter().map(|(name, _)| (*name).to_owned()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn report(objects: &[(Id, u64)]) -> Report {
        let applied = stamp::buckets(bucket_count(objects.len()), objects.iter().copied());
        Report { version: stamp::VERSION, ready: true, fsync: Some("always".into()), refused: None, applied }
    }

    fn lease(renewed: u32, report: &Report) -> Json {
        let report = serde_json::to_string(report).unwrap();
        json!({"metadata": {"annotations": {ANNOTATION: report}},
            "spec": {"renewTime": renewed, "leaseDurationSeconds": 15}})
    }

    #[test]
    fn an_object_is_in_force_when_every_ready_data_plane_has_it_so() {
        let now = Instant::now();
        let (old, new) = ([(Id(1), 10), (Id(2), 20)], [(Id(1), 10), (Id(2), 21)]);
        let mut fleet = Fleet::default();
        assert_eq!(fleet.compare(&new, now).of(Id(1)), Applied::Nowhere);
        assert!(fleet.observe("a", &lease(1, &report(&new)), now));
        assert!(fleet.observe("b", &lease(1, &report(&old)), now));
        let comparison = fleet.compare(&new, now);
        assert_eq!(comparison.of(Id(1)), Applied::Everywhere);
        assert_eq!(comparison.of(Id(2)), Applied::Not(vec!["b".into()]));
        // One that is not ready takes no events, and holds nobody up.
        assert!(fleet.observe("b", &lease(1, &Report { ready: false, ..report(&old) }), now));
        assert_eq!(fleet.compare(&new, now).of(Id(2)), Applied::Everywhere);
        let refused = Report { refused: Some("too many".into()), ..report(&old) };
        fleet.observe("b", &lease(2, &refused), now);
        assert_eq!(fleet.compare(&new, now).of(Id(2)), Applied::Refused("refused by b: too many".into()));
    }

    #[test]
    fn an_agent_that_does_not_renew_is_gone_until_it_does() {
        let now = Instant::now();
        let mut fleet = Fleet::default();
        let objects = [(Id(1), 10)];
        fleet.observe("a", &lease(1, &report(&objects)), now);
        assert_eq!(fleet.next_end(now), Some(now + Duration::from_secs(15)));
        let later = now + Duration::from_secs(16);
        // The same Lease, listed again, is no sign of life.
        assert!(!fleet.observe("a", &lease(1, &report(&objects)), later));
        assert_eq!(fleet.compare(&objects, later).of(Id(1)), Applied::Nowhere);
        assert!(fleet.observe("a", &lease(2, &report(&objects)), later));
        assert_eq!(fleet.compare(&objects, later).of(Id(1)), Applied::Everywhere);
        assert!(fleet.forget("a"));
    }

    #[test]
    fn a_report_stays_small_and_one_of_another_version_does_not_count() {
        let objects: Vec<_> = (0..100_000).map(|n| (Id(n * 77), n)).collect();
        let text = serde_json::to_string(&report(&objects)).unwrap();
        assert!(text.len() < 32 << 10, "{}", text.len());
        let mut fleet = Fleet::default();
        let now = Instant::now();
        fleet.observe("a", &lease(1, &Report { version: stamp::VERSION + 1, ..report(&objects) }), now);
        assert_eq!(fleet.compare(&objects, now).of(Id(0)), Applied::Nowhere);
        for broken in ["", "AAAA", "////////////////"] {
            let text = format!(r#"{{"version":1,"ready":true,"applied":"{broken}"}}"#);
            assert!(serde_json::from_str::<Report>(&text).is_err(), "{broken}");
        }
    }

    proptest! {
        /// What differs is never taken for the same; what is the same may be held up by
        /// what differs beside it.
        #[test]
        fn no_object_that_differs_is_in_force(
            wanted in proptest::collection::btree_map(0_u64..500, 0_u64..4, 0..300),
            flips in proptest::collection::btree_map(0_u64..500, 0_u64..4, 0..20),
        ) {
            let mut there = wanted.clone();
            there.extend(flips);
            let objects = |map: &BTreeMap<u64, u64>| -> Vec<_> {
                // As stamps are: no small numbers.
                let stamp = |id: u64, value: u64| -> u64 { xxhash_rust::xxh3::xxh3_64(&[id, value].map(u64::to_le_bytes).concat()) };
                map.iter().map(|(id, value)| (Id(*id), stamp(*id, *value))).collect()
            };
            let (wanted_objects, there_objects) = (objects(&wanted), objects(&there));
            let now = Instant::now();
            let mut fleet = Fleet::default();
            fleet.observe("a", &lease(1, &report(&there_objects)), now);
            let comparison = fleet.compare(&wanted_objects, now);
            for (id, value) in &wanted {
                if there.get(id) != Some(value) {
                    prop_assert_ne!(comparison.of(Id(*id)), Applied::Everywhere);
                } else if wanted == there {
                    prop_assert_eq!(comparison.of(Id(*id)), Applied::Everywhere);
                }
            }
        }
    }
}
