//! Objects to a snapshot.
//!
//! Promise: a pure function of the objects and the ingress URL. The snapshot
//! lists brokers and triggers by namespace and name, whatever order they came
//! in; it holds all of them or, after an error, is not there at all.
//!
//! Delivery precedence is that of contract 3.5 as design section 5 decides it:
//! a trigger's delivery object replaces the broker's as a whole, but the dead
//! letter sink falls back to the broker's by itself.

use std::collections::HashMap;
use std::time::Duration;

use eagre_snapshot::{self as snapshot, Backoff, Endpoint, Excess, Format, Id, Member, Snapshot};

use crate::config::Configs;
use crate::index::Index;
use crate::manifest::{self, Diagnostic, Metadata, Place};
use crate::resolve::Resolver;

/// What compiling yields.
#[derive(Debug)]
pub struct Compiled {
    /// The configuration of the data plane, unless there is an error.
    pub snapshot: Option<Snapshot>,
    /// Errors, and what is left out and why.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles all objects.
pub fn compile(index: &Index, resolver: &Resolver) -> Compiled {
    let mut snapshot = Snapshot::default();
    // Where those in the snapshot are written.
    let (mut brokers, mut triggers) = (Vec::new(), Vec::new());
    let mut diagnostics = Vec::new();
    let mut configs = Configs::new(index);
    // Resolved once for all triggers, and also for a broker that has none yet.
    let mut sinks: HashMap<Id, Endpoint> = HashMap::new();
    for broker in index.brokers().filter(|broker| broker.is_ours()) {
        let metadata = &broker.metadata;
        let id = id("Broker", metadata);
        let sink = broker.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
        match sink.map(|sink| resolver.resolve(sink, &metadata.namespace, index)) {
            Some(Ok(sink)) => _ = sinks.insert(id, sink),
            Some(Err(error)) => diagnostics.push(error),
            None => {}
        }
        let (namespace, name) = (metadata.namespace.clone(), metadata.name.clone());
        let settings = configs.settings(broker);
        let annotations = metadata.annotations.clone();
        brokers.push(&metadata.place);
        snapshot.brokers.push(snapshot::Broker { id, namespace, name, settings, annotations });
    }
    diagnostics.extend(configs.into_remarks());
    let mut foreign_triggers: HashMap<Id, usize> = HashMap::new();
    for trigger in index.triggers() {
        let Some(broker) = index.broker(&trigger.metadata.namespace, &trigger.broker.value) else {
            diagnostics.push(orphan(trigger));
            continue;
        };
        let broker_id = id("Broker", &broker.metadata);
        if !broker.is_ours() {
            *foreign_triggers.entry(broker_id).or_default() += 1;
            continue;
        }
        match compile_trigger(trigger, broker, sinks.get(&broker_id), resolver, index) {
            Ok(compiled) => {
                triggers.push(&trigger.metadata.place);
                snapshot.triggers.push(compiled);
            }
            Err(errors) => diagnostics.extend(errors),
        }
    }
    for broker in index.brokers().filter(|broker| !broker.is_ours()) {
        let triggers = foreign_triggers.get(&id("Broker", &broker.metadata)).copied().unwrap_or(0);
        diagnostics.push(left_alone(broker, triggers));
    }
    diagnostics.extend(snapshot.excess().map(|excess| beyond(excess, &brokers, &triggers)));
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    Compiled { snapshot: (!failed).then_some(snapshot), diagnostics }
}

fn compile_trigger(
    trigger: &manifest::Trigger,
    broker: &manifest::Broker,
    broker_sink: Option<&Endpoint>,
    resolver: &Resolver,
    index: &Index,
) -> Result<snapshot::Trigger, Vec<Diagnostic>> {
    let Metadata { namespace, name, .. } = &trigger.metadata;
    let own_sink = trigger.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
    let own_sink = own_sink.map(|sink| resolver.resolve(sink, namespace, index)).transpose();
    let subscriber = resolver.resolve(&trigger.subscriber, namespace, index);
    let (subscriber, own_sink) = match (subscriber, own_sink) {
        (Ok(subscriber), Ok(sink)) => (subscriber, sink),
        (subscriber, sink) => return Err(subscriber.err().into_iter().chain(sink.err()).collect()),
    };
    let settings = trigger.delivery.as_ref().or(broker.delivery.as_ref());
    Ok(snapshot::Trigger {
        id: id("Trigger", &trigger.metadata),
        broker: id("Broker", &broker.metadata),
        namespace: namespace.clone(),
        name: name.clone(),
        filter: trigger.filter.clone(),
        subscriber,
        delivery: delivery(settings),
        dead_letter: own_sink.or_else(|| broker_sink.cloned()),
        annotations: trigger.metadata.annotations.clone(),
    })
}

/// Settings as the data plane takes them. Left out means no retry (contract
/// 3.1); a back-off needs both policy and delay, else retries are immediate
/// (contract 3.2).
pub fn delivery(settings: Option<&manifest::Delivery>) -> snapshot::Delivery {
    let default = manifest::Delivery::default();
    let settings = settings.unwrap_or(&default);
    let (backoff, backoff_delay) = match (settings.backoff_policy, settings.backoff_delay) {
        (Some(policy), Some(delay)) => (policy, delay),
        _ => (Backoff::Exponential, Duration::ZERO),
    };
    snapshot::Delivery {
        retry_max: settings.retry.unwrap_or(0),
        backoff,
        backoff_delay_ms: milliseconds(backoff_delay),
        timeout_ms: settings.timeout.map(milliseconds),
        retry_after_max_ms: settings.retry_after_max.map(milliseconds),
        format: settings.format.unwrap_or(Format::Binary),
    }
}

/// Rounds up: what is not zero stays so. Fits, as durations are bounded.
fn milliseconds(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}

fn id(kind: &str, metadata: &Metadata) -> Id {
    Id::of(kind, &metadata.namespace, &metadata.name, metadata.uid.as_ref().map(|uid| uid.value.as_str()))
}

/// The remark about a trigger whose broker is not among the objects.
pub(crate) fn orphan(trigger: &manifest::Trigger) -> Diagnostic {
    let Metadata { namespace, name, .. } = &trigger.metadata;
    let broker = &trigger.broker;
    let message =
        format!("trigger {namespace}/{name} is not active: there is no broker {namespace}/{}", broker.value);
    let hint = "add the broker, or correct the name; a trigger and its broker share a namespace";
    Diagnostic::warning(&broker.place, message, hint)
}

/// More than the data plane takes: refused before it is asked.
fn beyond(excess: Excess, brokers: &[&Place], triggers: &[&Place]) -> Diagnostic {
    let place = match excess.first {
        Member::Broker(index) => brokers[index],
        Member::Trigger(index) => triggers[index],
    };
    let hint =
        "this is the first beyond, in order of namespace and name; serve some of them with another Eagre";
    Diagnostic::error(place, excess.to_string(), hint)
}

fn left_alone(broker: &manifest::Broker, triggers: usize) -> Diagnostic {
    let Metadata { namespace, name, class, place, .. } = &broker.metadata;
    let (class, place) = class.as_ref().map_or(("", place), |class| (class.value.as_str(), &class.place));
    let with = match triggers {
        0 => String::new(),
        1 => " and its trigger".to_owned(),
        more => format!(" and its {more} triggers"),
    };
    let message = format!("broker {namespace}/{name}{with} left alone: its class is `{class}`");
    Diagnostic::info(place, message, format!("Eagre serves class `{}`", manifest::CLASS))
}
