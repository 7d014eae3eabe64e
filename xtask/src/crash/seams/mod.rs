//! Trials of the seams between the parts of the data plane: what comes late, changes or
//! runs short while events lie in backlogs. One scenario a file; the seed of a trial picks
//! the scenario and its details.
//!
//! Judged is that nothing is lost, that nothing is invented, and that the server does not
//! end by itself. What may be repeated is left to the families that crash under load.

mod late_control;
mod reply_from_backlog;
mod edited_broker;
mod descriptors;
mod empty_folder;
mod scene;

use std::path::Path;

use anyhow::Result;

use self::scene::{Scene, Stop};
use super::{
    disk::{Disk, Ext4},
    fuse::Fuse,
    oracle::{self, Violation},
    plan::Plan,
    server::Setup,
    trial::Outcome,
};

/// What happens between the first event and the last account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    LateControl,
    ReplyFromBacklog,
    EditedBroker,
    Descriptors,
    EmptyFolder,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario::LateControl,
    Scenario::ReplyFromBacklog,
    Scenario::EditedBroker,
    Scenario::Descriptors,
    Scenario::EmptyFolder,
];

/// The scenario of a seed; seeds that follow each other take turns.
fn scenario(seed: u64) -> Scenario {
    SCENARIOS[(seed % SCENARIOS.len() as u64) as usize]
}

/// The plan of a seed: who posts what, and who gets it.
pub fn plan(seed: u64) -> Plan {
    let plan = Plan {
        shards: 1,
        producers: 8,
        payload_bytes_max: 16 * 1024,
        batch_one_in: 0,
        triggers: vec![scene::STUCK],
        rounds: Vec::new(),
        ..Plan::new(seed)
    };
    match scenario(seed) {
        Scenario::LateControl | Scenario::EditedBroker | Scenario::EmptyFolder => plan,
        Scenario::ReplyFromBacklog => reply_from_backlog::bend(plan),
        Scenario::Descriptors => Plan { triggers: descriptors::TRIGGERS.to_vec(), ..plan },
    }
}

/// The disk of a seed.
///
/// # Errors
/// A right, a device or a tool is missing.
pub fn make_disk(work: &Path, seed: u64) -> Result<Box<dyn Disk>> {
    Ok(match scenario(seed) {
        Scenario::ReplyFromBacklog => Box::new(reply_from_backlog::slow(Fuse::new(work, seed)?)),
        _ => Box::new(Ext4::new(work, &super::DISK)?),
    })
}

/// Runs the trial of a plan.
///
/// # Errors
/// The trial could not be carried out; it says nothing about the server.
pub fn run(plan: &Plan, setup: &Setup) -> Result<Outcome> {
    let scene = Scene::new(plan, setup)?;
    let ended = match scenario(plan.seed) {
        Scenario::LateControl => late_control::run(&scene),
        Scenario::ReplyFromBacklog => reply_from_backlog::run(&scene),
        Scenario::EditedBroker => edited_broker::run(&scene),
        Scenario::Descriptors => descriptors::run(&scene),
        Scenario::EmptyFolder => empty_folder::run(&scene),
    };
    let mut violations = match ended {
        Ok(()) => Vec::new(),
        Err(Stop::Broken(violation)) => vec![violation],
        Err(Stop::Void(error)) => return Err(error),
    };
    let judgement = oracle::judge(&plan.triggers, &scene.history.seen());
    let is_judged = |violation: &Violation| !matches!(violation, Violation::Repeated { .. });
    violations.extend(judgement.violations.into_iter().filter(is_judged));
    let acknowledged = scene.history.acknowledged_count();
    Ok(Outcome { acknowledged, duplicates: judgement.duplicates, violations })
}

#[cfg(test)]
mod tests {
    use super::{super::plan::Kind, *};

    #[test]
    fn every_scenario_has_its_turn() {
        let turns: Vec<_> = (7..12).map(scenario).collect();
        assert!(SCENARIOS.iter().all(|scenario| turns.contains(scenario)));
    }

    #[test]
    fn an_event_has_one_reply() {
        for plan in (0..5).map(plan) {
            let replying = |kind| plan.triggers.iter().filter(|t| t.replies && t.matches(kind)).count();
            assert!([Kind::Order, Kind::Payment].into_iter().all(|kind| replying(kind) <= 1));
        }
    }
}
