//! The routing table: one generation of the configuration, compiled.
//!
//! Built by the configuration thread, immutable, shared by all shards. Owns the
//! compiled filters and the parts of request heads that are the same for every
//! delivery of a trigger.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use eagre_filter::Matcher;
use eagre_snapshot::{Broker, Endpoint, Generation, Id, SlotMap, Snapshot, Trigger};

use crate::runtime::map::Map;

/// One generation, ready to route.
#[derive(Default)]
pub struct Table {
    /// The snapshot's.
    pub(crate) generation: Generation,
    brokers: Map<String, Arc<BrokerRoute>>,
    /// In order, so that every shard opens their lanes in the same one.
    pub(crate) triggers: BTreeMap<Id, Arc<TriggerRoute>>,
    /// How long is kept what a trigger is owed that vanishes from the configuration.
    pub(crate) grace: Duration,
}

/// A broker and the matcher of its triggers.
pub(crate) struct BrokerRoute {
    pub(crate) broker: Broker,
    pub(crate) matcher: Arc<Matcher>,
    /// Trigger ids by matcher slot.
    pub(crate) slots: Vec<Id>,
    filters: Vec<(Id, eagre_filter::Filter)>,
}

/// A trigger and its rendered request heads.
pub(crate) struct TriggerRoute {
    pub(crate) trigger: Trigger,
    /// Its place on the stats page.
    pub(crate) stats_slot: u32,
    /// The broker's ingress path, for replies that are refused.
    pub(crate) broker_path: String,
    /// Request line and constant fields of a delivery.
    pub(crate) subscriber_head: Vec<u8>,
    /// The same for its dead letter sink.
    pub(crate) dead_letter_head: Vec<u8>,
}

/// A filter that validated in the control plane does not compile here.
#[derive(Debug, thiserror::Error)]
#[error("trigger {namespace}/{name}: filter does not compile: {problem}")]
pub struct CompileError {
    namespace: String,
    name: String,
    problem: String,
}

impl Table {
    /// Compiles `snapshot`, reusing from `previous` every broker whose filters
    /// did not change.
    pub(crate) fn compile(
        generation: Generation,
        snapshot: Snapshot,
        previous: &Self,
        slots: &mut SlotMap,
    ) -> Result<Self, CompileError> {
        let mut triggers_of: HashMap<Id, Vec<Trigger>> = HashMap::new();
        for trigger in snapshot.triggers {
            triggers_of.entry(trigger.broker).or_default().push(trigger);
        }
        let mut table =
            Self { generation, grace: Duration::from_millis(snapshot.grace_ms), ..Self::default() };
        for broker in snapshot.brokers {
            let triggers = triggers_of.remove(&broker.id).unwrap_or_default();
            let path = format!("{}/{}", broker.namespace, broker.name);
            let route = Arc::new(compile_broker(broker, &triggers, previous.brokers.get(&path))?);
            for trigger in triggers {
                let id = trigger.id;
                let stats_slot = slots.insert(id);
                let trigger = TriggerRoute::new(trigger, stats_slot, &path);
                table.triggers.insert(id, Arc::new(trigger));
            }
            table.brokers.insert(path, route);
        }
        Ok(table)
    }

    /// The broker at `namespace/name`.
    pub(crate) fn broker(&self, path: &str) -> Option<&Arc<BrokerRoute>> {
        self.brokers.get(path)
    }

    /// Every broker, in no order.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerRoute>> {
        self.brokers.values()
    }
}

fn compile_broker(
    broker: Broker,
    triggers: &[Trigger],
    previous: Option<&Arc<BrokerRoute>>,
) -> Result<BrokerRoute, CompileError> {
    let filters: Vec<_> = triggers.iter().map(|t| (t.id, t.filter.clone())).collect();
    let slots = triggers.iter().map(|t| t.id).collect();
    if let Some(previous) = previous.filter(|p| p.filters == filters) {
        return Ok(BrokerRoute { broker, matcher: Arc::clone(&previous.matcher), slots, filters });
    }
    let mut matcher = Matcher::new();
    for (slot, trigger) in triggers.iter().enumerate() {
        matcher.insert(slot as u32, &trigger.filter).map_err(|problem| CompileError {
            namespace: trigger.namespace.clone(),
            name: trigger.name.clone(),
            problem: problem.to_string(),
        })?;
    }
    Ok(BrokerRoute { broker, matcher: Arc::new(matcher), slots, filters })
}

impl TriggerRoute {
    /// The broker's name without its namespace.
    pub(crate) fn broker_name(&self) -> &str {
        self.broker_path.split_once('/').map_or("", |(_, name)| name)
    }

    /// Attempts after the first, as far as they are counted: 65,534 at the
    /// most, which at one a second is 18 hours.
    pub(crate) fn retry_max(&self) -> u16 {
        self.trigger.delivery.retry_max.min(u32::from(u16::MAX) - 1) as u16
    }

    fn new(trigger: Trigger, stats_slot: u32, broker_path: &str) -> Self {
        let subscriber_head = request_head(&trigger.subscriber, &trigger.namespace, true);
        let dead_letter_head = trigger
            .dead_letter
            .as_ref()
            .map(|e| request_head(e, &trigger.namespace, false))
            .unwrap_or_default();
        Self { trigger, stats_slot, broker_path: broker_path.to_owned(), subscriber_head, dead_letter_head }
    }
}

/// Contract 3.6: `Prefer: reply` goes to subscribers, not to dead letter sinks;
/// `Kn-Namespace` goes to both.
fn request_head(endpoint: &Endpoint, namespace: &str, wants_reply: bool) -> Vec<u8> {
    let prefer = if wants_reply { "prefer: reply\r\n" } else { "" };
    format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: {USER_AGENT}\r\n{prefer}kn-namespace: {namespace}\r\n",
        endpoint.target, endpoint.authority
    )
    .into_bytes()
}

const USER_AGENT: &str = concat!("eagre/", env!("CARGO_PKG_VERSION"));
