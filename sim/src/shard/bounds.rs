//! What a process may hold, looked at every few milliseconds while it runs.

use std::sync::atomic::Ordering::Relaxed;

use eagre_dataplane::simulation::Held;
use eagre_snapshot::{Counter, Stats};

use super::process::Running;
use crate::world::Machine;

/// What a run holds more of than it may.
pub(super) fn exceeded(machine: &Machine, running: &Running) -> Option<String> {
    let Held { producers, bodies_bytes } = running.held();
    let (producers_max, subscribers_max) = running.connections_max;
    let shards = running.config.runtime.shards;
    let bounds = [
        // One that is shed for another counts until it has ended.
        ("connections to producers on one shard", producers, 2 * producers_max),
        ("connections to subscribers", machine.shared.dialled.load(Relaxed), shards * subscribers_max),
        ("bytes of bodies", bodies_bytes, running.config.ingress.bodies_bytes_max as usize),
    ];
    let over = bounds.into_iter().find(|(_, held, max)| held > max);
    over.map(|(what, held, max)| format!("run {} holds {held} {what}, allowed {max}", running.pid.0))
}

/// A trigger of which more is under way than it may have.
pub(super) fn crowded(stats: &Stats, running: &Running) -> Option<String> {
    let max = (running.config.runtime.shards * running.config.delivery.parallelism) as u64;
    let over = stats.triggers.iter().find(|(_, trigger)| trigger[Counter::InFlight] > max);
    over.map(|(id, trigger)| {
        format!("trigger {id} has {} under way, allowed {max}", trigger[Counter::InFlight])
    })
}
