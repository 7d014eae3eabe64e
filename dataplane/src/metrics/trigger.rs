//! What is known of one trigger over all shards. Which counts there are, and
//! what they are called, is the table of [`eagre_snapshot::Counter`].

use eagre_snapshot::{Counter, CounterKind, TriggerStats};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::text::Text;

/// A trigger, as `/v1/triggers` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriggerRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The name of its broker, in the same namespace.
    pub broker: String,
    /// `active`, `paused`, `retrying`, …
    pub state: String,
    /// Per shard, the position in the log below which every event is finished.
    pub cursor: Vec<u64>,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The counts of a trigger, and when they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// As the shards keep them, summed.
    pub stats: TriggerStats,
    /// Unix milliseconds.
    pub now_ms: u64,
}

/// A figure as it is shown.
#[derive(Serialize)]
#[serde(untagged)]
enum Figure {
    Whole(u64),
    Seconds(f64),
}

impl Counts {
    fn figure(&self, counter: Counter) -> Figure {
        match (counter.kind(), self.stats[counter]) {
            (CounterKind::Total | CounterKind::Gauge, count) => Figure::Whole(count),
            (CounterKind::Since, 0) => Figure::Seconds(0.0),
            (CounterKind::Since, since) => Figure::Seconds(self.now_ms.saturating_sub(since) as f64 / 1e3),
        }
    }
}

/// Each shown counter under its name.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for &counter in Counter::ALL {
            if let Some(shown) = counter.shown() {
                map.serialize_entry(shown.field, &self.figure(counter))?;
            }
        }
        map.end()
    }
}

/// A family for each shown counter.
pub(super) fn families(text: &mut Text<'_>, rows: &[TriggerRow]) {
    for &counter in Counter::ALL {
        let Some(shown) = counter.shown() else { continue };
        let kind = match counter.kind() {
            CounterKind::Total => "counter",
            CounterKind::Gauge | CounterKind::Since => "gauge",
        };
        text.family(shown.metric, kind, shown.help);
        for row in rows {
            let labels = [
                ("kn_trigger_name", row.name.as_str()),
                ("kn_trigger_namespace", &row.namespace),
                ("kn_broker_name", &row.broker),
            ];
            match row.counts.figure(counter) {
                Figure::Whole(count) => text.sample(&labels, count),
                Figure::Seconds(seconds) => text.float(&labels, seconds),
            }
        }
    }
}
