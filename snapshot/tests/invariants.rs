//! Properties of any snapshot, and of any bytes.

mod support;

use eagre_filter::Filter;
use eagre_snapshot::{
    Annotations, Backoff, Broker, BrokerSettings, Delivery, Endpoint, Format, Fsync, Id, Publisher, Snapshot,
    Subscriber, Trigger, decode, encode,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use support::later::{next_minor, seal};

fn filter() -> impl Strategy<Value = Filter> {
    let pairs = || vec(("[a-z0-9]{1,8}", ".{0,12}"), 0..4);
    let leaf = prop_oneof![
        Just(Filter::Everything),
        pairs().prop_map(Filter::Attributes),
        pairs().prop_map(Filter::Exact),
        pairs().prop_map(Filter::Prefix),
        pairs().prop_map(Filter::Suffix),
        ".{0,40}".prop_map(Filter::Cesql),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::All),
            vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (".{0,20}", ".{0,20}", any::<u16>(), ".{0,20}", ".{0,20}")
        .prop_map(|(uri, host, port, authority, target)| Endpoint { uri, host, port, authority, target })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let backoff = prop_oneof![Just(Backoff::Linear), Just(Backoff::Exponential)];
    let format = prop_oneof![Just(Format::Binary), Just(Format::Json)];
    (any::<u32>(), backoff, any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>(), format).prop_map(
        |(retry_max, backoff, backoff_delay_ms, timeout_ms, retry_after_max_ms, format)| Delivery {
            retry_max,
            backoff,
            backoff_delay_ms,
            timeout_ms,
            retry_after_max_ms,
            format,
        },
    )
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let identity = (any::<u64>(), any::<u64>(), ".{0,10}", ".{0,10}");
    let rest = (endpoint(), delivery(), proptest::option::of(endpoint()), annotations());
    (identity, filter(), rest).prop_map(
        |((id, broker, namespace, name), filter, (subscriber, delivery, dead_letter, annotations))| Trigger {
            id: Id(id),
            broker: Id(broker),
            namespace,
            name,
            filter,
            subscriber,
            delivery,
            dead_letter,
            annotations,
        },
    )
}

fn annotations() -> impl Strategy<Value = Annotations> {
    btree_map(".{0,6}", ".{0,6}", 0..3)
}

fn settings() -> impl Strategy<Value = BrokerSettings> {
    let fsync = prop_oneof![
        Just(Fsync::Always),
        any::<u64>().prop_map(|ms| Fsync::Interval { ms }),
        Just(Fsync::Never)
    ];
    (proptest::option::of(fsync), any::<Option<u64>>())
        .prop_map(|(fsync, backlog_bytes_max)| BrokerSettings { fsync, backlog_bytes_max })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let broker = (any::<u64>(), ".{0,10}", ".{0,10}", settings(), annotations()).prop_map(
        |(id, namespace, name, settings, annotations)| Broker {
            id: Id(id),
            namespace,
            name,
            settings,
            annotations,
        },
    );
    (vec(broker, 0..4), vec(trigger(), 0..6), any::<u64>())
        .prop_map(|(brokers, triggers, grace_ms)| Snapshot { brokers, triggers, grace_ms })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(generation in any::<u64>(), snapshot in snapshot()) {
        let file = encode(generation, &snapshot).unwrap();
        prop_assert_eq!(decode(&file).unwrap(), (generation, snapshot));
    }

    #[test]
    fn what_the_next_minor_version_adds_is_passed_over(snapshot in snapshot()) {
        let file = encode(1, &snapshot).unwrap();
        prop_assert_eq!(decode(&next_minor(&file)).unwrap(), (1, snapshot));
    }

    #[test]
    fn decoding_and_checking_any_body_under_a_correct_checksum_ends_without_a_panic(
        body in vec(any::<u8>(), 0..400),
    ) {
        let mut file = encode(1, &Snapshot::default()).unwrap();
        file.truncate(40);
        file.extend_from_slice(&body);
        if let Ok((_, snapshot)) = decode(&seal(file)) {
            let _ = snapshot.validate();
        }
    }

    #[test]
    fn an_edited_body_under_a_correct_checksum_is_a_snapshot_or_refused(
        snapshot in snapshot(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut file = encode(1, &snapshot).unwrap();
        prop_assume!(file.len() > 40);
        let at = 40 + at.index(file.len() - 40);
        file[at] = byte;
        if let Ok((_, snapshot)) = decode(&seal(file)) {
            let _ = snapshot.validate();
        }
    }

    #[test]
    fn parsing_any_uri_gives_an_error_or_an_endpoint_that_validates(uri in "(bad://|http://|)[ -~é]{0,30}") {
        if let Ok(endpoint) = Endpoint::parse(&uri) {
            let mut snapshot = Snapshot::default();
            let broker = Id::of("Broker", "n", "b", None);
            let namespace = || "n".to_owned();
            snapshot.brokers.push(Broker { id: broker, namespace: namespace(), name: "b".into(), ..Broker::default() });
            snapshot.triggers.push(Trigger {
                id: Id::of("Trigger", "n", "t", None),
                broker,
                namespace: namespace(),
                name: "t".into(),
                subscriber: endpoint,
                ..Trigger::default()
            });
            prop_assert_eq!(snapshot.validate(), Ok(()));
        }
    }
}

#[test]
fn an_endpoint_is_split_as_the_data_plane_needs_it() {
    let cases = [
        // uri as given, uri kept, host, port, authority, target
        ("http://fake.svc.cluster.local", None, "fake.svc.cluster.local", 80, "fake.svc.cluster.local", "/"),
        ("HTTP://Example.COM:8080/a/b?c=d#e", None, "example.com", 8080, "example.com:8080", "/a/b?c=d"),
        ("http://a:80", None, "a", 80, "a", "/"),
        ("http://[::1]:8081/x", None, "::1", 8081, "[::1]:8081", "/x"),
        ("http://0x7f.1/", None, "127.0.0.1", 80, "127.0.0.1", "/"),
        ("http://a/ b", None, "a", 80, "a", "/%20b"),
        ("bad://uri", Some("http://uri/"), "uri", 80, "uri", "/"),
        ("bad://uri:81/path?query", Some("http://uri:81/"), "uri", 81, "uri:81", "/"),
        ("example.com:8080", Some("http://example.com:8080/"), "example.com", 8080, "example.com:8080", "/"),
        ("example.com/path", Some("http://example.com/"), "example.com", 80, "example.com", "/"),
    ];
    for (given, kept, host, port, authority, target) in cases {
        let endpoint = Endpoint::parse(given).unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(endpoint.uri, kept.unwrap_or(given));
        assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port), "{given}");
        assert_eq!((endpoint.authority.as_str(), endpoint.target.as_str()), (authority, target), "{given}");
    }
}

#[test]
fn an_id_is_that_of_the_uid_or_of_kind_namespace_and_name() {
    assert_eq!(Id::of("Trigger", "a", "b", Some("uid")), Id::of("Broker", "c", "d", Some("uid")));
    assert_ne!(Id::of("Trigger", "a", "b", None), Id::of("Broker", "a", "b", None));
    assert_eq!(Id::of("Trigger", "a", "b", Some("")), Id::of("Trigger", "a", "b", None));
    // Cursors on disk carry it: the value must never change.
    assert_eq!(Id::of("Trigger", "default", "one", None).to_string(), "88ddaf50d5fa416d");
}

#[test]
fn only_the_last_two_snapshots_stay_in_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    for _ in 0..5 {
        publisher.publish(&Snapshot::default()).unwrap();
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["control", "publisher.lock", "snapshot-4", "snapshot-5"]);
    assert_eq!(Subscriber::open(dir.path()).unwrap().load().unwrap().unwrap().0.number, 5);
}
