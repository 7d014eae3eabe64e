//! Who runs the process, and what happens to its machine.

use std::{path::PathBuf, rc::Rc};

use eagre_snapshot::Fsync;

use super::{
    process::{Running, shards_with_logs},
    scene::{Scene, ingress},
    seen::Seen,
};
use crate::{
    random::Random,
    world::{Ended, MILLISECOND, Moment, Nanos, Pid, SECOND},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) struct Operator {
    scene: Rc<Scene>,
    random: Random,
    stats: PathBuf,
    runs: u32,
    /// The snapshots went with the power.
    configured_from: Nanos,
    /// Some of what was stored since the last stop asked for less than the disk.
    is_weak: bool,
    /// Syncs fail from now on.
    syncs_fail: bool,
    dies_in_recovery: bool,
    disk_full_until: Option<Nanos>,
    descriptors_gone_until: Option<Nanos>,
    segment_bytes: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    Kill,
    PowerCut,
}

impl Operator {
    pub(super) fn new(scene: &Rc<Scene>, stats: PathBuf) -> Self {
        Self {
            scene: Rc::clone(scene),
            random: scene.random(),
            stats,
            runs: 0,
            configured_from: 0,
            is_weak: false,
            syncs_fail: false,
            dies_in_recovery: false,
            disk_full_until: None,
            descriptors_gone_until: None,
            segment_bytes: None,
        }
    }

    /// Runs the process and lets things happen to it, for as long as there is
    /// trouble; then it runs.
    pub(super) async fn run(&mut self) {
        let until = self.scene.machine.now() + self.scene.plan.trouble;
        let mut decide_at = 0;
        self.apply_habits();
        while self.scene.machine.now() < until {
            self.keep_running();
            self.end_shortages();
            if self.scene.machine.now() >= decide_at {
                self.decide();
                let pause = self.random.below(self.scene.plan.operator_pause + 1);
                decide_at = self.scene.machine.now() + SECOND / 20 + pause;
            }
            self.wait_for_a_moment().await;
        }
        self.keep_running();
        self.calm_down();
        while self.scene.process.borrow().as_ref().is_none_or(|running| running.stopping.get()) {
            self.keep_running();
            self.scene.machine.sleep(SECOND / 10).await;
        }
        self.keep_running();
    }

    /// Waits a little, or until something has just happened that a crash may follow at
    /// once.
    async fn wait_for_a_moment(&mut self) {
        let rates = self.scene.plan.rates;
        if rates.die_at_sync + rates.die_at_move == 0 {
            return self.scene.machine.sleep(20 * MILLISECOND).await;
        }
        let moment = self.scene.machine.shared.moments.next();
        let rate = match self.scene.within(20 * MILLISECOND, moment).await {
            Some(Moment::Synced) => rates.die_at_sync,
            Some(Moment::Moved) => rates.die_at_move,
            None => 0,
        };
        if rate > 0 && self.random.chance(rate) {
            self.scene.saw(Seen::CrashedBetween);
            let crash = if self.random.coin() { Crash::PowerCut } else { Crash::Kill };
            self.crash(crash);
        }
    }

    /// Starts the process if it does not run.
    pub(super) fn keep_running(&mut self) {
        let running = self.scene.process.borrow().clone();
        if let Some(running) = running {
            let Some(ended) = self.scene.machine.executor.ended(running.pid) else { return };
            self.judge(&running, &ended);
            self.bury(None);
        }
        self.start();
    }

    fn start(&mut self) {
        self.runs += 1;
        let shards_min = shards_with_logs(&self.scene);
        let config = self.scene.plan.config(&mut self.random, shards_min);
        if shards_min > 0 && config.runtime.shards > shards_min {
            self.scene.saw(Seen::MoreShards);
        }
        if self.segment_bytes.replace(config.wal.segment_bytes).is_some_and(|b| b != config.wal.segment_bytes)
        {
            self.scene.saw(Seen::OtherSegments);
        }
        let rates = self.scene.plan.rates;
        let calm = self.scene.calm.get();
        self.dies_in_recovery = !calm && self.random.chance(rates.die_in_recovery);
        if self.dies_in_recovery {
            self.scene.machine.disks.borrow_mut().die_in(&mut self.random);
        }
        if !calm && self.random.chance(rates.late_configuration) {
            self.scene.saw(Seen::LateConfiguration);
            let late = self.scene.machine.now() + self.random.below(3 * SECOND);
            self.configured_from = self.configured_from.max(late);
        }
        self.is_weak |= config.wal.fsync != Fsync::Always;
        let running = Running::start(&self.scene, Pid(self.runs), config, &self.stats, self.configured_from);
        self.scene.process.replace(Some(running));
    }

    /// A process may end because it was asked to, and by what its disk did.
    fn judge(&mut self, running: &Running, ended: &Ended) {
        let lost = self.scene.machine.disks.borrow().has_lost();
        let allowed = match ended {
            Ended::Exit(0) => running.stopped.get().is_some(),
            // What a disk refuses at the start, it may grant at the next one.
            Ended::Exit(74) if running.failed_to_open.get() => running.began_in_trouble,
            Ended::Exit(74) => self.syncs_fail,
            Ended::Exit(65) => lost,
            Ended::Exit(_) | Ended::Panic(_) => false,
        };
        self.scene.machine.line(format_args!("process {} has ended: {ended:?}", running.pid.0));
        if !allowed {
            self.scene.violated(format!("the process ends with {ended:?}"));
        }
        if *ended == Ended::Exit(74) && self.dies_in_recovery {
            self.scene.saw(Seen::DiedInRecovery);
        }
        if *ended == Ended::Exit(74) && self.syncs_fail {
            self.scene.saw(Seen::SyncFailed);
            self.syncs_fail = false;
            self.excuse_weak();
        }
        if running.stopped.get() == Some(true) {
            self.scene.saw(Seen::StoppedInTime);
            self.settle();
        }
    }

    /// What is left of a process is cleared away.
    fn bury(&mut self, crash: Option<Crash>) {
        let Some(running) = self.scene.process.take() else { return };
        running.note(&self.scene);
        let machine = &self.scene.machine;
        machine.executor.end(running.pid);
        machine.net.close(ingress());
        match crash {
            Some(Crash::PowerCut) => machine.disks.borrow_mut().cut_power(),
            Some(Crash::Kill) | None => machine.disks.borrow_mut().kill(),
        }
        self.apply_faults();
    }

    fn crash(&mut self, crash: Crash) {
        let Some(running) = self.scene.process.borrow().clone() else { return };
        if let Some(ended) = self.scene.machine.executor.ended(running.pid) {
            self.judge(&running, &ended);
        }
        self.scene.ledger.borrow_mut().crashes.push(self.scene.machine.now());
        match crash {
            Crash::Kill => {
                self.scene.machine.line(format_args!("process {} is killed", running.pid.0));
                self.scene.saw(Seen::Killed);
            }
            Crash::PowerCut => {
                self.scene.machine.line(format_args!("the power fails"));
                self.scene.saw(Seen::PowerCut);
                self.excuse_weak();
                // The snapshots were in memory.
                let back = self.random.below(2 * SECOND);
                self.configured_from = self.scene.machine.now() + back;
            }
        }
        self.bury(Some(crash));
    }

    fn decide(&mut self) {
        let rates = self.scene.plan.rates;
        if self.random.chance(rates.kill) {
            return self.crash(Crash::Kill);
        }
        if self.random.chance(rates.power_cut) {
            return self.crash(Crash::PowerCut);
        }
        if self.random.chance(rates.stop) {
            self.stop();
        }
        if self.random.chance(rates.disk_full) && self.disk_full_until.is_none() {
            self.scene.saw(Seen::DiskFull);
            self.disk_full_until = Some(self.scene.machine.now() + self.random.below(4 * SECOND));
            self.apply_faults();
        }
        if self.random.chance(rates.descriptors) && self.descriptors_gone_until.is_none() {
            self.scene.saw(Seen::DescriptorsGone);
            self.descriptors_gone_until = Some(self.scene.machine.now() + self.random.below(4 * SECOND));
            self.apply_habits();
        }
        if self.random.chance(rates.sync_failure) {
            self.syncs_fail = true;
            self.apply_faults();
        }
        if self.random.chance(rates.clock_step) {
            self.scene.saw(Seen::ClockStepped);
            let days = self.random.pick(&[-1, 1, 1]);
            self.scene.machine.line(format_args!("the calendar is set by {days} days"));
            self.scene.machine.shared.clock.step(days * DAY_MS);
        }
    }

    /// Asks the process to stop.
    pub(super) fn stop(&self) {
        let running = self.scene.process.borrow().clone();
        if let Some(running) = running.filter(|running| !running.stopping.replace(true)) {
            self.scene.machine.line(format_args!("process {} is asked to stop", running.pid.0));
            self.scene.saw(Seen::Stopped);
        }
    }

    fn end_shortages(&mut self) {
        let now = self.scene.machine.now();
        if self.disk_full_until.take_if(|until| *until <= now).is_some() {
            self.apply_faults();
        }
        if self.descriptors_gone_until.take_if(|until| *until <= now).is_some() {
            self.apply_habits();
        }
    }

    fn apply_habits(&self) {
        let mut habits = self.scene.plan.habits;
        habits.descriptors_gone = self.descriptors_gone_until.is_some();
        *crate::world::lock(&self.scene.machine.shared.habits) = habits;
        self.apply_faults();
    }

    fn apply_faults(&self) {
        if self.scene.calm.get() {
            return;
        }
        let mut faults = self.scene.plan.disk;
        if self.syncs_fail {
            faults.failed_sync = 1000;
        }
        let (full, short) = (self.disk_full_until.is_some(), self.descriptors_gone_until.is_some());
        self.scene.machine.disks.borrow_mut().set(faults, full, short);
    }

    /// From now on nothing goes wrong.
    fn calm_down(&mut self) {
        self.scene.machine.disks.borrow().live();
        self.scene.machine.line(format_args!("all trouble is over"));
        self.scene.calm.set(true);
        (self.disk_full_until, self.descriptors_gone_until, self.syncs_fail) = (None, None, false);
        let mut habits = self.scene.plan.habits;
        (habits.lost_connects, habits.failed_names, habits.resets) = (0, 0, 0);
        *crate::world::lock(&self.scene.machine.shared.habits) = habits;
        self.scene.machine.disks.borrow_mut().set(crate::faults::Faults::default(), false, false);
    }

    /// What was accepted so far is on the platter.
    fn settle(&mut self) {
        self.is_weak = false;
        let mut ledger = self.scene.ledger.borrow_mut();
        ledger.sent.values_mut().for_each(|sent| sent.settled = !sent.excused);
    }

    /// What asked for less than the disk may be lost with the power: an event, or
    /// the dead letter that became of one.
    fn excuse_weak(&self) {
        let versions = self.scene.versions.borrow();
        let mut ledger = self.scene.ledger.borrow_mut();
        for sent in ledger.sent.values_mut() {
            let brokers = versions.iter().filter_map(|version| version.model.broker(&sent.broker));
            let all_strong = brokers.filter_map(|broker| broker.fsync).all(|fsync| fsync == Fsync::Always);
            sent.excused |= self.is_weak || !(all_strong || sent.settled);
        }
    }

    /// Cuts the power of a machine on which nothing runs any more.
    pub(super) fn cut_power_after_stop(&mut self) {
        self.bury(None);
        self.scene.machine.disks.borrow_mut().cut_power();
    }
}
