//! Every condition and reason of contract 4.2 and 4.3, reached without an API server.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, SYSTEM, broker, config_map, of_class, other, service, trigger};
use eagre_controlplane::cluster::report::Report;
use eagre_controlplane::index::Kind;
use eagre_controlplane::stamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};

/// A broker `b` and trigger `t` that are ready.
fn ready() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(broker("b", json!({})));
    cluster.apply(trigger("t", json!({})));
    cluster.settle();
    assert_eq!((cluster.broker_says("Ready"), cluster.trigger_says("Ready")), ("True".into(), "True".into()));
    cluster
}

fn types(status: &Json) -> Vec<&str> {
    status["conditions"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect()
}

#[test]
fn a_ready_broker_and_trigger_say_what_upstreams_say() {
    let cluster = ready();
    let status = cluster.status(Kind::Broker, "ns", "b");
    assert_eq!(status["address"], json!({"name": "http", "url": "http://ingress.test/ns/b"}));
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(
        types(&status),
        [
            "Addressable",
            "ConfigReady",
            "DataPlaneReady",
            "DeadLetterSinkResolved",
            "EventPoliciesReady",
            "Ready"
        ]
    );
    for (condition, says) in [
        ("Addressable", "True"),
        ("ConfigReady", "True"),
        ("DataPlaneReady", "True"),
        ("DeadLetterSinkResolved", "True DeadLetterSinkNotConfigured"),
        ("EventPoliciesReady", "True OIDCDisabled"),
    ] {
        assert_eq!(cluster.broker_says(condition), says, "{condition}");
    }
    assert_eq!(status["annotations"]["eagre.eventing.knative.dev/fsync"], "always");
    assert!(
        status["annotations"]["eagre.eventing.knative.dev/durability"]
            .as_str()
            .unwrap()
            .contains("power cut")
    );

    let status = cluster.status(Kind::Trigger, "ns", "t");
    assert_eq!(
        (&status["subscriberUri"], &status["observedGeneration"]),
        (&json!("http://sub.test/"), &json!(1))
    );
    assert_eq!(status["auth"], Json::Null);
    for (condition, says) in [
        ("BrokerReady", "True"),
        ("DeadLetterSinkResolved", "True DeadLetterSinkNotConfigured"),
        ("DependencyReady", "True"),
        ("OIDCIdentityCreated", "True authentication-oidc feature disabled"),
        ("Ready", "True"),
        ("SubscriberResolved", "True"),
        ("SubscriptionReady", "True"),
    ] {
        assert_eq!(cluster.trigger_says(condition), says, "{condition}");
    }
    // None counts for information only, and each says since when.
    for condition in status["conditions"].as_array().unwrap() {
        assert!(
            condition["severity"].is_null() && condition["lastTransitionTime"].is_string(),
            "{condition}"
        );
    }
}

#[test]
fn a_second_look_writes_nothing_and_a_time_changes_with_its_content_only() {
    let mut cluster = ready();
    let before = cluster.status(Kind::Trigger, "ns", "t");
    let writes = cluster.written.len();
    cluster.judge();
    cluster.apply_everywhere();
    cluster.judge();
    assert_eq!(cluster.written.len(), writes);
    cluster.apply(trigger(
        "t",
        json!({"subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}}),
    ));
    cluster.settle();
    let after = cluster.status(Kind::Trigger, "ns", "t");
    let time = |status: &Json, name: &str| {
        status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == name).unwrap()["lastTransitionTime"].clone()
    };
    assert_ne!(time(&before, "SubscriberResolved"), time(&after, "SubscriberResolved"));
    assert_ne!(time(&before, "Ready"), time(&after, "Ready"));
    assert_eq!(time(&before, "DependencyReady"), time(&after, "DependencyReady"));
    assert_eq!(after["observedGeneration"], 2);
    assert_eq!(after["subscriberUri"], Json::Null);
}

#[test]
fn what_a_broker_names_as_its_settings() {
    let named = |namespace: &str, name: &str| json!({"config": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name}});
    let mut cluster = Cluster::new();
    // What upstream's admission writes into every broker, there and not there.
    cluster.apply(broker("b", named(SYSTEM, "config-br-default-channel")));
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "True");
    cluster.apply(config_map(
        SYSTEM,
        "config-br-default-channel",
        json!({"channel-template-spec": "kind: InMemoryChannel"}),
    ));
    cluster.settle();
    assert_eq!(
        (cluster.broker_says("ConfigReady"), cluster.broker_says("Ready")),
        ("True".into(), "True".into())
    );

    cluster.apply(broker("b", named("ns", "own")));
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "False ConfigNotFound");
    assert_eq!(cluster.broker_says("Ready"), "False ConfigNotFound");
    // Created late, wrong, corrected, deleted: each is seen.
    cluster.apply(config_map("ns", "own", json!({"eagre.fsync": "sometimes"})));
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "False ConfigInvalid");
    let message = cluster.status(Kind::Broker, "ns", "b")["conditions"][1]["message"].clone();
    assert!(message.as_str().unwrap().contains("data.eagre.fsync"), "{message}");
    cluster.apply(config_map("ns", "own", json!({"eagre.fsync": "5ms"})));
    cluster.settle();
    assert_eq!(cluster.broker_says("Ready"), "True");
    let annotations = cluster.status(Kind::Broker, "ns", "b")["annotations"].clone();
    assert!(
        annotations["eagre.eventing.knative.dev/durability"].as_str().unwrap().contains("last 5 ms"),
        "{annotations}"
    );
    cluster.delete("v1", "ConfigMap", "ns", "own");
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "False ConfigNotFound");
    // It was served, and is: its address stays.
    assert_eq!(cluster.broker_says("Addressable"), "True");

    cluster.apply(broker("b", json!({"config": {"apiVersion": "x.test/v1", "kind": "Kafka", "name": "k"}})));
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "False SpecInvalid");
    cluster.apply(broker("b", json!({"delivery": {"backoffDelay": "5 seconds"}})));
    cluster.settle();
    assert_eq!(cluster.broker_says("ConfigReady"), "False SpecInvalid");
}

#[test]
fn a_broker_that_was_never_served_has_no_address() {
    let mut cluster = Cluster::new();
    cluster.apply(broker("b", json!({"config": {"apiVersion": "v1", "kind": "ConfigMap", "name": "own"}})));
    cluster.settle();
    assert_eq!(cluster.broker_says("Addressable"), "False NoAddress");
    assert_eq!(cluster.status(Kind::Broker, "ns", "b")["address"], Json::Null);
}

#[test]
fn ready_means_that_every_ready_data_plane_has_it_in_force() {
    let mut cluster = Cluster::new();
    cluster.apply(broker("b", json!({})));
    cluster.apply(trigger("t", json!({})));
    cluster.judge();
    assert!(cluster.written.is_empty(), "a state that should pass is not written at once");
    cluster.wait(11);
    cluster.judge();
    assert_eq!(cluster.broker_says("Ready"), "False NoDataPlane");
    assert_eq!(cluster.trigger_says("SubscriptionReady"), "False NoDataPlane");

    cluster.apply_everywhere();
    cluster.judge();
    assert_eq!(cluster.trigger_says("Ready"), "True");

    // A second one, which has nothing yet.
    let nothing =
        Report { version: stamp::VERSION, ready: true, fsync: None, refused: None, applied: vec![0; 64] };
    cluster.report("dp-1", &nothing);
    cluster.judge();
    cluster.wait(11);
    cluster.judge();
    assert_eq!(cluster.trigger_says("SubscriptionReady"), "Unknown NotApplied");
    assert_eq!(cluster.trigger_says("BrokerReady"), "Unknown NotApplied");
    cluster.report("dp-1", &Report { refused: Some("too large".into()), ..nothing.clone() });
    cluster.judge();
    assert_eq!(cluster.broker_says("DataPlaneReady"), "False ConfigurationRefused");
    // It ends, or never was ready.
    cluster.report("dp-1", &Report { ready: false, ..nothing });
    cluster.judge();
    assert_eq!(cluster.trigger_says("Ready"), "True");
}

#[test]
fn where_a_triggers_events_go() {
    let mut cluster = ready();
    let to = |destination: Json| trigger("t", json!({"subscriber": destination}));
    let unresolved = "False Unable to get the Subscriber's URI";
    let reference = |api_version: &str, kind: &str, name: &str| json!({"apiVersion": api_version, "kind": kind, "name": name});
    let uri = |cluster: &Cluster| cluster.status(Kind::Trigger, "ns", "t")["subscriberUri"].clone();

    cluster.apply(to(json!({"ref": reference("v1", "Service", "s"), "uri": "/in"})));
    cluster.settle();
    assert_eq!((cluster.trigger_says("SubscriberResolved"), uri(&cluster)), (unresolved.into(), Json::Null));
    assert_eq!(cluster.trigger_says("SubscriptionReady"), "False NotSubscribed");
    cluster.apply(service("s"));
    cluster.settle();
    assert_eq!(
        (cluster.trigger_says("Ready"), uri(&cluster)),
        ("True".into(), json!("http://s.ns.svc.cluster.local/in"))
    );
    cluster.delete("v1", "Service", "ns", "s");
    cluster.settle();
    assert_eq!((cluster.trigger_says("Ready"), uri(&cluster)), (unresolved.into(), Json::Null));

    // Anything that tells its address.
    cluster.apply(to(json!({"ref": reference("x.test/v1", "Thing", "a")})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("SubscriberResolved"), unresolved);
    cluster.apply(other("Thing", "a", json!({})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("SubscriberResolved"), unresolved);
    cluster.apply(other("Thing", "a", json!({"address": {"url": "http://old.test"}, "addresses": [
        {"name": "one", "url": "http://one.test"}, {"name": "two", "url": "http://two.test", "CACerts": "pem", "audience": "aud"}]})));
    cluster.settle();
    assert_eq!((cluster.trigger_says("Ready"), uri(&cluster)), ("True".into(), json!("http://one.test")));
    let mut named = reference("x.test/v1", "Thing", "a");
    named["address"] = json!("two");
    cluster.apply(to(json!({"ref": named, "audience": "mine"})));
    cluster.settle();
    let status = cluster.status(Kind::Trigger, "ns", "t");
    assert_eq!(
        (&status["subscriberUri"], &status["subscriberCACerts"], &status["subscriberAudience"]),
        (&json!("http://two.test"), &json!("pem"), &json!("mine"))
    );
    named = reference("x.test/v1", "Thing", "a");
    named["address"] = json!("three");
    cluster.apply(to(json!({"ref": named})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("SubscriberResolved"), unresolved);

    // A broker of ours, and one that is not.
    cluster.apply(to(json!({"ref": reference("eventing.knative.dev/v1", "Broker", "b")})));
    cluster.settle();
    assert_eq!(uri(&cluster), "http://ingress.test/ns/b");
    let mut foreign = of_class("mt", "MTChannelBasedBroker", json!({}));
    foreign["status"] = json!({"address": {"url": "http://mt.test/ns/mt"}});
    cluster.apply(foreign);
    cluster.apply(to(json!({"ref": reference("eventing.knative.dev/v1", "Broker", "mt")})));
    cluster.settle();
    assert_eq!(uri(&cluster), "http://mt.test/ns/mt");
    // TLS is not there yet, and is not left out in silence.
    cluster.apply(to(json!({"uri": "https://sub.test/"})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("SubscriberResolved"), unresolved);
}

#[test]
fn where_dead_letters_go() {
    let mut cluster = ready();
    let sink = |name: &str| json!({"deadLetterSink": {"ref": {"apiVersion": "v1", "kind": "Service", "name": name}}});
    let unresolved = "False Unable to get the DeadLetterSink's URI";
    cluster.apply(broker("b", json!({"delivery": sink("dead")})));
    cluster.settle();
    assert_eq!(cluster.broker_says("DeadLetterSinkResolved"), unresolved);
    assert_eq!(cluster.broker_says("Ready"), unresolved);
    assert_eq!(cluster.trigger_says("DeadLetterSinkResolved"), unresolved);
    assert_eq!(cluster.trigger_says("BrokerReady"), unresolved);
    cluster.apply(service("dead"));
    cluster.settle();
    let uri = |kind, name| cluster.status(kind, "ns", name)["deadLetterSinkUri"].clone();
    assert_eq!(uri(Kind::Broker, "b"), "http://dead.ns.svc.cluster.local");
    assert_eq!(uri(Kind::Trigger, "t"), "http://dead.ns.svc.cluster.local");
    assert_eq!(cluster.trigger_says("DeadLetterSinkResolved"), "True");
    cluster.apply(trigger("t", json!({"delivery": sink("own")})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("DeadLetterSinkResolved"), unresolved);
    assert_eq!(cluster.status(Kind::Trigger, "ns", "t")["deadLetterSinkUri"], Json::Null);
}

#[test]
fn what_a_trigger_waits_for() {
    let mut cluster = ready();
    let waits = |annotation: &str| {
        let mut trigger = trigger("t", json!({}));
        trigger["metadata"]["annotations"] = json!({"knative.dev/dependency": annotation});
        trigger
    };
    let thing = r#"{"apiVersion": "x.test/v1", "kind": "Source", "name": "s"}"#;
    cluster.apply(waits("{"));
    cluster.settle();
    assert_eq!(cluster.trigger_says("DependencyReady"), "False ReferenceError");
    cluster
        .apply(waits(r#"{"apiVersion": "x.test/v1", "kind": "Source", "name": "s", "namespace": "other"}"#));
    cluster.settle();
    assert_eq!(cluster.trigger_says("DependencyReady"), "False ReferenceError");
    cluster.apply(waits(thing));
    cluster.settle();
    assert_eq!(cluster.trigger_says("DependencyReady"), "False DependencyDoesNotExist");
    assert_eq!(cluster.trigger_says("Ready"), "False DependencyDoesNotExist");

    let status = |status: &str, reason: &str| json!({"conditions": [{"type": "Ready", "status": status, "reason": reason}]});
    let mut late = other("Source", "s", status("True", ""));
    late["metadata"]["generation"] = json!(2);
    late["status"]["observedGeneration"] = json!(1);
    for (object, says) in [
        (other("Source", "s", json!({})), "Unknown DependencyUnknown"),
        (other("Source", "s", status("Unknown", "Starting")), "Unknown Starting"),
        (other("Source", "s", status("False", "Broke")), "False Broke"),
        (late, "Unknown GenerationNotEqual"),
        (other("Source", "s", status("True", "")), "True"),
    ] {
        cluster.apply(object);
        cluster.settle();
        cluster.wait(3);
        cluster.settle();
        assert_eq!(cluster.trigger_says("DependencyReady"), says);
    }
    assert_eq!(cluster.trigger_says("Ready"), "True");
}

#[test]
fn a_kind_that_cannot_be_watched_is_named() {
    use eagre_controlplane::cluster::notice::{Change, Source};
    use eagre_controlplane::referents::{Gvk, Need};
    let mut cluster = ready();
    let mut waits = trigger("t", json!({}));
    waits["metadata"]["annotations"] =
        json!({"knative.dev/dependency": r#"{"apiVersion": "x.test/v1", "kind": "None", "name": "s"}"#});
    cluster.apply(waits);
    let need = Need::Kind(Gvk { api_version: "x.test/v1".into(), kind: "None".into() });
    let judge = |cluster: &mut Cluster| {
        let time = Time(Timestamp::UNIX_EPOCH);
        let compiled = eagre_controlplane::compile::compile(
            &cluster.state.index,
            eagre_controlplane::compile::World {
                resolver: &cluster.resolver,
                referents: Some(&cluster.state.referents),
                former: &cluster.former,
            },
        );
        let says = compiled.triggers[0].dependency.clone().unwrap_err();
        cluster.controller.judge(&cluster.state, &compiled, &cluster.resolver, cluster.now, &time);
        says.reason.into_owned()
    };
    assert!(cluster.state.refresh_needs().contains(&need));
    assert_eq!(judge(&mut cluster), "DependencyGetFailed");
    cluster.tell(Source::Need(need), Change::Failed("there is no such kind".into()));
    assert_eq!(judge(&mut cluster), "ListerDoesNotExist");
}

#[test]
fn a_trigger_without_a_broker_says_so_and_progresses_when_it_appears() {
    let mut cluster = Cluster::new();
    cluster.apply(trigger("t", json!({})));
    cluster.settle();
    assert!(cluster.written.is_empty(), "another class may be about to say it");
    cluster.wait(6);
    cluster.settle();
    assert_eq!(cluster.trigger_says("Ready"), "False BrokerDoesNotExist");
    cluster.apply(broker("b", json!({})));
    cluster.settle();
    assert_eq!(cluster.trigger_says("Ready"), "True");
    // It was ours: nobody else will say it.
    cluster.delete("eventing.knative.dev/v1", "Broker", "ns", "b");
    cluster.settle();
    assert_eq!(cluster.trigger_says("BrokerReady"), "False BrokerDoesNotExist");
}

#[test]
fn nothing_is_written_to_objects_of_another_class() {
    let mut cluster = Cluster::new();
    cluster.apply(of_class("b", "MTChannelBasedBroker", json!({})));
    cluster.apply(trigger("t", json!({"delivery": {"backoffDelay": "no"}})));
    cluster.apply(trigger("u", json!({})));
    cluster.settle();
    cluster.wait(20);
    cluster.settle();
    assert!(cluster.written.is_empty(), "{:?}", cluster.written);
    // Its owner said that its broker is gone: said is said.
    cluster.delete("eventing.knative.dev/v1", "Broker", "ns", "b");
    let mut said = trigger("u", json!({}));
    said["status"] = json!({"observedGeneration": 1, "conditions": [
        {"type": "BrokerReady", "status": "False", "reason": "BrokerDoesNotExist", "message": "in other words"}]});
    cluster.apply(said);
    cluster.settle();
    cluster.wait(20);
    cluster.settle();
    assert!(cluster.written.iter().all(|(key, _)| key.1.1 == "t"), "{:?}", cluster.written);
}

#[test]
fn a_broker_that_changes_hands_leaves_no_word_of_its_former_owner() {
    let mut cluster = Cluster::new();
    let mut said = trigger("t", json!({}));
    said["status"] = json!({"observedGeneration": 1, "subscriberUri": "http://old.test", "annotations": {"old": "x"},
        "conditions": [
            {"type": "BrokerReady", "status": "False", "reason": "BrokerDoesNotExist"},
            {"type": "OfTheirs", "status": "False", "reason": "Whatever"},
            {"type": "Ready", "status": "False", "reason": "BrokerDoesNotExist"}]});
    cluster.apply(said);
    cluster.apply(broker("b", json!({})));
    cluster.settle();
    let status = cluster.status(Kind::Trigger, "ns", "t");
    assert_eq!(cluster.trigger_says("Ready"), "True");
    assert_eq!(
        (&status["subscriberUri"], &status["annotations"]["old"]),
        (&json!("http://sub.test/"), &Json::Null)
    );
    assert!(!types(&status).contains(&"OfTheirs"));
}

#[test]
fn a_broker_in_another_namespace_needs_its_flag() {
    let mut cluster = ready();
    let mut far = trigger(
        "t",
        json!({"brokerRef": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "namespace": "ns", "name": "b"}}),
    );
    far["metadata"]["namespace"] = json!("far");
    far["spec"].as_object_mut().unwrap().remove("broker");
    cluster.apply(far);
    cluster.settle();
    let says = |cluster: &Cluster| {
        cluster.status(Kind::Trigger, "far", "t")["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["type"] == "BrokerReady")
            .unwrap()["reason"]
            .clone()
    };
    assert_eq!(says(&cluster), "FailedToGetBroker");
    cluster.apply(config_map(SYSTEM, "config-features", json!({"cross-namespace-event-links": "Enabled"})));
    cluster.settle();
    assert_eq!(says(&cluster), Json::Null);
    cluster.delete("v1", "ConfigMap", SYSTEM, "config-features");
    cluster.settle();
    assert_eq!(says(&cluster), "FailedToGetBroker");
}

#[test]
fn what_is_asked_for_and_not_enforced_closes_the_door() {
    let mut cluster = ready();
    cluster.apply(config_map(SYSTEM, "config-features", json!({"authentication-oidc": "enabled"})));
    cluster.settle();
    assert!(cluster.compiled().snapshot.brokers.is_empty());
    for condition in ["Ready", "Addressable", "EventPoliciesReady"] {
        assert_eq!(cluster.broker_says(condition), "False AuthorizationNotSupported", "{condition}");
    }
    assert_eq!(cluster.trigger_says("OIDCIdentityCreated"), "False AuthorizationNotSupported");
    assert_eq!(cluster.status(Kind::Broker, "ns", "b")["address"], Json::Null);
    cluster.apply(config_map(SYSTEM, "config-features", json!({"transport-encryption": "strict"})));
    cluster.settle();
    assert_eq!(cluster.broker_says("Addressable"), "False TransportEncryptionNotSupported");
    cluster.apply(config_map(SYSTEM, "config-features", json!({})));
    cluster.settle();
    assert_eq!((cluster.broker_says("Ready"), cluster.trigger_says("Ready")), ("True".into(), "True".into()));
}

#[test]
fn a_spec_with_an_error_is_that_objects_trouble_alone() {
    let mut cluster = ready();
    cluster.apply(trigger("bad", json!({"filters": [{"cesql": "this is not sql ("}]})));
    cluster.settle();
    assert_eq!(cluster.condition(Kind::Trigger, "bad", "SubscriptionReady"), "False SpecInvalid");
    assert_eq!(cluster.trigger_says("Ready"), "True");
    assert_eq!(cluster.compiled().snapshot.triggers.len(), 1);
}

#[test]
fn what_was_in_force_stays_so_while_it_is_in_error_and_not_a_moment_after_its_deletion() {
    let mut cluster = ready();
    cluster.former = cluster.compiled().snapshot;
    cluster.apply(trigger(
        "t",
        json!({"subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "late"}}}),
    ));
    cluster.apply(broker("b", json!({"delivery": {"retry": -1}})));
    cluster.settle();
    let kept = cluster.compiled().snapshot;
    assert_eq!(kept, cluster.former);
    assert_eq!(cluster.trigger_says("SubscriptionReady"), "False NotSubscribed");
    cluster.delete("eventing.knative.dev/v1", "Trigger", "ns", "t");
    assert!(cluster.compiled().snapshot.triggers.is_empty());
    // Made again under the same name, it is another one.
    cluster.apply(trigger(
        "t",
        json!({"subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "late"}}}),
    ));
    assert!(cluster.compiled().snapshot.triggers.is_empty());
}

/// Found by 1,000 triggers that were applied while others became ready.
#[test]
fn a_state_that_passes_while_it_is_being_written_is_not_the_last_word() {
    let mut cluster = ready();
    let lacking =
        Report { version: stamp::VERSION, ready: true, fsync: None, refused: None, applied: vec![0; 64] };
    cluster.report("dp-0", &lacking);
    cluster.look();
    cluster.wait(11);
    cluster.report("dp-0", &lacking);
    cluster.look();
    let on_its_way: Vec<_> =
        std::iter::from_fn(|| cluster.controller.next_write(&cluster.state, cluster.now)).collect();
    assert_eq!(on_its_way.len(), 2, "broker and trigger");
    cluster.apply_everywhere();
    cluster.look();
    for (key, wanted, _) in on_its_way {
        if cluster.finish(&key, &wanted) {
            cluster.look();
        }
    }
    while let Some((key, wanted, _)) = cluster.controller.next_write(&cluster.state, cluster.now) {
        cluster.finish(&key, &wanted);
    }
    assert_eq!((cluster.broker_says("Ready"), cluster.trigger_says("Ready")), ("True".into(), "True".into()));
}
