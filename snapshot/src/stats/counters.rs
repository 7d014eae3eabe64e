//! What is counted per trigger: one line for each, from which its word in the
//! stats page, the sum over the shards, the metric and its entry in
//! `/v1/triggers` follow.

use std::fmt;
use std::ops::Index;

/// How the words of several shards become one figure, and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// Only grows; summed.
    Total,
    /// Goes up and down; summed.
    Gauge,
    /// Unix milliseconds, 0 for never; of several the earliest. CounterNames as its
    /// age in seconds, 0 for never.
    Since,
}

/// What a counter is called where people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterNames {
    /// In `/v1/triggers`.
    pub field: &'static str,
    /// In `/metrics`.
    pub metric: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
}

macro_rules! counters {
    ($(#[doc = $help:literal] $counter:ident = $word:literal, $kind:ident $(, $field:literal, $metric:literal)?;)*) => {
        /// What is counted per trigger. The value is the word of the cell: part
        /// of the format, append only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $(#[doc = $help] $counter = $word,)*
        }

        impl Counter {
            /// All of them, in order of their words.
            pub const ALL: &'static [Counter] = &[$(Counter::$counter),*];

            /// How it is summed.
            pub fn kind(self) -> CounterKind {
                match self {
                    $(Counter::$counter => CounterKind::$kind,)*
                }
            }

            /// How it is shown; `None` if it is for the planes alone.
            pub fn shown(self) -> Option<CounterNames> {
                match self {
                    $($(Counter::$counter => {
                        Some(CounterNames { field: $field, metric: $metric, help: $help.trim_ascii() })
                    })?)*
                    #[allow(unreachable_patterns, reason = "once all are shown")]
                    _ => None,
                }
            }
        }
    };
}

counters! {
    /// Events accepted for it.
    Matched = 1, Total;
    /// Events the subscriber took.
    Delivered = 2, Total, "delivered", "eagre_trigger_delivered_total";
    /// Attempts that failed.
    FailedAttempts = 3, Total, "failed", "eagre_trigger_failed_attempts_total";
    /// Attempts after the first.
    Retried = 4, Total, "retries", "eagre_trigger_retries_total";
    /// Events the dead letter sink took.
    DeadLettered = 5, Total, "dead_lettered", "eagre_trigger_dead_lettered_total";
    /// Replies stored.
    Replies = 6, Total, "replies", "eagre_trigger_replies_total";
    /// Events given up.
    Dropped = 7, Total, "dropped", "eagre_trigger_dropped_total";
    /// Attempts under way.
    InFlight = 8, Gauge, "in_flight", "eagre_trigger_in_flight";
    /// Events matched and not finished.
    LagEvents = 9, Gauge, "lag_events", "eagre_trigger_lag_events";
    /// Age of the oldest unfinished event.
    LagSinceMs = 10, Since, "lag_seconds", "eagre_trigger_lag_seconds";
    /// Dead letters kept in the data directory.
    Kept = 11, Total, "kept", "eagre_trigger_kept_total";
    /// Events held in memory: queued, under way, or waiting for their next attempt.
    InMemory = 12, Gauge, "in_memory", "eagre_trigger_events_in_memory";
}

/// Words of a cell in use: the id and every [`Counter`].
pub(super) const CELL_WORDS: usize = Counter::ALL.len() + 1;

const _: () = {
    let mut index = 0;
    while index < Counter::ALL.len() {
        assert!(Counter::ALL[index] as usize == index + 1, "words follow each other, and the id is word 0");
        index += 1;
    }
};

/// The counts of one trigger over all shards.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TriggerStats([u64; Counter::ALL.len()]);

impl TriggerStats {
    /// Adds one shard's cell; the words behind its id, as many as its writer had.
    pub(super) fn add(&mut self, counts: impl Iterator<Item = u64>) {
        for ((sum, value), counter) in self.0.iter_mut().zip(counts).zip(Counter::ALL) {
            *sum = match (counter.kind(), *sum) {
                (CounterKind::Total | CounterKind::Gauge, sum) => sum.saturating_add(value),
                (CounterKind::Since, 0) => value,
                (CounterKind::Since, sum) if value == 0 => sum,
                (CounterKind::Since, sum) => sum.min(value),
            };
        }
    }
}

impl Index<Counter> for TriggerStats {
    type Output = u64;

    fn index(&self, counter: Counter) -> &u64 {
        &self.0[counter as usize - 1]
    }
}

/// Those that are not given are 0.
impl FromIterator<(Counter, u64)> for TriggerStats {
    fn from_iter<I: IntoIterator<Item = (Counter, u64)>>(counts: I) -> Self {
        let mut stats = TriggerStats::default();
        counts.into_iter().for_each(|(counter, count)| stats.0[counter as usize - 1] = count);
        stats
    }
}

impl fmt::Debug for TriggerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Counter::ALL.iter().map(|&counter| (counter, self[counter]))).finish()
    }
}
