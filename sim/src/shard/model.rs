//! The configuration as the control plane means it, and whom an event is for.

use std::rc::Rc;

use eagre_filter::Filter;
use eagre_snapshot::{
    Annotations, Backoff, Broker, BrokerSettings, Delivery, Endpoint, Format, Fsync, Id, Snapshot, Trigger,
};

use crate::{
    random::Random,
    world::{MILLISECOND, Nanos, SECOND},
};

pub(super) const NAMESPACE: &str = "ns";

#[derive(Clone, Debug)]
pub(super) struct BrokerSpec {
    pub id: Id,
    pub name: String,
    pub fsync: Option<Fsync>,
    pub quota: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct TriggerSpec {
    pub id: Id,
    pub name: String,
    /// The name of its broker.
    pub broker: String,
    /// The kind of events that it wants; all of them without one.
    pub kind: Option<u8>,
    pub subscriber: usize,
    pub sink: bool,
    pub delivery: Delivery,
}

/// All brokers and triggers.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub brokers: Vec<BrokerSpec>,
    pub triggers: Vec<TriggerSpec>,
}

/// A generation, and when it was published.
#[derive(Clone)]
pub(super) struct Version {
    pub at: Nanos,
    pub generation: u64,
    pub model: Rc<Model>,
}

/// A shard works by what was published at the latest so long ago.
pub(super) const APPLY_MAX: Nanos = SECOND;

impl Model {
    pub(super) fn broker(&self, name: &str) -> Option<&BrokerSpec> {
        self.brokers.iter().find(|broker| broker.name == name)
    }

    /// The trigger, if it is there and has a broker.
    pub(super) fn trigger(&self, id: Id) -> Option<&TriggerSpec> {
        self.triggers.iter().find(|trigger| trigger.id == id && self.broker(&trigger.broker).is_some())
    }

    /// Whom an event of this kind is for; `None` without its broker.
    pub(super) fn matches(&self, broker: &str, kind: u8) -> Option<Vec<Id>> {
        self.broker(broker)?;
        let wants = |trigger: &&TriggerSpec| {
            trigger.broker == broker && trigger.kind.is_none_or(|wanted| wanted == kind)
        };
        Some(self.triggers.iter().filter(wants).map(|trigger| trigger.id).collect())
    }

    /// What is published.
    pub(super) fn snapshot(&self, grace: Nanos) -> Snapshot {
        let brokers = self.brokers.iter().map(|broker| Broker {
            id: broker.id,
            namespace: NAMESPACE.into(),
            name: broker.name.clone(),
            settings: BrokerSettings { fsync: broker.fsync, backlog_bytes_max: broker.quota },
            annotations: Annotations::default(),
        });
        let triggers = self.triggers.iter().filter_map(|trigger| {
            let broker = self.broker(&trigger.broker)?;
            let filter = trigger.kind.map(|kind| Filter::Exact(vec![("type".into(), type_of(kind))]));
            Some(Trigger {
                id: trigger.id,
                broker: broker.id,
                namespace: NAMESPACE.into(),
                name: trigger.name.clone(),
                filter: filter.unwrap_or(Filter::Everything),
                subscriber: endpoint(trigger.subscriber, 't', trigger.id),
                delivery: trigger.delivery.clone(),
                dead_letter: trigger.sink.then(|| endpoint(SINK, 'd', trigger.id)),
                annotations: Annotations::default(),
            })
        });
        Snapshot { brokers: brokers.collect(), triggers: triggers.collect(), grace_ms: grace / MILLISECOND }
    }
}

/// The `type` of events of a kind.
pub(super) fn type_of(kind: u8) -> String {
    format!("kind.{kind}")
}

/// The subscriber that takes dead letters.
pub(super) const SINK: usize = 9;

/// The host of a subscriber.
pub(super) fn host(subscriber: usize) -> String {
    format!("sub{subscriber}.test")
}

fn endpoint(subscriber: usize, what: char, id: Id) -> Endpoint {
    let host = host(subscriber);
    Endpoint {
        uri: format!("http://{host}/{what}/{id}"),
        port: 80,
        authority: host.clone(),
        target: format!("/{what}/{id}"),
        host,
    }
}

/// Some policy.
pub(super) fn delivery(random: &mut Random) -> Delivery {
    Delivery {
        retry_max: random.below(4) as u32,
        backoff: random.pick(&[Backoff::Linear, Backoff::Exponential]),
        backoff_delay_ms: random.pick(&[0, 20, 200, 1000]),
        timeout_ms: random.coin().then(|| 200 + random.below(2000)),
        retry_after_max_ms: random.coin().then(|| random.below(3000)),
        format: if random.below(4) == 0 { Format::Json } else { Format::Binary },
    }
}

/// No wait of these policies is longer.
pub(super) const WAIT_MAX: Nanos = 20_000 * MILLISECOND;
