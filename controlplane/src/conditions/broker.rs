//! The status of a broker (contract 4.2).

use std::collections::BTreeMap;

use eagre_api::status::{AddressStatus, Addressable, BrokerStatus, DeadLetterSinkStatus, Status};
use eagre_snapshot::Fsync;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::living::{self, Verdict};
use super::{Applied, DURABILITY_ANNOTATION, FSYNC_ANNOTATION, kind};
use crate::outcome::{BrokerOutcome, Failure, Standing, Target};
use crate::reason;

/// How brokers are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Where this one takes events.
    pub url: String,
    /// When data planes count an event as stored, of brokers that do not say.
    pub fsync: Vec<Fsync>,
    /// What data planes have said about this one.
    pub applied: Applied,
}

/// The status of a broker, and whether it is ready; its triggers copy that.
pub fn broker(
    outcome: &BrokerOutcome<'_>,
    served: &Served,
    former: &BrokerStatus,
    now: &Time,
) -> (BrokerStatus, Verdict) {
    let address = address(outcome, served, former);
    let aspects = vec![
        (kind::CONFIG, Verdict::of(outcome.settings.as_ref())),
        (kind::POLICIES, policies(outcome)),
        (kind::SINK, sink(outcome.sink.as_ref())),
        (kind::ADDRESSABLE, addressable(outcome, address.as_ref())),
        (kind::DATA_PLANE, data_plane(outcome, &served.applied)),
    ];
    let ready = living::ready(&aspects);
    let status = BrokerStatus {
        status: Status {
            observed_generation: Some(outcome.metadata.generation),
            conditions: living::conditions(aspects, ready.clone(), &former.status.conditions, now),
            annotations: annotations(outcome, served),
        },
        address: AddressStatus { address, addresses: Vec::new() },
        dead_letter_sink: sink_status(outcome.sink.as_ref()),
        policies: Vec::new(),
    };
    (status, ready)
}

/// Where it takes events. A broker that was served keeps its address while something
/// about it is in error: data planes go on serving it as it was.
fn address(outcome: &BrokerOutcome<'_>, served: &Served, former: &BrokerStatus) -> Option<Addressable> {
    let address = Addressable {
        name: Some("http".to_owned()),
        url: Some(served.url.clone()),
        ca_certs: None,
        audience: None,
    };
    let was = former.address.address.as_ref() == Some(&address);
    (outcome.allowed.is_ok() && (outcome.standing != Standing::Out || was)).then_some(address)
}

fn addressable(outcome: &BrokerOutcome<'_>, address: Option<&Addressable>) -> Verdict {
    match (&outcome.allowed, address) {
        (Err(failure), _) => Verdict::of::<()>(Err(failure)),
        (Ok(()), Some(_)) => Verdict::TRUE,
        (Ok(()), None) => {
            Verdict::fails(reason::NO_ADDRESS, "no data plane is told of it; see the other conditions")
        }
    }
}

fn policies(outcome: &BrokerOutcome<'_>) -> Verdict {
    match &outcome.allowed {
        Err(failure) if failure.reason == reason::OIDC_UNSUPPORTED => Verdict::of::<()>(Err(failure)),
        _ => Verdict::holds(
            reason::OIDC_DISABLED,
            r#"Feature "authentication-oidc" must be enabled to support Authorization"#,
        ),
    }
}

fn data_plane(outcome: &BrokerOutcome<'_>, applied: &Applied) -> Verdict {
    match outcome.standing {
        Standing::Current(_) => self::applied(applied),
        Standing::Former => Verdict::fails(
            reason::NOT_APPLIED,
            "data planes serve it as it was when it was last without an error",
        ),
        Standing::Out => {
            Verdict::fails(reason::NOT_APPLIED, "data planes are not told of it; see the other conditions")
        }
    }
}

pub(super) fn applied(applied: &Applied) -> Verdict {
    match applied {
        Applied::Everywhere => Verdict::TRUE,
        Applied::Not(names) => {
            let message = format!("waiting until it is in force at {}", names.join(", "));
            Verdict::open(reason::NOT_APPLIED, message)
        }
        Applied::Refused(why) => Verdict::fails(reason::REFUSED, why),
        Applied::Nowhere => Verdict::fails(
            reason::NO_DATA_PLANE,
            "no data plane has reported; see that eagre-dataplane and its agent run",
        ),
    }
}

pub(super) fn sink(sink: Option<&Result<Target, Failure>>) -> Verdict {
    match sink {
        None => Verdict::holds(reason::NO_SINK, "No dead letter sink is configured."),
        Some(sink) => Verdict::of(sink.as_ref()),
    }
}

pub(super) fn sink_status(sink: Option<&Result<Target, Failure>>) -> DeadLetterSinkStatus {
    match sink {
        Some(Ok(target)) => DeadLetterSinkStatus {
            uri: Some(target.endpoint.uri.clone()),
            ca_certs: target.ca_certs.clone(),
            audience: target.audience.clone(),
        },
        Some(Err(_)) | None => DeadLetterSinkStatus::default(),
    }
}

/// What 202 means there.
fn annotations(outcome: &BrokerOutcome<'_>, served: &Served) -> BTreeMap<String, String> {
    let own = outcome.settings.as_ref().ok().and_then(|settings| settings.fsync);
    let modes = own.map_or(served.fsync.clone(), |own| vec![own]);
    let mut annotations = BTreeMap::new();
    if !modes.is_empty() {
        let text: Vec<String> = modes.iter().map(ToString::to_string).collect();
        annotations.insert(FSYNC_ANNOTATION.to_owned(), text.join(", "));
        let weakest = modes.iter().map(|mode| survives(*mode)).max().expect("there is one").1;
        annotations.insert(DURABILITY_ANNOTATION.to_owned(), weakest);
    }
    annotations
}

/// How weak the promise of a mode is, and in words.
fn survives(fsync: Fsync) -> (u64, String) {
    match fsync {
        Fsync::Always => (
            0,
            "an accepted event survives a crash of the process and of the machine, and a power cut"
                .to_owned(),
        ),
        Fsync::Interval { ms } => (
            ms,
            format!(
                "an accepted event survives a crash of the process; a crash of the machine or a power cut may take those of the last {ms} ms"
            ),
        ),
        Fsync::Never => (
            u64::MAX,
            "an accepted event survives a crash of the process, not of the machine, and no power cut"
                .to_owned(),
        ),
    }
}
