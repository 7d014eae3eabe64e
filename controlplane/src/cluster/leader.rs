//! One controller writes at a time: the holder of a Lease.
//!
//! Promise: whoever holds the lease has at most [`LEADER_TRUST`] from before its last
//! successful renewal was sent, and checks that before every write, by a clock that also
//! runs while the machine sleeps; another takes over no earlier than [`LEADER_LEASE`]
//! after it saw the last renewal. So a leader that was paused finds, when it wakes, that
//! its time is over. A request that was on its way when the pause began is held to the
//! version of the object it was made for, and comes to nothing if that has changed.
//!
//! No two clocks are compared: what counts is when the Lease was *seen* to change.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::limits::{API_REQUEST_TIMEOUT, LEADER_LEASE, LEADER_RENEWAL, LEADER_TRUST};

/// Name of the Lease.
pub const LEASE: &str = "eagre-controller";

/// Time since the machine started, also while it slept.
fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Says whether this process leads.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: watch::Receiver<Option<Duration>>,
}

impl Leadership {
    /// Whether it leads now; to be asked before each write.
    pub fn is_held(&self) -> bool {
        self.until.borrow().is_some_and(|until| uptime() < until)
    }

    /// Waits until it may have changed.
    pub async fn changed(&mut self) {
        if self.until.changed().await.is_err() {
            // Nobody tries any more, so nothing will ever change.
            std::future::pending::<()>().await;
        }
    }
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Renew,
    TakeOver,
    Wait,
}

/// The Lease as it was last seen to change.
#[derive(Debug, Default)]
struct Seen {
    version: Option<(Option<String>, Option<MicroTime>)>,
    at: Duration,
}

impl Seen {
    fn judge(&mut self, lease: Option<&LeaseSpec>, identity: &str, now: Duration) -> Step {
        let Some(lease) = lease else { return Step::Create };
        let version = (lease.holder_identity.clone(), lease.renew_time.clone());
        if self.version.as_ref() != Some(&version) {
            (self.version, self.at) = (Some(version), now);
        }
        match lease.holder_identity.as_deref() {
            Some(holder) if holder == identity => Step::Renew,
            // Given up by its holder.
            None | Some("") => Step::TakeOver,
            Some(_) if now >= self.at + LEADER_LEASE => Step::TakeOver,
            Some(_) => Step::Wait,
        }
    }
}

/// Tries to lead, for as long as the handle is held.
pub fn run(leases: Api<Lease>, identity: String) -> (Leadership, impl Future<Output = ()>) {
    let (sender, until) = watch::channel(None);
    let election = async move {
        let mut seen = Seen::default();
        while !sender.is_closed() {
            match tokio::time::timeout(API_REQUEST_TIMEOUT, attempt(&leases, &identity, &mut seen)).await {
                Ok(Ok(until)) => tell(&sender, until, &identity),
                // What was held runs out by itself.
                Ok(Err(error)) => debug!("the leader's lease: {error}"),
                Err(_) => debug!("the leader's lease: no answer from the API server"),
            }
            if sender.borrow().is_some_and(|until| uptime() >= until) {
                warn!("this controller leads no more: its lease could not be renewed");
                sender.send_replace(None);
            }
            tokio::time::sleep(LEADER_RENEWAL).await;
        }
    };
    (Leadership { until }, election)
}

fn tell(sender: &watch::Sender<Option<Duration>>, until: Option<Duration>, identity: &str) {
    let had = sender.send_replace(until).is_some();
    match (had, until.is_some()) {
        (false, true) => info!("{identity} leads: it writes statuses from now on"),
        (true, false) => warn!("{identity} leads no more: another controller does"),
        _ => {}
    }
}

/// One look at the Lease, and what follows; until when it is held.
async fn attempt(leases: &Api<Lease>, identity: &str, seen: &mut Seen) -> kube::Result<Option<Duration>> {
    let lease = leases.get_opt(LEASE).await?;
    let step = seen.judge(lease.as_ref().and_then(|lease| lease.spec.as_ref()), identity, uptime());
    let now = Some(MicroTime(Timestamp::now()));
    let before = uptime();
    let written = match (step, lease) {
        (Step::Wait, _) => return Ok(None),
        (Step::Create, None) => {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            let spec = LeaseSpec {
                holder_identity: Some(identity.to_owned()),
                lease_duration_seconds: Some(LEADER_LEASE.as_secs() as i32),
                acquire_time: now.clone(),
                renew_time: now,
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            };
            leases.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await
        }
        (_, lease) => {
            // With its resourceVersion: of two that try, one succeeds.
            let mut lease = lease.unwrap_or_default();
            let spec = lease.spec.get_or_insert_default();
            spec.renew_time = now.clone();
            spec.lease_duration_seconds = Some(LEADER_LEASE.as_secs() as i32);
            if step != Step::Renew {
                spec.holder_identity = Some(identity.to_owned());
                spec.acquire_time = now;
                spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + 1);
            }
            leases.replace(LEASE, &PostParams::default(), &lease).await
        }
    };
    match written {
        Ok(_) => Ok(Some(before + LEADER_TRUST)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives the lease up, so that another need not wait for its end.
pub async fn release(leases: &Api<Lease>, identity: &str) -> kube::Result<()> {
    let Some(mut lease) = leases.get_opt(LEASE).await? else { return Ok(()) };
    let Some(spec) = &mut lease.spec else { return Ok(()) };
    if spec.holder_identity.as_deref() == Some(identity) {
        spec.holder_identity = None;
        leases.replace(LEASE, &PostParams::default(), &lease).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn another_takes_over_only_after_a_whole_lease_without_a_renewal() {
        let mut seen = Seen::default();
        let at = |seconds: u64| Duration::from_secs(1_000 + seconds);
        assert_eq!(seen.judge(None, "b", at(0)), Step::Create);
        assert_eq!(seen.judge(Some(&lease("a", 1)), "b", at(0)), Step::Wait);
        assert_eq!(seen.judge(Some(&lease("a", 1)), "b", at(14)), Step::Wait);
        // Whatever the holder's clock says.
        assert_eq!(seen.judge(Some(&lease("a", -99)), "b", at(14)), Step::Wait);
        assert_eq!(seen.judge(Some(&lease("a", -99)), "b", at(28)), Step::Wait);
        assert_eq!(seen.judge(Some(&lease("a", -99)), "b", at(29)), Step::TakeOver);
        assert_eq!(seen.judge(Some(&lease("a", -99)), "a", at(29)), Step::Renew);
        assert_eq!(seen.judge(Some(&lease("", 7)), "b", at(30)), Step::TakeOver);
    }
}
