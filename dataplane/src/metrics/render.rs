//! From numbers to families, summed over the shards where the shard does not matter.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    instrument::{Dispatch, Reading},
    process,
    shard::{IgnoredReply, Refused, Series, ShardMetrics, Subject},
    text::{Labels, Text},
    trigger::{self, TriggerRow},
};

const NS_PER_S: f64 = 1e9;

/// Appends every family to `out` in the Prometheus text format.
pub fn render(shards: &[Arc<ShardMetrics>], triggers: &[TriggerRow], out: &mut String) {
    let mut text = Text::new(out);
    dispatch(&mut text, shards);
    requests(&mut text, shards);
    ingress(&mut text, shards);
    log(&mut text, shards);
    broker_backlogs(&mut text, shards);
    trigger::families(&mut text, triggers);
    text.family("eagre_build_info", "gauge", "Always 1; the labels say what runs.");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    process::render(&mut text);
}

/// Contract 5.1: one family for the ingress and for the attempts of triggers;
/// `messaging_destination_name` tells them apart.
fn dispatch(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>]) {
    text.family(
        "kn_eventing_dispatch_duration_seconds",
        "histogram",
        "Time to store an event at the ingress, or of one attempt to deliver it.",
    );
    let brokers = summed(shards, |shard| &shard.brokers);
    let triggers = summed(shards, |shard| &shard.triggers);
    let subjects =
        brokers.iter().map(|entry| ("broker", entry)).chain(triggers.iter().map(|e| ("trigger", e)));
    for (kind, ((subject, status), reading)) in subjects {
        let Subject { namespace, name, broker } = subject;
        let destination = format!("{kind}:{name}.{namespace}");
        let status = status_text(*status);
        let labels: [(&str, &str); 8] = [
            ("messaging_system", "knative"),
            ("messaging_operation_name", "send"),
            ("messaging_destination_name", &destination),
            ("kn_broker_name", broker),
            ("kn_broker_namespace", namespace),
            ("http_response_status_code", &status),
            ("kn_trigger_name", name),
            ("kn_trigger_namespace", namespace),
        ];
        let labels: Labels<'_> = if kind == "trigger" { &labels } else { &labels[..6] };
        text.histogram(labels, reading, NS_PER_S);
    }
}

fn summed(
    shards: &[Arc<ShardMetrics>],
    series: impl Fn(&ShardMetrics) -> &Series,
) -> BTreeMap<(Subject, u16), Reading> {
    let mut sums = BTreeMap::new();
    for shard in shards {
        for (subject, dispatch) in series(shard).held() {
            for (status, reading) in dispatch.read() {
                add(&mut sums, (subject.clone(), status), reading);
            }
        }
    }
    sums
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Reading>, key: K, reading: Reading) {
    use std::collections::btree_map::Entry;
    match sums.entry(key) {
        Entry::Vacant(vacant) => drop(vacant.insert(reading)),
        Entry::Occupied(mut sum) => sum.get_mut().merge(&reading),
    }
}

/// The label of a status. Empty, which to Prometheus is the same as absent, where no
/// response came.
fn status_text(status: u16) -> String {
    match status {
        Dispatch::NO_RESPONSE => String::new(),
        Dispatch::OTHERS => "_OTHER".into(),
        status => status.to_string(),
    }
}

fn requests(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>]) {
    text.family(
        "http_server_request_duration_seconds",
        "histogram",
        "From the first byte of a request to the ingress to its response.",
    );
    let mut sums = BTreeMap::new();
    for (status, reading) in shards.iter().flat_map(|shard| shard.requests.read()) {
        add(&mut sums, status, reading);
    }
    for (status, reading) in &sums {
        let labels = [("url_scheme", "http"), ("http_response_status_code", &status_text(*status))];
        text.histogram(&labels, reading, NS_PER_S);
    }
}

fn ingress(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>]) {
    let mut each = |name, kind, help, value: fn(&ShardMetrics) -> u64| {
        text.family(name, kind, help);
        by_shard(text, shards, value);
    };
    each("eagre_ingress_events_total", "counter", "Events acknowledged.", |m| m.events.get());
    each("eagre_ingress_body_bytes_total", "counter", "Bytes of the bodies they came in.", |m| m.bytes.get());
    // Read in this order, a connection that ends meanwhile does not make the difference negative.
    each("eagre_ingress_connections", "gauge", "Open connections.", |m| {
        let closed = m.closed.get();
        m.opened.get().saturating_sub(closed)
    });
    each("eagre_ingress_connections_total", "counter", "Connections accepted.", |m| m.opened.get());
    each(
        "eagre_ingress_accept_pauses_total",
        "counter",
        "Times accepting paused, at the limit of connections or descriptors.",
        |m| m.accept_pauses.get(),
    );
    each(
        "eagre_delivery_pauses_total",
        "counter",
        "Times a delivery waited for descriptors, memory or ports of this process.",
        |m| m.delivery_pauses.get(),
    );
    each(
        "eagre_triggers_given_up_total",
        "counter",
        "Triggers that were gone for longer than the time of grace.",
        |m| m.given_up_triggers.get(),
    );
    each(
        "eagre_trigger_events_given_up_total",
        "counter",
        "Events that they were owed, as far as those were in memory.",
        |m| m.given_up_events.get(),
    );
    text.family("eagre_ingress_refused_total", "counter", "Requests refused, by reason.");
    for (reason, name) in Refused::ALL {
        let sum = shards.iter().map(|shard| shard.refused[reason as usize].get()).sum();
        text.sample(&[("reason", name)], sum);
    }
    text.family("eagre_replies_ignored_total", "counter", "Bodies of subscribers' responses passed over.");
    for (reason, name) in IgnoredReply::ALL {
        let sum = shards.iter().map(|shard| shard.ignored_replies[reason as usize].get()).sum();
        text.sample(&[("reason", name)], sum);
    }
}

fn log(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>]) {
    text.family("eagre_log_flush_duration_seconds", "histogram", "Time of one write and sync of the log.");
    for (i, shard) in shards.iter().enumerate() {
        text.histogram(&[("shard", &i.to_string())], &shard.flush_duration.read(), NS_PER_S);
    }
    text.family("eagre_log_flush_records", "histogram", "Records made durable by one flush.");
    for (i, shard) in shards.iter().enumerate() {
        text.histogram(&[("shard", &i.to_string())], &shard.flush_records.read(), 1.0);
    }
    text.family("eagre_shard_lateness_seconds", "histogram", "How late a shard comes to what is due.");
    for (i, shard) in shards.iter().enumerate() {
        text.histogram(&[("shard", &i.to_string())], &shard.lateness.read(), NS_PER_S);
    }
    let mut each = |name, kind, help, value: fn(&ShardMetrics) -> u64| {
        text.family(name, kind, help);
        by_shard(text, shards, value);
    };
    each("eagre_log_flushed_bytes_total", "counter", "Bytes made durable.", |m| m.flush_bytes.get());
    each("eagre_log_used_bytes", "gauge", "Bytes of disk the log takes.", |m| m.log_used_bytes.get());
    each("eagre_log_max_bytes", "gauge", "Bytes of disk the log may take.", |m| m.log_max_bytes.get());
    each("eagre_log_retained_bytes", "gauge", "Of them, bytes kept for readers of the past.", |m| {
        m.log_retained_bytes.get()
    });
    each("eagre_backlog_used_bytes", "gauge", "Bytes of disk the backlogs take.", |m| {
        m.backlog_used_bytes.get()
    });
    each("eagre_backlog_max_bytes", "gauge", "Bytes of disk the backlogs may take.", |m| {
        m.backlog_max_bytes.get()
    });
    each("eagre_backlog_moved_events_total", "counter", "Events moved from the log to a backlog.", |m| {
        m.moved_events.get()
    });
    each("eagre_backlog_moved_bytes_total", "counter", "Their bytes.", |m| m.moved_bytes.get());
    each("eagre_snapshot_generation", "gauge", "Generation of the configuration in force.", |m| {
        m.generation.get()
    });
}

fn broker_backlogs(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>]) {
    let mut sums: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
    for row in shards.iter().flat_map(|shard| shard.backlogs()) {
        let [used, max] = sums.entry((row.namespace, row.name)).or_default();
        *used += row.used_bytes;
        *max = max.saturating_add(row.max_bytes);
    }
    let families = [
        ("eagre_broker_backlog_used_bytes", "Bytes of events that only triggers far behind still need."),
        ("eagre_broker_backlog_max_bytes", "Beyond it on one shard, the broker answers 429 there."),
    ];
    for (i, (name, help)) in families.into_iter().enumerate() {
        text.family(name, "gauge", help);
        for ((namespace, broker), values) in &sums {
            text.sample(&[("kn_broker_name", broker), ("kn_broker_namespace", namespace)], values[i]);
        }
    }
}

fn by_shard(text: &mut Text<'_>, shards: &[Arc<ShardMetrics>], value: fn(&ShardMetrics) -> u64) {
    for (i, shard) in shards.iter().enumerate() {
        text.sample(&[("shard", &i.to_string())], value(shard));
    }
}
