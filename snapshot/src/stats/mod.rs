//! The way back: what the data plane has applied, and counts per trigger.
//!
//! Promise: every word has one writing thread, so counting is a load and a
//! store, and a reader at any moment, of any bytes, neither disturbs the writer
//! nor fails beyond an error.
//!
//! Owns: the page `stats` (header, last refusal, a line per shard) and the
//! chunks `counters-<instance>-<index>` (a cell per shard and slot). The table
//! grows by chunks; a cell never moves, so no count is lost to growth, nor to
//! a directory that is removed and made again.
//!
//! Absent on purpose: histograms and per-connection figures (the data plane
//! serves those itself), and counts across restarts: an instance starts at 0.

mod counters;
mod layout;
mod pages;
mod reader;
mod writer;

pub use counters::{Counter, CounterKind, CounterNames, TriggerStats};
pub use reader::{Refusal, ShardStatus, Stats, StatsReader};
pub use writer::{Counters, OwnStats, ShardStats, StatsWriter};
