//! File descriptors: what each part of the process may have of them.
//!
//! The log, the admin port and deliveries must go on whatever producers do. So
//! they have a reserve, and the connections of producers are bounded by what is
//! left.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::tuning::Config;

/// What the process may have.
pub(super) struct Descriptors(u64);

/// Connections that each shard may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) producers: usize,
    pub(super) subscribers: usize,
}

/// Every connection takes a descriptor, and the soft limit is often the 1,024
/// that suit `select`; the hard limit is what the operator allows.
pub(super) fn claim() -> Descriptors {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("cannot raise the limit of open files to its maximum: {error}");
        return Descriptors(current.unwrap_or(u64::MAX));
    }
    Descriptors(maximum.unwrap_or(u64::MAX))
}

impl Descriptors {
    /// Each shard's part. Where there are fewer than are configured, deliveries
    /// have a third, so that producers cannot keep events from leaving.
    pub(super) fn divide(&self, config: &Config, shards: usize) -> Budget {
        let shards = shards as u64;
        let reserved = config.limits.descriptors_reserved as u64 + shards * PER_SHARD;
        let each = self.0.saturating_sub(reserved) / shards;
        let (producers, subscribers) =
            (config.ingress.connections_max as u64, config.delivery.max_connections as u64);
        let budget = if producers + subscribers <= each {
            Budget { producers: producers as usize, subscribers: subscribers as usize }
        } else {
            let subscribers = subscribers.min((each / 3).max(1));
            let producers = producers.min(each.saturating_sub(subscribers)).max(1);
            Budget { producers: producers as usize, subscribers: subscribers as usize }
        };
        if (budget.producers as u64) < producers || (budget.subscribers as u64) < subscribers {
            tracing::warn!(
                open_files = self.0,
                budget.producers,
                budget.subscribers,
                "the limit of open files allows fewer connections a shard than are configured; raise it (ulimit -n)"
            );
        }
        budget
    }
}

/// What a shard opens beside connections: its rings or polls, its log's files,
/// those of some backlogs and of the dead letters, while they change over.
const PER_SHARD: u64 = 48;
