//! The status of a trigger (contract 4.3).

use std::collections::BTreeMap;

use eagre_api::status::{ResolvedSubscriber, Status, TriggerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::living::{self, Verdict};
use super::{Applied, BROKER_ANNOTATION, broker, kind};
use crate::outcome::{Failure, Standing, TriggerOutcome};
use crate::reason;

/// The status of a trigger, and whether it is ready. `broker` is the verdict on its
/// broker, where there is one; `oidc` whether requests must carry tokens.
pub fn trigger(
    outcome: &TriggerOutcome<'_>,
    broker: Option<&Verdict>,
    applied: &Applied,
    oidc: bool,
    former: &TriggerStatus,
    now: &Time,
) -> (TriggerStatus, Verdict) {
    let aspects = vec![
        // What is wrong with the trigger itself tells more than what is wrong around it.
        (kind::SUBSCRIBER, subscriber(outcome)),
        (kind::SINK, broker::sink(outcome.sink.as_ref())),
        (kind::DEPENDENCY, Verdict::of(outcome.dependency.as_ref())),
        (kind::BROKER, broker_ready(outcome, broker)),
        (kind::IDENTITY, identity(oidc)),
        (kind::SUBSCRIPTION, subscription(outcome, applied)),
    ];
    let ready = living::ready(&aspects);
    let status = TriggerStatus {
        status: Status {
            observed_generation: Some(outcome.metadata.generation),
            conditions: living::conditions(aspects, ready.clone(), &former.status.conditions, now),
            annotations: BTreeMap::from([(BROKER_ANNOTATION.to_owned(), broker_uid(outcome).to_owned())]),
        },
        subscriber: match &outcome.subscriber {
            Some(Ok(target)) => ResolvedSubscriber {
                uri: Some(target.endpoint.uri.clone()),
                ca_certs: target.ca_certs.clone(),
                audience: target.audience.clone(),
            },
            Some(Err(_)) | None => ResolvedSubscriber::default(),
        },
        dead_letter_sink: broker::sink_status(outcome.sink.as_ref()),
        auth: None,
    };
    (status, ready)
}

/// Empty where there is no broker.
fn broker_uid<'i>(outcome: &TriggerOutcome<'i>) -> &'i str {
    let uid = outcome.broker.as_ref().ok().and_then(|broker| broker.uid.as_ref());
    uid.map_or("", |uid| &uid.value)
}

fn broker_ready(outcome: &TriggerOutcome<'_>, broker: Option<&Verdict>) -> Verdict {
    match (&outcome.broker, broker) {
        (Err(failure), _) => Verdict::of::<()>(Err(failure)),
        (Ok(_), Some(verdict)) => verdict.clone(),
        (Ok(_), None) => Verdict::open(reason::BROKER_UNKNOWN, "the broker has not been looked at yet"),
    }
}

fn subscriber(outcome: &TriggerOutcome<'_>) -> Verdict {
    match &outcome.subscriber {
        Some(subscriber) => Verdict::of(subscriber.as_ref()),
        None => match &outcome.spec {
            Err(failure) => Verdict::open(reason::SPEC_INVALID, failure.message()),
            Ok(()) => Verdict::open(reason::SUBSCRIBER_UNRESOLVED, ""),
        },
    }
}

fn identity(oidc: bool) -> Verdict {
    match oidc {
        false => Verdict::holds(reason::OIDC_IDENTITY_DISABLED, ""),
        true => Verdict::fails(
            reason::OIDC_UNSUPPORTED,
            "`authentication-oidc` is enabled, and this version of Eagre has no identities for triggers",
        ),
    }
}

fn subscription(outcome: &TriggerOutcome<'_>, applied: &Applied) -> Verdict {
    let Err(failure) = &outcome.spec else { return in_force(outcome, applied) };
    Verdict::of::<()>(Err(failure))
}

fn in_force(outcome: &TriggerOutcome<'_>, applied: &Applied) -> Verdict {
    let what = match outcome.standing {
        Standing::Current(_) => return broker::applied(applied),
        Standing::Former => "events go where they went when the trigger was last without an error",
        Standing::Out => "no data plane is told of it; see the other conditions",
    };
    let parts: [Option<&Failure>; 4] = [
        outcome.broker.as_ref().err(),
        outcome.dependency.as_ref().err(),
        outcome.subscriber.as_ref().and_then(|subscriber| subscriber.as_ref().err()),
        outcome.sink.as_ref().and_then(|sink| sink.as_ref().err()),
    ];
    // Waiting for an answer is no refusal.
    let mut failures = parts.into_iter().flatten().peekable();
    match failures.peek().is_some() && failures.all(|failure| !failure.certain) {
        true => Verdict::open(reason::NOT_SUBSCRIBED, what),
        false => Verdict::fails(reason::NOT_SUBSCRIBED, what),
    }
}
