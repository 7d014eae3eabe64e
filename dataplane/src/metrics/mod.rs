//! What the data plane counts, and its Prometheus text.
//!
//! Each shard writes its own [`ShardMetrics`], alone: counting is a relaxed load and
//! store, no lock and no shared cache line. A scrape sums over the shards; it never
//! stops one, and sees each number as of some moment during the scrape. Per-trigger
//! totals live on the stats page of the snapshot crate and come in as [`TriggerRow`]s.
//!
//! The names are those of Knative's own data planes where they have one (contract 5.1),
//! and `eagre_…` elsewhere; `docs/metrics.md` lists them. Deliberately absent: labels
//! whose values a producer chooses (event type, source), which would let it grow the
//! number of series without bound.

mod instrument;
mod process;
mod render;
mod shard;
mod text;
mod trigger;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use eagre_snapshot::Id;

/// The low mark of every trigger on one shard, renewed by the shard now and
/// then.
pub(crate) type LowMarks = Arc<Mutex<BTreeMap<Id, u64>>>;

pub use instrument::Dispatch;
pub use render::render;
pub use shard::{BacklogRow, IgnoredReply, Refused, ShardMetrics};
pub use text::CONTENT_TYPE;
pub use trigger::{Counts, TriggerRow};

#[cfg(test)]
mod tests;
