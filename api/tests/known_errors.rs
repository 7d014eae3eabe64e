//! Statuses as upstream's webhook and watches meet them.

use eagre_api::status::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// The webhook of Knative Eventing decodes a status strictly: one name it does not know
/// and the write is refused. The names are those of its own ready Broker (contract 10.5).
#[test]
fn a_status_is_written_with_upstreams_names_and_none_beside_them() {
    let status = json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": "DeadLetterSinkResolved", "status": "True", "severity": "Info",
            "reason": "DeadLetterSinkNotConfigured", "message": "No dead letter sink is configured.",
            "lastTransitionTime": "2026-11-28T18:14:18Z",
        }],
        "annotations": {"eagre.eventing.knative.dev/fsync": "fsync"},
        "address": {"name": "https", "url": "https://b.example/n/b", "CACerts": "pem", "audience": "eventing.knative.dev/broker/n/b"},
        "addresses": [{"name": "https", "url": "https://b.example/n/b"}],
        "deadLetterSinkUri": "https://dls.example/", "deadLetterSinkCACerts": "pem", "deadLetterSinkAudience": "a",
        "policies": [{"apiVersion": "eventing.knative.dev/v1alpha1", "name": "p"}],
    });
    assert_eq!(round_trip::<BrokerStatus>(&status), status);

    let subscription = json!({"physicalSubscription": {
        "subscriberUri": "http://s/", "subscriberCACerts": "pem", "subscriberAudience": "a",
        "replyUri": "http://r/", "replyCACerts": "pem", "replyAudience": "a",
        "deadLetterSinkUri": "http://d/", "deadLetterSinkCACerts": "pem", "deadLetterSinkAudience": "a",
    }});
    assert_eq!(round_trip::<SubscriptionStatus>(&subscription), subscription);

    let channel = json!({
        "subscribers": [{"uid": "u", "observedGeneration": 3, "ready": "True", "message": "m",
            "auth": {"serviceAccountName": "s", "serviceAccountNames": ["s"]}}],
        "channel": {"apiVersion": "messaging.knative.dev/v1alpha1", "kind": "EagreChannel", "name": "c", "namespace": "n"},
    });
    assert_eq!(round_trip::<ChannelStatus>(&channel), channel);
}

#[test]
fn an_empty_status_writes_no_field() {
    assert_eq!(json!(BrokerStatus::default()), json!({}));
    assert_eq!(json!(TriggerStatus::default()), json!({}));
    assert_eq!(json!(ChannelStatus::default()), json!({}));
    assert_eq!(json!(ParallelStatus::default()), json!({}));
}

/// Go writes a time that is not set as null, and other controllers have words of their own.
#[test]
fn conditions_of_other_controllers_are_read_whatever_they_lack() {
    let condition: Condition = serde_json::from_value(
        json!({"type": "Ready", "status": "Perhaps", "lastTransitionTime": null, "extra": 1}),
    )
    .unwrap();
    assert_eq!(condition.status, ConditionStatus::Unknown);
    assert_eq!(condition.last_transition_time, None);
}

#[test]
fn times_are_written_in_whole_seconds_as_kubernetes_reads_them() {
    let time = "2026-11-28T18:14:18.987654321Z".parse().map(Time).unwrap();
    let condition = Condition {
        type_: READY.to_owned(),
        status: ConditionStatus::True,
        reason: None,
        message: None,
        severity: None,
        last_transition_time: Some(time),
    };
    assert_eq!(
        json!(condition),
        json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-28T18:14:18Z"})
    );
}

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: &Value) -> Value {
    json!(serde_json::from_value::<T>(value.clone()).unwrap())
}
