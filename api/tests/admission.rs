//! Objects that the rules of the schemas let pass or refuse, evaluated here. That an API
//! server takes the rules, and finds the same, the tests against one show.

mod support;

use eagre_api::{eventing::*, flows::*, messaging::*};
use kube::core::cel::{ValidationErrors, Validator};
use serde_json::{Value, json};

/// What is said of a spec of `kind` that replaces `old`, or is new.
fn said(kind: &str, spec: &Value, old: Option<&Value>) -> Vec<String> {
    let definitions = support::definitions();
    let crd = definitions.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let schema = support::schema(crd, &crd.spec.versions[0].name);
    let object = |spec: &Value| json!({"metadata": {"name": "n"}, "spec": spec});
    let outcome = Validator::new().validate(&schema, &object(spec), old.map(object).as_ref());
    outcome.err().into_iter().flat_map(ValidationErrors::into_vec).map(|error| error.to_string()).collect()
}

/// A spec as its type reads and writes it.
fn written(kind: &str, spec: &Value) -> Value {
    fn by<T: serde::de::DeserializeOwned + serde::Serialize>(object: Value) -> Value {
        json!(serde_json::from_value::<T>(object).unwrap())["spec"].clone()
    }
    let read = match kind {
        "Broker" => by::<Broker>,
        "Trigger" => by::<Trigger>,
        "EventType" => by::<EventType>,
        "EventPolicy" => by::<EventPolicy>,
        "Channel" => by::<Channel>,
        "InMemoryChannel" => by::<InMemoryChannel>,
        "EagreChannel" => by::<EagreChannel>,
        "Subscription" => by::<Subscription>,
        "Sequence" => by::<Sequence>,
        "Parallel" => by::<Parallel>,
        _ => panic!("{kind} has no type"),
    };
    read(json!({"metadata": {"name": "n"}, "spec": spec}))
}

fn subscriber() -> Value {
    json!({"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}})
}

fn trigger(field: &str, value: Value) -> Value {
    let mut spec = json!({"broker": "default", "subscriber": subscriber()});
    spec[field] = value;
    spec
}

fn delivery(field: &str, value: Value) -> Value {
    json!({"delivery": {field: value}})
}

fn subscription(field: &str, value: Value) -> Value {
    let channel = json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "c"});
    let mut spec = json!({"channel": channel, "subscriber": subscriber()});
    spec[field] = value;
    spec
}

#[test]
fn what_upstream_accepts_passes_and_is_read() {
    let template =
        json!({"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel", "spec": {"x": 1}});
    let accepted = [
        ("Broker", json!({})),
        (
            "Broker",
            json!({"config": {"apiVersion": "v1", "kind": "ConfigMap", "name": "config-br-default-channel", "namespace": "knative-eventing"}}),
        ),
        (
            "Broker",
            json!({"delivery": {"backoffDelay": "PT0.2S", "backoffPolicy": "exponential", "retry": 10}}),
        ),
        ("Broker", delivery("timeout", json!("P1DT0.5S"))),
        ("Broker", delivery("timeout", json!("P1W"))),
        ("Broker", delivery("retryAfterMax", json!("PT0S"))),
        ("Broker", delivery("deadLetterSink", json!({"uri": "http://dls.example.com/"}))),
        ("Trigger", trigger("filter", json!({}))),
        ("Trigger", trigger("filter", json!({"attributes": {"type": "a", "abcdefghijklmnopqrst": ""}}))),
        ("Trigger", trigger("filters", json!([]))),
        (
            "Trigger",
            trigger("filters", json!([{}, {"cesql": "type = 'a'"}, {"any": [{"exact": {"type": "a"}}]}])),
        ),
        ("Trigger", trigger("subscriber", json!({"uri": "https://example.com"}))),
        ("Trigger", trigger("subscriber", json!({"ref": subscriber()["ref"], "uri": "update?x=a:b"}))),
        ("Trigger", trigger("delivery", json!({"format": "json"}))),
        (
            "Trigger",
            json!({"brokerRef": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b", "namespace": "n"}, "subscriber": subscriber()}),
        ),
        ("Channel", json!({})),
        ("Channel", json!({"channelTemplate": template})),
        ("EagreChannel", json!({"durability": "memory"})),
        (
            "EagreChannel",
            json!({"subscribers": [{"uid": "u", "subscriberUri": "http://s/", "delivery": {"backoffPolicy": "other"}}]}),
        ),
        ("InMemoryChannel", json!({})),
        ("Subscription", subscription("reply", json!({}))),
        ("Subscription", subscription("reply", json!({"uri": "http://reply/"}))),
        (
            "Sequence",
            json!({"steps": [{"ref": subscriber()["ref"], "delivery": {"retry": 1}}, {"uri": "http://s/"}]}),
        ),
        (
            "Parallel",
            json!({"branches": [{"subscriber": subscriber()}, {"filter": {"uri": "http://f/"}, "subscriber": subscriber(), "reply": {"uri": "http://r/"}}]}),
        ),
        ("EventType", json!({"type": "a", "source": "/s"})),
        ("EventType", json!({"attributes": [{"name": "type", "required": true, "value": "a"}]})),
        ("EventPolicy", json!({})),
        (
            "EventPolicy",
            json!({"from": [{"sub": "system:serviceaccount:n:*"}, {"ref": subscriber()["ref"]}], "to": [{"selector": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "matchLabels": {"a": "b"}}}]}),
        ),
    ];
    for (kind, spec) in accepted {
        assert_eq!(said(kind, &spec, None), Vec::<String>::new(), "{kind} {spec}");
        assert_eq!(written(kind, &spec), spec, "{kind}");
    }
}

/// What upstream's webhook refuses (contract 10.2), with the field and how to mend it.
#[test]
fn what_upstream_refuses_is_refused_with_its_field_and_a_remedy() {
    let without = |spec: Value, field: &str| {
        let mut spec = spec;
        spec.as_object_mut().unwrap().remove(field);
        spec
    };
    let valid = || trigger("filter", json!({}));
    let refused = [
        ("Broker", json!({"config": {"name": "c"}}), "config", "give apiVersion, kind and name"),
        ("Broker", delivery("retry", json!(-1)), "retry", "0 or more"),
        ("Broker", delivery("backoffDelay", json!("5 seconds")), "backoffDelay", "PT0.2S"),
        ("Broker", delivery("backoffDelay", json!("P")), "backoffDelay", "PT0.2S"),
        ("Broker", delivery("backoffDelay", json!("P1DT")), "backoffDelay", "PT0.2S"),
        ("Broker", delivery("backoffDelay", json!("PT1D")), "backoffDelay", "PT0.2S"),
        ("Broker", delivery("backoffPolicy", json!("quadratic")), "backoffPolicy", "linear or exponential"),
        ("Broker", delivery("timeout", json!("PT0S")), "timeout", "above zero"),
        ("Broker", delivery("retryAfterMax", json!("-PT1S")), "retryAfterMax", "PT0.2S"),
        ("Broker", delivery("format", json!("xml")), "format", "json or binary"),
        ("Broker", delivery("deadLetterSink", json!({})), "deadLetterSink", "give ref"),
        ("Broker", delivery("deadLetterSink", json!({"uri": "/relative"})), "deadLetterSink", "absolute URL"),
        ("Trigger", without(valid(), "broker"), "spec", "give either broker"),
        ("Trigger", trigger("broker", json!("")), "spec", "give either broker"),
        (
            "Trigger",
            trigger("brokerRef", json!({"apiVersion": "a", "kind": "Broker", "name": "b"})),
            "spec",
            "give either broker",
        ),
        ("Trigger", without(valid(), "subscriber"), "spec", "give the subscriber"),
        ("Trigger", trigger("subscriber", json!({})), "subscriber", "give ref"),
        (
            "Trigger",
            trigger("subscriber", json!({"ref": {"kind": "Service", "name": ""}})),
            "ref",
            "give apiVersion",
        ),
        (
            "Trigger",
            trigger("subscriber", json!({"ref": subscriber()["ref"], "uri": "http://x/"})),
            "subscriber",
            "relative to its address",
        ),
        (
            "Trigger",
            trigger("filter", json!({"attributes": {"Bad-Name": "x"}})),
            "attributes",
            "lower-case letters",
        ),
        ("Trigger", trigger("filters", json!([{"exact": {"123": "x"}}])), "exact", "lower-case letters"),
        ("Trigger", trigger("filters", json!([{"suffix": {"s pace": "x"}}])), "suffix", "lower-case letters"),
        (
            "Trigger",
            trigger("filters", json!([{"exact": {"type": "x"}, "prefix": {"type": "x"}}])),
            "filters",
            "one dialect",
        ),
        ("Channel", json!({"subscribers": [{"uid": "u"}]}), "spec", "create a Subscription"),
        ("Subscription", without(subscription("delivery", json!({})), "channel"), "spec", "give the channel"),
        (
            "Subscription",
            without(subscription("delivery", json!({})), "subscriber"),
            "spec",
            "give the subscriber",
        ),
        ("Subscription", subscription("reply", json!({"uri": "relative"})), "reply", "absolute URL"),
        ("Subscription", subscription("channel", json!({"name": "c"})), "channel", "give apiVersion"),
        ("Sequence", json!({}), "spec", "at least one step"),
        ("Sequence", json!({"steps": []}), "spec", "at least one step"),
        ("Sequence", json!({"steps": [{"delivery": {"retry": 1}}]}), "steps", "give ref"),
        ("Sequence", json!({"steps": [{"uri": "relative"}]}), "steps", "absolute URL"),
        ("Sequence", json!({"steps": [{"ref": {"name": "s"}}]}), "ref", "give apiVersion"),
        ("Parallel", json!({"branches": []}), "spec", "at least one branch"),
        (
            "Parallel",
            json!({"branches": [{"filter": {"uri": "http://f/"}}]}),
            "branches",
            "give the subscriber",
        ),
        ("EventPolicy", json!({"from": [{}]}), "from", "give either ref or sub"),
        (
            "EventPolicy",
            json!({"from": [{"ref": subscriber()["ref"], "sub": "s"}]}),
            "from",
            "give either ref or sub",
        ),
        ("EventPolicy", json!({"from": [{"sub": "a*b"}]}), "sub", "at its end only"),
        (
            "EventPolicy",
            json!({"to": [{"selector": {"kind": "Broker"}}]}),
            "selector",
            "give apiVersion and kind",
        ),
        ("EventPolicy", json!({"filters": [{"all": [], "any": []}]}), "filters", "one dialect"),
    ];
    for (kind, spec, field, remedy) in refused {
        let said = said(kind, &spec, None);
        assert!(
            said.iter().any(|line| line.contains(field) && line.contains(remedy)),
            "{kind} {spec}: {said:?}"
        );
    }
}

#[test]
fn what_upstream_never_changes_stays_and_the_rest_may_change() {
    let reference = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name});
    let template =
        |kind: &str| json!({"channelTemplate": {"apiVersion": "messaging.knative.dev/v1", "kind": kind}});
    let broker_ref = json!({"brokerRef": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}, "subscriber": subscriber()});
    let valid = trigger("filter", json!({}));
    let table = [
        (
            "Broker",
            json!({"config": reference("a")}),
            json!({"config": reference("b")}),
            Some("config never changes"),
        ),
        ("Broker", json!({"config": reference("a")}), json!({}), Some("config never changes")),
        ("Broker", json!({}), json!({"config": reference("a")}), Some("config never changes")),
        (
            "Broker",
            json!({"config": reference("a")}),
            json!({"config": reference("a"), "delivery": {"retry": 1}}),
            None,
        ),
        ("Trigger", valid.clone(), trigger("broker", json!("other")), Some("broker never changes")),
        ("Trigger", valid.clone(), broker_ref.clone(), Some("broker never changes")),
        ("Trigger", broker_ref, valid.clone(), Some("broker never changes")),
        ("Trigger", valid, trigger("subscriber", json!({"uri": "http://other/"})), None),
        ("Channel", template("A"), template("B"), Some("channelTemplate never changes")),
        ("Channel", template("A"), json!({}), Some("channelTemplate never changes")),
        ("Channel", json!({}), json!({"delivery": {"retry": 1}}), None),
        (
            "Subscription",
            subscription("reply", json!({})),
            subscription("channel", reference("x")),
            Some("channel never changes"),
        ),
        (
            "Subscription",
            subscription("reply", json!({})),
            subscription("subscriber", json!({"uri": "http://x/"})),
            None,
        ),
        (
            "Sequence",
            json!({"steps": [{"uri": "http://a/"}]}),
            json!({"steps": [{"uri": "http://b/"}]}),
            None,
        ),
    ];
    for (kind, old, new, expected) in table {
        let said = said(kind, &new, Some(&old));
        match expected {
            None => assert_eq!(said, Vec::<String>::new(), "{kind} {new}"),
            Some(message) => {
                assert!(said.iter().any(|line| line.contains(message)), "{kind} {new}: {said:?}");
            }
        }
    }
}
