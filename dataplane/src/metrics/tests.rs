//! The text is read back by a parser of its own, written after the format's
//! description and strict about what scrapers rely on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use eagre_snapshot::Counter;

use super::*;

/// Labels in order of name, and the value.
type Samples = BTreeMap<String, Vec<(BTreeMap<String, String>, f64)>>;

/// Reads `text`, or says what is wrong with it.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = "";
    let mut samples = Samples::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').expect("HELP has a text").0;
            assert!(!kinds.contains_key(family), "{family} is one block");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            kinds.insert(name, kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(seen.insert(series), "{series} appears once");
            let (name, labels) = labels(series);
            let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} in {family}"));
            match kinds[family] {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{name}"),
                _ => assert_eq!(suffix, ""),
            }
            let value: f64 = value.parse().unwrap();
            assert!(value >= 0.0);
            samples.entry(name.to_owned()).or_default().push((labels, value));
        }
    }
    histograms_hold(&samples);
    samples
}

fn labels(series: &str) -> (&str, BTreeMap<String, String>) {
    let Some((name, rest)) = series.split_once('{') else { return (series, BTreeMap::new()) };
    let word = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    assert!(word(name), "{name}");
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while rest != "}" {
        let (label, quoted) = rest.trim_start_matches(',').split_once("=\"").unwrap();
        assert!(word(label) && !label.starts_with("__"), "{label}");
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().unwrap().1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => panic!("\\{c}"),
                },
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(label.to_owned(), value).is_none(), "{label} once");
        rest = &quoted[end + 1..];
    }
    (name, labels)
}

/// Buckets ascend, end at +Inf, and the last equals the count.
fn histograms_hold(samples: &Samples) {
    for (name, buckets) in samples.iter().filter_map(|(name, s)| Some((name.strip_suffix("_bucket")?, s))) {
        let mut series: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for (labels, value) in buckets {
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap().replace("+Inf", "inf").parse().unwrap();
            series.entry(labels).or_default().push((bound, *value));
        }
        for (labels, buckets) in series {
            assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
            let (bound, last) = buckets[buckets.len() - 1];
            assert_eq!(bound, f64::INFINITY);
            let count = samples[&format!("{name}_count")].iter().find(|(l, _)| *l == labels).unwrap();
            assert_eq!(count.1, last, "{name}");
            assert!(samples[&format!("{name}_sum")].iter().any(|(l, _)| *l == labels), "{name}");
        }
    }
}

fn value(samples: &Samples, name: &str, wanted: &[(&str, &str)]) -> f64 {
    let holds = |labels: &BTreeMap<String, String>| {
        wanted.iter().all(|(k, v)| labels.get(*k).is_some_and(|x| x == v))
    };
    let found: Vec<_> = samples[name].iter().filter(|(labels, _)| holds(labels)).collect();
    assert_eq!(found.len(), 1, "{name} {wanted:?}: {found:?}");
    found[0].1
}

fn scrape(shards: &[Arc<ShardMetrics>], triggers: &[TriggerRow]) -> Samples {
    let mut out = String::new();
    render(shards, triggers, &mut out);
    parse(&out)
}

#[test]
fn a_scrape_of_nothing_is_valid() {
    scrape(&[], &[]);
    scrape(&[Arc::default(), Arc::default()], &[]);
}

#[test]
fn what_shards_count_is_summed_where_the_shard_does_not_matter() {
    let shards: [Arc<ShardMetrics>; 2] = Default::default();
    let held: Vec<_> = shards
        .iter()
        .map(|shard| (shard.broker("shop", "main"), shard.trigger("shop", "audit", "main")))
        .collect();
    for (shard, (broker, trigger)) in shards.iter().zip(&held) {
        broker.record(Some(202), Duration::from_millis(4));
        trigger.record(Some(200), Duration::from_millis(30));
        trigger.record(None, Duration::from_secs(5));
        shard.answered(202, Duration::from_micros(80));
        shard.accepted(3, 1000);
        shard.refused(Refused::Full);
        shard.reply_ignored(IgnoredReply::NotAnEvent);
        shard.flushed(8, 8192, Duration::from_micros(70));
    }
    shards[0].connection_opened();
    let samples = scrape(&shards, &[]);

    let dispatch = "kn_eventing_dispatch_duration_seconds";
    let broker = ("messaging_destination_name", "broker:main.shop");
    let trigger = ("messaging_destination_name", "trigger:audit.shop");
    let count = format!("{dispatch}_count");
    assert_eq!(value(&samples, &count, &[broker, ("http_response_status_code", "202")]), 2.0);
    assert_eq!(
        value(
            &samples,
            &count,
            &[trigger, ("kn_trigger_name", "audit"), ("http_response_status_code", "200")]
        ),
        2.0
    );
    assert_eq!(value(&samples, &count, &[trigger, ("http_response_status_code", "")]), 2.0);
    let bucket = format!("{dispatch}_bucket");
    assert_eq!(value(&samples, &bucket, &[broker, ("le", "0.005")]), 2.0);
    assert_eq!(
        value(&samples, &bucket, &[trigger, ("http_response_status_code", "200"), ("le", "0.025")]),
        0.0
    );
    assert_eq!(value(&samples, &format!("{dispatch}_sum"), &[broker]), 0.008);

    assert_eq!(value(&samples, "http_server_request_duration_seconds_count", &[]), 2.0);
    assert_eq!(value(&samples, "eagre_ingress_events_total", &[("shard", "1")]), 3.0);
    assert_eq!(value(&samples, "eagre_ingress_refused_total", &[("reason", "full")]), 2.0);
    assert_eq!(value(&samples, "eagre_replies_ignored_total", &[("reason", "not_an_event")]), 2.0);
    assert_eq!(value(&samples, "eagre_ingress_connections", &[("shard", "0")]), 1.0);
    assert_eq!(value(&samples, "eagre_log_flush_records_bucket", &[("shard", "0"), ("le", "8")]), 1.0);
    assert!(value(&samples, "process_resident_memory_bytes", &[]) > 0.0);
}

#[test]
fn the_buckets_are_those_of_the_contract() {
    let shard: Arc<ShardMetrics> = Arc::default();
    let broker = shard.broker("a", "b");
    broker.record(Some(202), Duration::ZERO);
    let samples = scrape(&[shard], &[]);
    let bounds: Vec<_> = samples["kn_eventing_dispatch_duration_seconds_bucket"]
        .iter()
        .map(|(l, _)| l["le"].as_str())
        .collect();
    let contract = ".005 .01 .025 .05 .075 .1 .25 .5 .75 1 2.5 5 7.5 10";
    let expected: Vec<f64> = contract.split(' ').map(|bound| bound.parse().unwrap()).collect();
    let got: Vec<f64> = bounds[..14].iter().map(|bound| bound.parse().unwrap()).collect();
    assert_eq!(got, expected);
    assert_eq!(bounds[14], "+Inf");
}

#[test]
fn label_values_are_escaped() {
    let counts = Counts { stats: [(Counter::Delivered, 7)].into_iter().collect(), now_ms: 0 };
    let row = TriggerRow { name: "a\"b\\c\nd".into(), counts, ..TriggerRow::default() };
    let samples = scrape(&[], &[row]);
    assert_eq!(value(&samples, "eagre_trigger_delivered_total", &[("kn_trigger_name", "a\"b\\c\nd")]), 7.0);
}

#[test]
fn a_trigger_is_shown_with_every_count_in_metrics_and_in_json() {
    let stats =
        [(Counter::Kept, 3), (Counter::InFlight, 2), (Counter::LagSinceMs, 1_000)].into_iter().collect();
    let row = TriggerRow { counts: Counts { stats, now_ms: 2_500 }, ..TriggerRow::default() };
    let json = serde_json::to_value(&row).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "namespace": "", "name": "", "broker": "", "state": "", "cursor": [],
            "lag_events": 0, "lag_seconds": 1.5, "in_flight": 2, "retries": 0, "delivered": 0, "failed": 0,
            "dead_lettered": 0, "kept": 3, "dropped": 0, "replies": 0, "in_memory": 0,
        })
    );
    let samples = scrape(&[], &[row]);
    assert_eq!(value(&samples, "eagre_trigger_kept_total", &[]), 3.0);
    assert_eq!(value(&samples, "eagre_trigger_lag_seconds", &[]), 1.5);
    let never = TriggerRow { counts: Counts { now_ms: 2_500, ..Counts::default() }, ..TriggerRow::default() };
    assert_eq!(value(&scrape(&[], &[never]), "eagre_trigger_lag_seconds", &[]), 0.0);
}

#[test]
fn the_documentation_lists_every_family_and_no_other() {
    let shard: Arc<ShardMetrics> = Arc::default();
    let mut out = String::new();
    render(&[shard], &[], &mut out);
    let rendered: BTreeSet<_> =
        out.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let rows = include_str!("../../../docs/metrics.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|n| n.trim_matches('`'))
        .collect();
    assert_eq!(rendered, listed);
}
