//! One history: trouble, then calm, then the verdict.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use eagre_dataplane::simulation::shard_directory;
use eagre_wal::Kind;

use super::{
    check::Evidence,
    control::Control,
    letters,
    model::{SINK, WAIT_MAX},
    operator::Operator,
    plan::Plan,
    process::data,
    producer::Producer,
    scene::Scene,
    seen::{Seen, Sights},
    subscriber,
};
use crate::{
    random::Random,
    trace::Trace,
    world::{Ended, Machine, Nanos, SECOND, lock},
};

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The hash of everything that happened.
    pub trace: u64,
    /// What was seen.
    pub sights: Sights,
    /// The promise that was broken, if one was.
    pub violation: Option<String>,
    /// Tasks that were polled.
    pub polls: u64,
    /// Records that one poll read of the logs at the most, as a multiple of what
    /// one turn may.
    pub turn: u64,
}

/// What a turn may read, in budgets: those of the tasks that it runs one after
/// another are theirs, so it is a few.
const TURN_MAX: u64 = 12;
/// How long what is owed may take once there is calm.
const OWED_MAX: Nanos = 4 * WAIT_MAX + 120 * SECOND;
/// How long a broker may take to take events again.
const PROBE_MAX: Nanos = 90 * SECOND;

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, trace: Trace) -> Outcome {
    let mut random = Random(seed);
    let plan = Plan::new(&mut random);
    let machine = Machine::new(random, trace);
    machine.line(format_args!("{plan:?}"));
    let stats =
        tempfile::Builder::new().prefix("eagre-sim-").tempdir_in(memory()).expect("memory has a directory");
    let scene = Rc::new(Scene {
        machine: machine.clone(),
        ledger: RefCell::default(),
        versions: RefCell::default(),
        process: RefCell::default(),
        calm: Cell::new(false),
        producers_left: Cell::new(plan.producers),
        edited: Cell::new(false),
        violation: RefCell::default(),
        plan,
    });
    let done = Rc::new(Cell::new(false));
    let (told, lived) = (Rc::clone(&done), Rc::clone(&scene));
    let stats_path = stats.path().to_owned();
    machine.spawn(async move {
        live(lived, stats_path).await;
        told.set(true);
    });
    let broken = Rc::clone(&scene);
    machine.executor.run(|| done.get() || broken.violation.borrow().is_some());
    if !done.get() {
        scene.violation.borrow_mut().get_or_insert_with(|| "nothing will ever happen again".into());
    }
    machine.executor.end_all();
    scene.process.take();
    let (records, _) = machine.executor.read_peak.get();
    let trace = lock(&machine.shared.trace).hash() ^ machine.disks.borrow().hash();
    let turn = records.div_ceil(scene.plan.habits.turn_budget.0 as u64);
    if turn > TURN_MAX {
        scene.violated(format!("one turn of a shard's loop has read {turn} times what it may"));
    }
    Outcome {
        trace,
        sights: scene.ledger.borrow().sights.clone(),
        violation: scene.violation.take(),
        polls: machine.executor.polled.get(),
        turn,
    }
}

/// A directory in memory for what the process counts.
fn memory() -> std::path::PathBuf {
    let shared = std::path::PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}

async fn live(scene: Rc<Scene>, stats: std::path::PathBuf) {
    for index in (0..scene.plan.subscribers).chain([SINK]) {
        scene.machine.spawn(subscriber::run(Rc::clone(&scene), index));
    }
    scene.machine.spawn(Control::new(&scene).run());
    for _ in 0..scene.plan.producers {
        scene.machine.spawn(Producer::new(&scene).run());
    }
    let mut operator = Operator::new(&scene, stats);
    operator.run().await;
    while !scene.edited.get() {
        scene.machine.sleep(SECOND / 10).await;
    }
    brokers_take_events(&scene, &mut operator).await;
    everything_arrives(&scene).await;
    stops(&scene).await;
    let segment_bytes =
        scene.process.borrow().as_ref().map_or(32 * 1024, |running| running.config.wal.segment_bytes);
    operator.cut_power_after_stop();
    judge(&scene, segment_bytes);
    if scene.plan.newer && scene.violation.borrow().is_none() {
        newer_record_stops(&scene, &mut operator, segment_bytes).await;
    }
}

/// A record that a newer version has written is not passed over.
async fn newer_record_stops(scene: &Rc<Scene>, operator: &mut Operator, segment_bytes: u64) {
    let has_triggers = scene.versions.borrow().last().is_some_and(|version| {
        version.model.triggers.iter().any(|trigger| version.model.trigger(trigger.id).is_some())
    });
    if !has_triggers {
        return;
    }
    scene.machine.line(format_args!("a newer version appends a record"));
    scene.saw(Seen::NewerRecord);
    let directory = shard_directory(data(), 0);
    scene.machine.disks.borrow().append(&directory, segment_bytes, EVENT, &[9; 32]);
    operator.keep_running();
    scene.machine.sleep(30 * SECOND).await;
    let running = scene.process.borrow().clone();
    let ended = running.and_then(|running| scene.machine.executor.ended(running.pid));
    if ended != Some(Ended::Exit(65)) {
        scene.violated(format!("a record of a newer version is read, and the process ends with {ended:?}"));
    }
}

/// The kind of records that hold an event.
const EVENT: Kind = Kind(16);

/// In calm, every broker takes events.
async fn brokers_take_events(scene: &Rc<Scene>, operator: &mut Operator) {
    let until = scene.machine.now() + PROBE_MAX;
    // What is edited last is in force a little later.
    scene.machine.sleep(SECOND).await;
    let brokers: Vec<String> = {
        let versions = scene.versions.borrow();
        let model = &versions.last().expect("one is published").model;
        model.brokers.iter().map(|broker| broker.name.clone()).collect()
    };
    let mut producer = Producer::new(scene);
    for broker in brokers {
        loop {
            operator.keep_running();
            let status = producer.probe(&broker).await;
            if status == Some(202) {
                break;
            }
            let gone =
                scene.versions.borrow().last().is_none_or(|version| version.model.broker(&broker).is_none());
            if gone {
                break;
            }
            if scene.machine.now() > until {
                return scene.violated(format!("{broker} answers {status:?} long after all trouble is over"));
            }
            scene.machine.sleep(SECOND / 5).await;
        }
    }
}

/// In calm, everything arrives that is owed.
async fn everything_arrives(scene: &Rc<Scene>) {
    let until = scene.machine.now() + OWED_MAX;
    loop {
        let ended =
            scene.process.borrow().as_ref().and_then(|running| scene.machine.executor.ended(running.pid));
        if let Some(ended) = ended {
            return scene.violated(format!("the process ends in calm with {ended:?}"));
        }
        let images = kept(scene);
        let is_owed = with_evidence(scene, &images, |evidence| !evidence.owed().is_empty());
        if scene.producers_left.get() == 0 && !is_owed || scene.machine.now() > until {
            break;
        }
        scene.machine.sleep(2 * SECOND).await;
    }
    // Whoever would come twice has the time to.
    scene.machine.sleep(WAIT_MAX / 4).await;
}

/// A stop is in time and complete.
async fn stops(scene: &Rc<Scene>) {
    let running = scene.process.borrow().clone();
    let Some(running) = running else { return scene.violated("nothing runs".into()) };
    running.stopping.set(true);
    let until = scene.machine.now() + 60 * SECOND;
    while scene.machine.executor.ended(running.pid).is_none() {
        if scene.machine.now() > until {
            return scene.violated("a stop takes longer than a minute".into());
        }
        scene.machine.sleep(SECOND / 10).await;
    }
    let ended = scene.machine.executor.ended(running.pid);
    if ended != Some(Ended::Exit(0)) || running.stopped.get() != Some(true) {
        scene.violated(format!("a stop in calm ends with {ended:?}, complete: {:?}", running.stopped.get()));
    }
}

fn judge(scene: &Rc<Scene>, segment_bytes: u64) {
    let kept = letters::kept(scene, segment_bytes, true);
    scene.machine.line(format_args!("dead letters that are kept: {kept:?}"));
    scene.machine.line(format_args!("dead letters that were let go: {:?}", scene.ledger.borrow().dropped));
    for _ in &kept {
        scene.saw(Seen::KeptDeadLetter);
    }
    note_what_happened(scene);
    let broken = with_evidence(scene, &kept, |evidence: &Evidence<'_>| Evidence::broken(evidence));
    if let Some(broken) = broken {
        scene.violated(broken);
    }
}

/// What nobody notes while it happens.
fn note_what_happened(scene: &Scene) {
    let mut ledger = scene.ledger.borrow_mut();
    let twice =
        ledger.answered.values().filter(|answers| answers.iter().filter(|a| a.ok && !a.is_sink).count() > 1);
    let happened = [
        (Seen::DeliveredTwice, twice.count() as u64),
        (Seen::DroppedDeadLetter, ledger.dropped.values().map(|(before, now)| before + now).sum()),
    ];
    let disks = scene.machine.disks.borrow();
    let of_backlogs = [
        (Seen::MovedToBacklog, disks.made.get("backlog").copied().unwrap_or(0)),
        (Seen::BacklogRemoved, disks.removals),
        (Seen::BacklogReopened, disks.returns),
    ];
    for (seen, times) in happened.into_iter().chain(of_backlogs) {
        (0..times).for_each(|_| ledger.saw(seen));
    }
}

fn kept(scene: &Rc<Scene>) -> BTreeSet<(u64, eagre_snapshot::Id)> {
    let segment_bytes =
        scene.process.borrow().as_ref().map_or(32 * 1024, |running| running.config.wal.segment_bytes);
    letters::kept(scene, segment_bytes, false)
}

fn with_evidence<T>(
    scene: &Rc<Scene>,
    kept: &BTreeSet<(u64, eagre_snapshot::Id)>,
    ask: impl FnOnce(&Evidence<'_>) -> T,
) -> T {
    let ledger = scene.ledger.borrow();
    let versions = scene.versions.borrow();
    ask(&Evidence { ledger: &ledger, versions: &versions, kept, grace: scene.plan.grace })
}
