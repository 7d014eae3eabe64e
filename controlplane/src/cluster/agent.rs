//! The agent: one beside every data plane.
//!
//! Publishes what was compiled into the directory that it shares with its data plane,
//! follows what becomes of it there, and says so in a Lease.
//!
//! Owns the publishing side of that directory, and its Lease. It writes no status.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eagre_snapshot::{DirError, Generation, Id, PublishError, Snapshot, Stats, StatsReader};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::report::{self, Report, bucket_count};
use crate::compile::Compiled;
use crate::limits::{
    AGENT_LEASE, AGENT_LOOK, AGENT_RENEWAL, AGENT_REPORT_INTERVAL, AGENT_RETRY, PENDING_MAX,
    SHARD_SILENCE_MAX, STATUS_INTERVAL_MIN,
};
use crate::outcome::Standing;
use crate::publish::Publication;
use crate::stamp;

/// What the data plane writes about itself.
const DATA_PLANE_FILE: &str = "dataplane.json";

/// The agent's state.
#[derive(Debug)]
pub struct Agent {
    dir: PathBuf,
    publication: Publication,
    stats: StatsReader,
    /// Published and not known to be in force, and the sums of each.
    pending: VecDeque<(Generation, Vec<u64>)>,
    /// Of the newest configuration that is in force.
    applied: Option<(Generation, Vec<u64>)>,
    /// Why the newest was refused.
    refused: Option<(Generation, String)>,
    /// What was told last, and when.
    told: Option<(Report, Instant)>,
    /// Whether a report is on its way, and until when not to send another.
    telling: bool,
    silent_until: Instant,
    /// Whether the data plane works with a configuration.
    ready: bool,
    /// When it counts an event as stored.
    fsync: Option<String>,
    look_at: Instant,
    publish_problem: Option<String>,
}

impl Agent {
    /// Opens the directory; what is in force there stays so until something else is
    /// published.
    pub fn open(dir: &Path, now: Instant) -> Result<Agent, DirError> {
        Ok(Agent {
            dir: dir.to_owned(),
            publication: Publication::open(dir)?,
            stats: StatsReader::open(dir)?,
            pending: VecDeque::new(),
            applied: None,
            refused: None,
            told: None,
            telling: false,
            silent_until: now,
            ready: false,
            fsync: None,
            look_at: now,
            publish_problem: None,
        })
    }

    /// What is in force, or was before a restart.
    pub fn in_force(&self) -> Option<Arc<Snapshot>> {
        self.publication.in_force()
    }

    /// Publishes, if it makes a difference.
    pub fn offer(&mut self, compiled: &Compiled<'_>, now: Instant) -> Result<(), PublishError> {
        let published = self.publication.offer(&compiled.snapshot)?;
        if let Some(generation) = published {
            let Snapshot { brokers, triggers, .. } = &compiled.snapshot;
            info!(
                "generation {generation} published, {} brokers, {} triggers",
                brokers.len(),
                triggers.len()
            );
        }
        let Some(generation) = self.publication.generation() else { return Ok(()) };
        let sums = sums(&stamps(compiled));
        let newest = self.pending.back().or(self.applied.as_ref());
        if newest.is_none_or(|newest| *newest != (generation, sums.clone())) {
            self.pending.push_back((generation, sums));
            if self.pending.len() > PENDING_MAX {
                self.pending.pop_front();
            }
            self.look_at = now + STATUS_INTERVAL_MIN;
        }
        Ok(())
    }

    /// Looks at the data plane, if it is time, and sees to it that what is published is
    /// found.
    pub fn look(&mut self, now: Instant) {
        if self.look_at > now {
            return;
        }
        self.keep_published();
        let stats = self.stats.read_shards().ok().flatten();
        if let Some(stats) = &stats {
            let arrived = self.pending.iter().rposition(|(generation, _)| stats.has_applied(*generation));
            if let Some(place) = arrived {
                self.applied = self.pending.drain(..=place).next_back();
                self.refused = None;
            }
            let newest = self.pending.back().map(|(generation, _)| *generation);
            if let Some(refusal) = stats.refused.as_ref().filter(|refusal| Some(refusal.generation) == newest)
            {
                if self.refused.as_ref().is_none_or(|(generation, _)| *generation != refusal.generation) {
                    error!(
                        "generation {} refused by the data plane, which keeps the one before: {}",
                        refusal.generation, refusal.reason
                    );
                }
                self.refused = Some((refusal.generation, refusal.reason.clone()));
            }
        }
        let was_ready = self.ready;
        self.ready = self.is_ready(stats.as_ref());
        if self.ready && !was_ready {
            self.fsync = fsync(&self.dir);
        }
        let waiting = !self.pending.is_empty() && self.refused.is_none();
        self.look_at = now + if waiting { STATUS_INTERVAL_MIN } else { AGENT_LOOK };
    }

    fn keep_published(&mut self) {
        match self.publication.keep() {
            Ok(None) => self.publish_problem = None,
            Ok(Some((generation, _))) => {
                self.publish_problem = None;
                warn!(
                    "the snapshot folder was removed or replaced; generation {generation} there is what was in force"
                );
                // The same content under a new number.
                let newest = self.pending.pop_back().or(self.applied.take());
                self.pending.clear();
                self.pending.extend(newest.map(|(_, sums)| (generation, sums)));
            }
            Err(error) => {
                let problem = error.to_string();
                if self.publish_problem.as_ref() != Some(&problem) {
                    error!("the snapshot folder was removed or replaced, and cannot be used: {problem}");
                    self.publish_problem = Some(problem);
                }
            }
        }
    }

    /// What there is to say, if it is time to say something.
    pub fn report(&mut self, now: Instant) -> Option<Report> {
        let is_due = self.report_at(now).is_some_and(|at| at <= now);
        self.telling |= is_due;
        is_due.then(|| self.current())
    }

    /// When to say something next.
    fn report_at(&self, now: Instant) -> Option<Instant> {
        let due = match &self.told {
            None => now,
            Some((told, at)) if *told != self.current() => *at + AGENT_REPORT_INTERVAL,
            Some((_, at)) => *at + AGENT_RENEWAL,
        };
        (!self.telling).then_some(due.max(self.silent_until))
    }

    /// It has been said, or could not be.
    pub fn told(&mut self, report: Report, written: bool, now: Instant) {
        self.telling = false;
        match written {
            true => self.told = Some((report, now)),
            false => self.silent_until = now + AGENT_RETRY,
        }
    }

    /// When to look or report next.
    pub fn wake_at(&self, now: Instant) -> Instant {
        self.report_at(now).map_or(self.look_at, |report| report.min(self.look_at))
    }

    fn is_ready(&self, stats: Option<&Stats>) -> bool {
        let monotonic = clock_gettime(ClockId::Monotonic);
        let now_ms = monotonic.tv_sec as u64 * 1_000 + monotonic.tv_nsec as u64 / 1_000_000;
        let is_alive = |heartbeat_ms: u64| {
            heartbeat_ms > 0 && now_ms.saturating_sub(heartbeat_ms) <= SHARD_SILENCE_MAX.as_millis() as u64
        };
        match (stats, &self.applied) {
            (Some(stats), Some((generation, _))) => {
                stats.has_applied(*generation)
                    && stats.shards.iter().all(|shard| is_alive(shard.heartbeat_ms))
            }
            _ => false,
        }
    }

    fn current(&self) -> Report {
        Report {
            version: stamp::VERSION,
            ready: self.ready,
            fsync: self.fsync.clone().filter(|_| self.ready),
            refused: self.refused.as_ref().map(|(_, reason)| reason.clone()),
            applied: self.applied.as_ref().map_or_else(|| sums(&[]), |(_, sums)| sums.clone()),
        }
    }
}

/// What is in force as it is now; that which is there as it was is not.
pub fn stamps(compiled: &Compiled<'_>) -> Vec<(Id, u64)> {
    let brokers = compiled.brokers.iter().map(|broker| (broker.id, broker.standing));
    let triggers = compiled.triggers.iter().map(|trigger| (trigger.id, trigger.standing));
    let current = brokers.chain(triggers).filter_map(|(id, standing)| match standing {
        Standing::Current(stamp) => Some((id, stamp)),
        Standing::Former | Standing::Out => None,
    });
    current.collect()
}

fn sums(stamps: &[(Id, u64)]) -> Vec<u64> {
    stamp::buckets(bucket_count(stamps.len()), stamps.iter().copied())
}

fn fsync(dir: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct DataPlane {
        fsync: String,
    }
    let text = fs::read(dir.join(DATA_PLANE_FILE)).ok()?;
    serde_json::from_slice::<DataPlane>(&text).ok().map(|data_plane| data_plane.fsync)
}

fn lease_name(agent: &str) -> String {
    format!("eagre-agent-{agent}")
}

/// Writes a report: one object, whatever it says.
pub async fn tell(leases: &Api<Lease>, agent: &str, report: &Report) -> kube::Result<()> {
    let name = lease_name(agent);
    let text = serde_json::to_string(report).expect("a report is text");
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some([(report::LABEL.to_owned(), "true".to_owned())].into()),
            annotations: Some([(report::ANNOTATION.to_owned(), text)].into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(agent.to_owned()),
            lease_duration_seconds: Some(AGENT_LEASE.as_secs() as i32),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    };
    let parameters = PatchParams::apply("eagre-agent").force();
    leases.patch(&name, &parameters, &Patch::Apply(&lease)).await.map(drop)
}

/// Says that there is no data plane here any more.
pub async fn leave(leases: &Api<Lease>, agent: &str) -> kube::Result<()> {
    leases.delete(&lease_name(agent), &DeleteParams::default()).await.map(drop)
}
