//! Snapshots for the tests.

#![allow(dead_code, reason = "no test binary uses all of it")]

pub mod later;

use eagre_filter::Filter;
use eagre_snapshot::{
    Backoff, Broker, BrokerSettings, Delivery, Endpoint, Format, Fsync, Id, Snapshot, Trigger,
};

/// One broker and `count` triggers; `mark` is in every subscriber's target, so
/// that a mixture of two snapshots shows.
pub fn marked(count: usize, mark: u64) -> Snapshot {
    let broker = broker("default", BrokerSettings::default());
    let triggers = (0..count).map(|index| trigger(broker.id, index, mark)).collect();
    Snapshot { brokers: vec![broker], triggers, ..Snapshot::default() }
}

/// One broker, one trigger.
pub fn small() -> Snapshot {
    marked(1, 0)
}

/// Every variant and every absent option there is, once.
pub fn everything() -> Snapshot {
    let mut snapshot = marked(2, 0);
    let pairs = |value: &str| vec![("subject".to_owned(), value.to_owned())];
    snapshot.triggers[0].filter = Filter::All(vec![
        Filter::Everything,
        Filter::Attributes(pairs("a")),
        Filter::Any(vec![Filter::Exact(pairs("e")), Filter::Prefix(pairs("p")), Filter::Suffix(pairs("s"))]),
        Filter::Not(Box::new(Filter::Cesql("EXISTS source".into()))),
    ]);
    snapshot.triggers[1].dead_letter = None;
    snapshot.triggers[1].delivery = Delivery {
        retry_max: 0,
        backoff: Backoff::Linear,
        backoff_delay_ms: 0,
        timeout_ms: None,
        retry_after_max_ms: Some(0),
        format: Format::Json,
    };
    for (name, fsync, backlog_bytes_max) in [
        ("always", Some(Fsync::Always), Some(8 << 20)),
        ("interval", Some(Fsync::Interval { ms: 60_000 }), Some(1 << 50)),
        ("never", Some(Fsync::Never), None),
    ] {
        snapshot.brokers.push(broker(name, BrokerSettings { fsync, backlog_bytes_max }));
    }
    snapshot.brokers[1].annotations.insert("eagre.eventing.knative.dev/a".into(), "b".into());
    snapshot.triggers[0].annotations = [("x", ""), ("y", "ä\n")].map(|(k, v)| (k.into(), v.into())).into();
    snapshot.grace_ms = 0;
    snapshot
}

/// The mark of a snapshot made by [`marked`]; panics if it has several.
pub fn mark_of(snapshot: &Snapshot) -> String {
    let first = &snapshot.triggers[0].subscriber.target;
    assert!(snapshot.triggers.iter().all(|trigger| trigger.subscriber.target == *first), "a mixed snapshot");
    first.clone()
}

fn ns() -> String {
    "default".into()
}

fn broker(name: &str, settings: BrokerSettings) -> Broker {
    let id = Id::of("Broker", "default", name, None);
    Broker { id, namespace: ns(), name: name.into(), settings, ..Broker::default() }
}

fn trigger(broker: Id, index: usize, mark: u64) -> Trigger {
    let name = format!("trigger-{index}");
    Trigger {
        id: Id::of("Trigger", "default", &name, None),
        broker,
        namespace: ns(),
        name,
        filter: Filter::Exact(vec![("type".into(), format!("com.example.type-{index}"))]),
        subscriber: Endpoint::parse(&format!("http://subscriber-{index}.default.svc.cluster.local/{mark}"))
            .expect("a valid URI"),
        delivery: Delivery {
            retry_max: 10,
            backoff: Backoff::Exponential,
            backoff_delay_ms: 200,
            timeout_ms: Some(30_000),
            retry_after_max_ms: None,
            format: Format::Binary,
        },
        dead_letter: Some(Endpoint::parse("http://dead-letters.default.svc/").expect("a valid URI")),
        ..Trigger::default()
    }
}
