//! From valid manifests to the snapshot: precedence, defaults, addresses.

use std::path::{Path, PathBuf};

use eagre_controlplane::{
    check,
    load::load,
    resolve::Resolver,
    source::files::{SourceFile, Sources},
};
use eagre_filter::Filter;
use eagre_snapshot::{Backoff, BrokerSettings, Delivery, Format, Fsync, Id, Snapshot};

fn compile(text: &str) -> Snapshot {
    let file = SourceFile { path: Path::new("t.yaml").into(), text: text.to_owned() };
    let resolver = Resolver::new("http://127.0.0.1:8080/").unwrap();
    let loaded = load(&Sources { files: vec![file], problems: Vec::new() }, &resolver);
    loaded.snapshot.unwrap_or_else(|| panic!("{text}\n{:#?}", loaded.diagnostics))
}

/// Broker `ns/b` and trigger `ns/t`, each with more of its spec in flow style.
fn pair(broker_spec: &str, trigger_spec: &str) -> String {
    format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: b, namespace: ns}}\nspec: {{{broker_spec}}}\n---\n\
         apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t, namespace: ns}}\n\
         spec: {{broker: b, {trigger_spec}}}\n"
    )
}

const SUBSCRIBER: &str = "subscriber: {uri: 'http://h/'}";

const NONE: Delivery = Delivery {
    retry_max: 0,
    backoff: Backoff::Exponential,
    backoff_delay_ms: 0,
    timeout_ms: None,
    retry_after_max_ms: None,
    format: Format::Binary,
};

/// The only trigger's delivery settings and dead letter sink.
fn delivery(broker: &str, trigger: &str) -> (Delivery, Option<String>) {
    let in_spec = |delivery: &str| {
        if delivery.is_empty() { String::new() } else { format!("delivery: {{{delivery}}}") }
    };
    let text = pair(&in_spec(broker), &format!("{SUBSCRIBER}, {}", in_spec(trigger)));
    let mut snapshot = compile(&text);
    let trigger = snapshot.triggers.remove(0);
    (trigger.delivery, trigger.dead_letter.map(|endpoint| endpoint.uri))
}

#[test]
fn a_triggers_delivery_replaces_the_brokers_but_for_the_dead_letter_sink() {
    let sink = |host: &str| format!("deadLetterSink: {{uri: 'http://{host}/'}}");
    let uri = |host: &str| Some(format!("http://{host}/"));
    let (broker, trigger) = (sink("broker"), sink("trigger"));
    let retry = |retry_max| Delivery { retry_max, ..NONE };
    let table = [
        // broker, trigger, retries, sink
        (String::new(), String::new(), 0, None),
        (format!("retry: 3, {broker}"), String::new(), 3, uri("broker")),
        ("retry: 0".to_owned(), format!("retry: 3, {trigger}"), 3, uri("trigger")),
        ("retry: 0".to_owned(), "retry: 1".to_owned(), 1, None),
        (format!("retry: 1, {broker}"), format!("retry: 3, {trigger}"), 3, uri("trigger")),
        (format!("retry: 5, {broker}"), trigger.clone(), 0, uri("trigger")),
        (format!("retry: 5, {broker}"), "retry: 2".to_owned(), 2, uri("broker")),
        (format!("retry: 5, {broker}"), "timeout: null".to_owned(), 0, uri("broker")),
        (String::new(), format!("retry: 2, {trigger}"), 2, uri("trigger")),
    ];
    for (broker, trigger, retries, sink) in table {
        assert_eq!(delivery(&broker, &trigger), (retry(retries), sink), "broker {broker}, trigger {trigger}");
    }
}

#[test]
fn settings_are_not_merged_field_by_field() {
    let (found, _) =
        delivery("retry: 5, backoffPolicy: linear, backoffDelay: PT1S, timeout: PT9S", "retryAfterMax: PT0S");
    assert_eq!(found, Delivery { retry_after_max_ms: Some(0), ..NONE });
}

#[test]
fn a_backoff_needs_policy_and_delay() {
    let table = [
        ("backoffPolicy: linear, backoffDelay: PT0.2S", Backoff::Linear, 200),
        ("backoffPolicy: exponential, backoffDelay: PT1M", Backoff::Exponential, 60_000),
        ("backoffPolicy: linear", Backoff::Exponential, 0),
        ("backoffDelay: PT1S", Backoff::Exponential, 0),
        ("backoffPolicy: linear, backoffDelay: PT0S", Backoff::Linear, 0),
        // Part of a millisecond is not nothing.
        ("backoffPolicy: linear, backoffDelay: PT0.0001S", Backoff::Linear, 1),
        ("backoffPolicy: linear, backoffDelay: PT0.09S", Backoff::Linear, 90),
    ];
    for (settings, backoff, backoff_delay_ms) in table {
        let (found, _) = delivery(settings, "");
        assert_eq!(found, Delivery { backoff, backoff_delay_ms, ..NONE }, "{settings}");
    }
}

#[test]
fn timeout_cap_and_format_are_taken_as_written() {
    let (found, _) = delivery("", "timeout: PT1.5S, retryAfterMax: PT5M, format: json");
    assert_eq!(
        found,
        Delivery { timeout_ms: Some(1500), retry_after_max_ms: Some(300_000), format: Format::Json, ..NONE }
    );
}

#[test]
fn destinations_become_endpoints() {
    let broker = "{apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}";
    let service = "{apiVersion: v1, kind: Service, name: s}";
    let elsewhere = "{apiVersion: v1, kind: Service, name: s, namespace: other}";
    let table = [
        ("uri: 'http://h:81/p?q=1'".to_owned(), "http://h:81/p?q=1", "h", 81, "/p?q=1"),
        ("uri: 'http://[::1]:81'".to_owned(), "http://[::1]:81", "::1", 81, "/"),
        (format!("ref: {service}"), "http://s.ns.svc.cluster.local", "s.ns.svc.cluster.local", 80, "/"),
        (
            format!("ref: {elsewhere}"),
            "http://s.other.svc.cluster.local",
            "s.other.svc.cluster.local",
            80,
            "/",
        ),
        (
            format!("ref: {service}, uri: /a?b"),
            "http://s.ns.svc.cluster.local/a?b",
            "s.ns.svc.cluster.local",
            80,
            "/a?b",
        ),
        (format!("ref: {broker}"), "http://127.0.0.1:8080/ns/b", "127.0.0.1", 8080, "/ns/b"),
        // Resolved as RFC 3986 section 5.3 says: `x` stands beside `b`, `/x` at the root.
        (format!("ref: {broker}, uri: x"), "http://127.0.0.1:8080/ns/x", "127.0.0.1", 8080, "/ns/x"),
        (format!("ref: {broker}, uri: /x"), "http://127.0.0.1:8080/x", "127.0.0.1", 8080, "/x"),
        // Coerced, so that it fails when called and reaches the dead letter sink (contract 3.6).
        ("uri: 'bad://uri'".to_owned(), "http://uri/", "uri", 80, "/"),
    ];
    for (destination, uri, host, port, target) in table {
        let subscriber =
            &compile(&pair("", &format!("subscriber: {{{destination}}}"))).triggers[0].subscriber;
        let found =
            (subscriber.uri.as_str(), subscriber.host.as_str(), subscriber.port, subscriber.target.as_str());
        assert_eq!(found, (uri, host, port, target), "{destination}");
    }
}

#[test]
fn a_sinks_namespace_is_its_owners() {
    let sink = "delivery: {deadLetterSink: {ref: {apiVersion: v1, kind: Service, name: s}}}";
    let snapshot = compile(&pair(sink, SUBSCRIBER));
    assert_eq!(snapshot.triggers[0].dead_letter.as_ref().unwrap().host, "s.ns.svc.cluster.local");
}

#[test]
fn filters_decide_before_filter_and_an_empty_list_does_not() {
    let strings = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let table = [
        ("", Filter::Everything),
        ("filter: {}", Filter::Everything),
        ("filter: {attributes: {}}", Filter::Everything),
        ("filter: {attributes: {type: a}}", Filter::Attributes(strings("type", "a"))),
        ("filter: {attributes: {type: ''}}", Filter::Attributes(strings("type", ""))),
        ("filter: {attributes: {type: a}}, filters: []", Filter::Attributes(strings("type", "a"))),
        (
            "filter: {attributes: {type: a}}, filters: [{exact: {type: b}}]",
            Filter::All(vec![Filter::Exact(strings("type", "b"))]),
        ),
        (
            "filters: [{}, {any: [{prefix: {type: b}}, {not: {suffix: {source: c}}}]}, {cesql: \"type = 'a'\"}, {all: []}]",
            Filter::All(vec![
                Filter::Everything,
                Filter::Any(vec![
                    Filter::Prefix(strings("type", "b")),
                    Filter::Not(Box::new(Filter::Suffix(strings("source", "c")))),
                ]),
                Filter::Cesql("type = 'a'".to_owned()),
                Filter::All(Vec::new()),
            ]),
        ),
    ];
    for (spec, filter) in table {
        assert_eq!(compile(&pair("", &format!("{SUBSCRIBER}, {spec}"))).triggers[0].filter, filter, "{spec}");
    }
}

#[test]
fn identity_is_the_uid_or_the_name() {
    let text = pair("", SUBSCRIBER);
    let snapshot = compile(&text);
    assert_eq!(snapshot.brokers[0].id, Id::of("Broker", "ns", "b", None));
    assert_eq!(snapshot.triggers[0].id, Id::of("Trigger", "ns", "t", None));
    assert_eq!(snapshot.triggers[0].broker, snapshot.brokers[0].id);
    let snapshot = compile(&text.replace("name: t,", "name: t, uid: 3f0a,"));
    assert_eq!(snapshot.triggers[0].id, Id::of("Trigger", "ns", "t", Some("3f0a")));
}

#[test]
fn the_items_of_a_list_are_objects() {
    let item = |kind: &str, spec: &str| {
        format!("{{apiVersion: eventing.knative.dev/v1, kind: {kind}, metadata: {{name: x}}, spec: {spec}}}")
    };
    let trigger = item("Trigger", "{broker: x, subscriber: {uri: 'http://h/'}}");
    let snapshot =
        compile(&format!("apiVersion: v1\nkind: List\nitems: [{}, {trigger}]\n", item("Broker", "{}")));
    assert_eq!((snapshot.brokers.len(), snapshot.triggers.len()), (1, 1));
    assert_eq!(snapshot.brokers[0].namespace, "default");
}

/// Broker `ns/b`, the trigger, and ConfigMap `ns/c` with this data in flow style.
fn with_settings(data: &str) -> String {
    let config = "config: {apiVersion: v1, kind: ConfigMap, name: c}";
    let config_map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: ns}\n";
    format!("{}{config_map}data: {{{data}}}\n", pair(config, SUBSCRIBER))
}

#[test]
fn a_brokers_config_map_sets_what_it_names_and_nothing_else() {
    let interval = |ms| Some(Fsync::Interval { ms });
    let table = [
        ("", None, None),
        ("eagre.fsync: always", Some(Fsync::Always), None),
        ("eagre.fsync: ' never '", Some(Fsync::Never), None),
        ("eagre.fsync: 'interval:1'", interval(1), None),
        ("eagre.fsync: 'interval:60000'", interval(60_000), None),
        ("eagre.fsync: 5ms", interval(5), None),
        ("eagre.fsync: 2s", interval(2000), None),
        ("eagre.backlog.max-bytes: '8388608'", None, Some(8 << 20)),
        ("eagre.backlog.max-bytes: 512Mi", None, Some(512 << 20)),
        ("eagre.backlog.max-bytes: 64MiB", None, Some(64 << 20)),
        ("eagre.backlog.max-bytes: 1Pi", None, Some(1 << 50)),
        ("eagre.fsync: never, eagre.backlog.max-bytes: 2G", Some(Fsync::Never), Some(2_000_000_000)),
        ("eagre.fsync: never, bootstrap.servers: 'kafka:9092'", Some(Fsync::Never), None),
    ];
    for (data, fsync, backlog_bytes_max) in table {
        let found = compile(&with_settings(data)).brokers[0].settings;
        assert_eq!(found, BrokerSettings { fsync, backlog_bytes_max }, "{data}");
    }
    let without_data = with_settings("").replace("data: {}\n", "immutable: true\n");
    assert_eq!(compile(&without_data).brokers[0].settings, BrokerSettings::default());
}

#[test]
fn brokers_may_share_a_config_map_of_another_namespace() {
    let broker = |name: &str| {
        format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: {name}, namespace: ns}}\n\
             spec: {{config: {{apiVersion: v1, kind: ConfigMap, name: c, namespace: shared}}}}\n---\n"
        )
    };
    let plain =
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: plain, namespace: ns}\n---\n";
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shared}\ndata: {eagre.fsync: never}\n";
    let snapshot = compile(&(broker("a") + plain + &broker("b") + config));
    let found: Vec<_> = snapshot.brokers.iter().map(|b| (b.name.as_str(), b.settings.fsync)).collect();
    assert_eq!(found, [("a", Some(Fsync::Never)), ("b", Some(Fsync::Never)), ("plain", None)]);
}

#[test]
fn a_stock_config_from_a_cluster_is_no_obstacle() {
    for (name, data) in [
        ("config-br-default-channel", "channel-template-spec: '{}'"),
        ("kafka-broker-config", "bootstrap.servers: kafka, default.topic.partitions: '10'"),
    ] {
        let config =
            format!("config: {{apiVersion: v1, kind: ConfigMap, name: {name}, namespace: knative-eventing}}");
        let without = pair(&config, SUBSCRIBER);
        let config_map = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: knative-eventing}}\ndata: {{{data}}}\n"
        );
        for text in [without.clone(), without + &config_map] {
            assert_eq!(compile(&text).brokers[0].settings, BrokerSettings::default(), "{text}");
        }
    }
}

#[test]
fn the_built_in_broker_has_the_stock_defaults() {
    let file = eagre_controlplane::builtin::manifest("http://127.0.0.1:9/it's").unwrap();
    let snapshot = compile(&file.text);
    let trigger = &snapshot.triggers[0];
    assert_eq!(
        (snapshot.brokers[0].namespace.as_str(), snapshot.brokers[0].name.as_str()),
        ("default", "default")
    );
    assert_eq!((trigger.namespace.as_str(), trigger.name.as_str()), ("default", "event-display"));
    assert_eq!(trigger.subscriber.uri, "http://127.0.0.1:9/it's");
    assert_eq!(trigger.delivery, Delivery { retry_max: 10, backoff_delay_ms: 200, ..NONE });
    assert!(eagre_controlplane::builtin::manifest("https://h/").is_err());
}

#[test]
fn annotations_that_are_eagres_own_reach_the_snapshot_and_no_others() {
    let annotated = |name: &str| {
        format!(
            "metadata: {{name: {name}, namespace: ns, annotations: {{eventing.knative.dev/creator: me, \
             eagre.eventing.knative.dev/delivery.order: {name}}}}}"
        )
    };
    let text = pair("", SUBSCRIBER)
        .replace("metadata: {name: b, namespace: ns}", &annotated("b"))
        .replace("metadata: {name: t, namespace: ns}", &annotated("t"));
    let snapshot = compile(&text);
    let own =
        |value: &str| [("eagre.eventing.knative.dev/delivery.order".to_owned(), value.to_owned())].into();
    assert_eq!((&snapshot.brokers[0].annotations, &snapshot.triggers[0].annotations), (&own("b"), &own("t")));
}

#[test]
fn the_orders_example_is_valid_and_does_what_it_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/orders.yaml");
    let report = check(std::slice::from_ref(&path));
    assert_eq!((report.brokers, report.triggers), (1, 3), "{report}");
    assert_eq!(report.diagnostics, []);
    let snapshot = compile(&std::fs::read_to_string(path).unwrap());
    let summary: Vec<_> = snapshot
        .triggers
        .iter()
        .map(|trigger| {
            (trigger.name.as_str(), trigger.subscriber.port, trigger.dead_letter.as_ref().unwrap().port)
        })
        .collect();
    assert_eq!(
        summary,
        [("order-created", 8202, 8201), ("order-shipped", 8201, 8201), ("payments", 8203, 8201)]
    );
    let settings = BrokerSettings { fsync: Some(Fsync::Always), backlog_bytes_max: Some(1 << 30) };
    assert_eq!(snapshot.brokers[0].settings, settings);
    let delivery = Delivery { retry_max: 3, backoff_delay_ms: 200, ..NONE };
    assert!(snapshot.triggers.iter().all(|trigger| trigger.delivery == delivery));
}
