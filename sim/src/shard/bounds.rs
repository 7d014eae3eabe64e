//! What a process may hold, looked at every few milliseconds while it runs.

use std::sync::atomic::Ordering::Relaxed;

use eagre_dataplane::simulation::Held;
use eagre_snapshot::{Counter, Stats};

use super::{plan::PENDING_PER_TRIGGER_MAX, process::Running};
use crate::world::Machine;

/// What a run holds more of than it may.
pub(super) fn exceeded(machine: &Machine, running: &Running) -> Option<String> {
    let Held { producers, bodies_bytes } = running.held();
    let (producers_max, subscribers_max) = running.connections_max;
    let shards = running.config.runtime.shards;
    let wal = &running.config.wal;
    // Each takes a segment at the least of what all of them may; a run before might more.
    let backlogs_max = running.logs_found.max((wal.backlog_bytes_max / wal.segment_bytes) as usize);
    let bounds = [
        ("connections to producers on one shard", producers, producers_max),
        ("connections to subscribers", machine.shared.dialled.load(Relaxed), shards * subscribers_max),
        ("logs open", machine.shared.logs_open.load(Relaxed), shards * LOGS_PER_SHARD + backlogs_max),
        ("bytes of bodies", bodies_bytes, running.config.ingress.bodies_bytes_max as usize),
    ];
    let over = bounds.into_iter().find(|(_, held, max)| held > max);
    over.map(|(what, held, max)| format!("run {} holds {held} {what}, allowed {max}", running.pid.0))
}

/// A trigger of which more is under way, or in memory, than it may have.
pub(super) fn crowded(stats: &Stats, running: &Running) -> Option<String> {
    let config = &running.config;
    // Of the shard's log and of a backlog, and what a run left that might have more.
    let in_memory = 2 * config.limits.queue_per_trigger + PENDING_PER_TRIGGER_MAX;
    let bounds = [(Counter::InFlight, config.delivery.parallelism), (Counter::InMemory, in_memory)];
    stats.triggers.iter().find_map(|(id, trigger)| {
        let over =
            |(counter, max): &&(Counter, usize)| trigger[*counter] > (config.runtime.shards * max) as u64;
        let (counter, max) = bounds.iter().find(over)?;
        let shards = config.runtime.shards;
        Some(format!("trigger {id}: {counter:?} is {}, allowed {shards} * {max}", trigger[*counter]))
    })
}

/// Logs of one shard beside its backlogs: its own, and its dead letters.
const LOGS_PER_SHARD: usize = 2;
