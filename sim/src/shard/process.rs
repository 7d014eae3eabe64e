//! One run of the process: its shards, and what stands around them in a real
//! process, the waiting for its logs, the following of the control plane, and the
//! stop.

use std::{
    cell::{Cell, RefCell},
    panic::resume_unwind,
    path::{Path, PathBuf},
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
};

use eagre_dataplane::simulation::{Config, Held, Parts, Process, Told, shard_directory};
use eagre_snapshot::{Counter, Generation, Stats, StatsReader, StatsWriter};

use super::{
    bounds,
    scene::{Scene, ingress},
    seen::Seen,
};
use crate::{
    random::Random,
    world::{Exit, Here, Listener, MILLISECOND, Nanos, Pid},
};

/// A run of the process.
pub(super) struct Running {
    pub pid: Pid,
    pub config: Config,
    /// Connections of each shard to producers and to subscribers.
    pub connections_max: (usize, usize),
    /// Logs that were there when it began.
    pub logs_found: usize,
    process: RefCell<Process>,
    /// Where it reports to.
    stats: PathBuf,
    /// It takes connections.
    pub serving_since: Cell<Option<Nanos>>,
    /// It was asked to stop.
    pub stopping: Cell<bool>,
    /// It has stopped, and everything that was asked of it is done.
    pub stopped: Cell<Option<bool>>,
    /// Its disk may have refused something.
    pub began_in_trouble: bool,
    /// One of its logs does not open.
    pub failed_to_open: Cell<bool>,
    /// It learns of the control plane's word from then on.
    pub configured_from: Nanos,
}

/// Where the data lies.
pub(super) fn data() -> &'static Path {
    Path::new("/data")
}

/// Shards that have a log.
pub(super) fn shards_with_logs(scene: &Scene) -> usize {
    let disks = scene.machine.disks.borrow();
    let names = disks.list(data());
    (0..)
        .take_while(|index| {
            let directory = shard_directory(data(), *index);
            names.iter().any(|name| directory.ends_with(name))
        })
        .count()
}

impl Running {
    /// Starts the process.
    pub(super) fn start(
        scene: &Rc<Scene>,
        pid: Pid,
        config: Config,
        stats: &Path,
        configured_from: Nanos,
    ) -> Rc<Self> {
        let mut random = scene.random();
        let machine = &scene.machine;
        machine.line(format_args!(
            "process {} starts with {} shards, {:?}, segments of {}, {} for logs, {} for backlogs, {} a broker; \
             queue {}, pending {}, parallelism {}",
            pid.0,
            config.runtime.shards,
            config.wal.fsync,
            config.wal.segment_bytes,
            config.wal.max_bytes,
            config.wal.backlog_bytes_max,
            config.wal.backlog_bytes_max_per_broker,
            config.limits.queue_per_trigger,
            config.limits.pending_per_trigger,
            config.delivery.parallelism,
        ));
        machine.shared.run.store(pid.0, Relaxed);
        machine.executor.begin(pid, Rc::new(Here { machine: machine.clone(), pid }));
        let shards = config.runtime.shards;
        let connections_max = (2 + random.below(6) as usize, 1 + random.below(8) as usize);
        let stats = stats.join(pid.0.to_string());
        let process = Process::new(Parts {
            stats: StatsWriter::create(&stats, shards, STATS_SLOTS).expect("the stats have room"),
            data: data().to_owned(),
            address: ingress(),
            connections_max,
            config: config.clone(),
        });
        for index in 0..shards {
            let port = machine.net.listen(ingress(), true);
            let shard = process.shard(index, Box::new(Listener(port)));
            let late_max = random.pick(&[0, 5, 5, 1000]) * MILLISECOND;
            let late = machine.sleep(random.below(late_max + 1));
            machine.executor.spawn(
                pid,
                Box::pin(async move {
                    late.await;
                    shard.await;
                }),
            );
        }
        let running = Rc::new(Self {
            pid,
            config,
            connections_max,
            logs_found: machine.disks.borrow().logs(),
            process: RefCell::new(process),
            stats,
            serving_since: Cell::new(None),
            stopping: Cell::new(false),
            stopped: Cell::new(None),
            began_in_trouble: !scene.calm.get(),
            failed_to_open: Cell::new(false),
            configured_from,
        });
        let (scene, watched) = (Rc::clone(scene), Rc::clone(&running));
        machine.executor.spawn(pid, Box::pin(watched.watch(scene, random)));
        running
    }

    /// What a process does beside its shards.
    async fn watch(self: Rc<Self>, scene: Rc<Scene>, mut random: Random) {
        let shards = self.config.runtime.shards;
        let (mut opened, mut serving, mut drained, mut complete) = (0, 0, 0, true);
        let (mut generation, mut looks) = (0, 0_u64);
        let mut drain_until = None;
        loop {
            let told: Vec<Told> = self.process.borrow().told().collect();
            for told in told {
                match told {
                    Told::Opened => opened += 1,
                    Told::Serving => serving += 1,
                    Told::Drained { complete: this } => {
                        drained += 1;
                        complete &= this;
                    }
                    Told::Failed { code, text } => {
                        scene.machine.line(format_args!("the process ends with {code}: {text}"));
                        self.failed_to_open.set(true);
                        resume_unwind(Box::new(Exit(code)));
                    }
                }
            }
            looks += 1;
            // To read what it tells of itself takes as long as all else of a look.
            let crowded = if looks % 64 == 0 { self.crowded() } else { None };
            if let Some(what) = bounds::exceeded(&scene.machine, &self).or(crowded) {
                scene.violated(what);
            }
            let now = scene.machine.now();
            if serving == shards && self.serving_since.get().is_none() && !self.stopping.get() {
                self.serving_since.set(Some(now));
            }
            if opened == shards && now >= self.configured_from && drain_until.is_none() {
                self.follow(&scene, &mut generation, &mut random).await;
            }
            if self.stopping.get() && drain_until.is_none() {
                let deadline = now + self.config.limits.drain_deadline.as_nanos() as Nanos;
                drain_until = Some(deadline + DRAIN_GRACE);
                self.serving_since.set(None);
                let at = scene.machine.shared.clock.instant() + self.config.limits.drain_deadline;
                for shard in 0..shards {
                    while !self.process.borrow().drain(shard, at) {
                        scene.machine.sleep(MILLISECOND).await;
                    }
                }
            }
            if drain_until.is_some_and(|until| drained == shards || now >= until) {
                self.stopped.set(Some(complete && drained == shards));
                resume_unwind(Box::new(Exit(0)));
            }
            scene.machine.sleep((2 + random.below(10)) * MILLISECOND).await;
        }
    }

    /// Takes the newest generation, if there is a new one.
    async fn follow(&self, scene: &Rc<Scene>, generation: &mut u64, random: &mut Random) {
        let newest = scene.versions.borrow().last().cloned();
        let Some(newest) = newest.filter(|newest| newest.generation > *generation) else { return };
        *generation = newest.generation;
        let taken = self.process.borrow_mut().configure(
            Generation { publisher: PUBLISHER, number: newest.generation },
            newest.model.snapshot(scene.plan.grace),
        );
        if let Err(reason) = taken {
            scene.violated(format!("generation {generation} is refused: {reason}"));
            return;
        }
        scene.machine.line(format_args!("generation {generation} is compiled"));
        for shard in 0..self.config.runtime.shards {
            let pause = if random.below(4) == 0 { random.below(100) } else { 0 };
            scene.machine.sleep(pause * MILLISECOND).await;
            while !self.process.borrow().tell(shard) {
                scene.machine.sleep(MILLISECOND).await;
            }
        }
    }

    /// A generation that does not compile comes and goes.
    pub(super) fn refuse(&self, scene: &Scene) {
        let newest = scene.versions.borrow().last().cloned();
        let Some(newest) = newest else { return };
        let mut snapshot = newest.model.snapshot(scene.plan.grace);
        let Some(trigger) = snapshot.triggers.last_mut() else { return };
        trigger.filter = eagre_filter::Filter::Cesql("type = (".into());
        let refused = self
            .process
            .borrow_mut()
            .configure(Generation { publisher: PUBLISHER, number: newest.generation }, snapshot);
        assert!(refused.is_err(), "a filter that does not parse is compiled");
        scene.saw(Seen::GenerationRefused);
    }

    /// What its shards hold now.
    pub(super) fn held(&self) -> Held {
        self.process.borrow().held()
    }

    /// What it tells of itself.
    fn stats(&self) -> Option<Stats> {
        StatsReader::open(&self.stats).and_then(|reader| reader.read()).ok().flatten()
    }

    /// A trigger that takes more than it may.
    fn crowded(&self) -> Option<String> {
        bounds::crowded(&self.stats()?, self)
    }

    /// Notes what it has counted, before it is gone.
    pub(super) fn note(&self, scene: &Scene) {
        let Some(stats) = self.stats() else { return };
        let mut ledger = scene.ledger.borrow_mut();
        for (id, trigger) in stats.triggers {
            ledger.counts_dropped(self.pid.0, id, trigger[Counter::Dropped]);
        }
    }
}

/// For the last flush after the deadline.
const DRAIN_GRACE: Nanos = 2000 * MILLISECOND;
const STATS_SLOTS: usize = 16;
/// Of all generations.
const PUBLISHER: u64 = 1;
