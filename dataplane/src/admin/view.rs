//! What the admin port shows of the running shards.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use eagre_snapshot::{Broker, Generation, Id, OwnStats};

use super::{AdminState, BrokerRow};
use crate::{
    config::follow::Tables,
    metrics::{Counts, LowMarks, ShardMetrics, TriggerRow},
    runtime::time::{monotonic_ms, unix_ms},
};

/// Everything that the admin pages read.
pub(crate) struct View {
    pub(crate) info: serde_json::Value,
    pub(crate) stats: OwnStats,
    pub(crate) tables: Tables,
    pub(crate) metrics: Vec<Arc<ShardMetrics>>,
    pub(crate) low_marks: Vec<LowMarks>,
    pub(crate) draining: Arc<AtomicBool>,
}

impl AdminState for View {
    fn heartbeat_ages(&self) -> Vec<Duration> {
        let now = monotonic_ms();
        let age = |heartbeat_ms| Duration::from_millis(now.saturating_sub(heartbeat_ms));
        self.stats.read().shards.iter().map(|shard| age(shard.heartbeat_ms)).collect()
    }

    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Relaxed) {
            return Err("draining: this data plane is stopping".into());
        }
        // Whosever: what is in force stays so when another publisher begins anew.
        match self.stats.read().shards.iter().all(|shard| shard.applied != Generation::NONE) {
            true => Ok(()),
            false => Err("no configuration yet: waiting for the control plane to publish one".into()),
        }
    }

    fn shards(&self) -> Vec<Arc<ShardMetrics>> {
        self.metrics.clone()
    }

    fn brokers(&self) -> Vec<BrokerRow> {
        let table = self.tables.local();
        let backlogs: Vec<_> = self.metrics.iter().flat_map(|shard| shard.backlogs()).collect();
        let mut rows: Vec<_> = table
            .brokers()
            .map(|route| {
                let Broker { namespace, name, .. } = &route.broker;
                let of_this = || backlogs.iter().filter(|b| (&b.namespace, &b.name) == (namespace, name));
                BrokerRow {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    path: format!("/{namespace}/{name}"),
                    triggers: route.slots.len() as u64,
                    backlog_bytes: of_this().map(|backlog| backlog.used_bytes).sum(),
                    over_quota: of_this().any(|backlog| backlog.over_quota),
                }
            })
            .collect();
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        rows
    }

    fn triggers(&self) -> Vec<TriggerRow> {
        let (table, stats) = (self.tables.local(), self.stats.read());
        let mut rows: Vec<_> = table
            .triggers
            .values()
            .map(|route| TriggerRow {
                namespace: route.trigger.namespace.clone(),
                name: route.trigger.name.clone(),
                broker: route.broker_name().to_owned(),
                state: "active".into(),
                cursor: self.low_marks.iter().map(|marks| low_mark(marks, route.trigger.id)).collect(),
                counts: Counts {
                    stats: stats.triggers.get(&route.trigger.id).copied().unwrap_or_default(),
                    now_ms: unix_ms(),
                },
            })
            .collect();
        rows.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        rows
    }

    fn info(&self) -> serde_json::Value {
        self.info.clone()
    }
}

fn low_mark(marks: &LowMarks, id: Id) -> u64 {
    marks.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied().unwrap_or_default()
}
