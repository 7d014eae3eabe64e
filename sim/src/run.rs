//! A simulation: the steps that a seed decides, on a log and on its model.

macro_rules! trace {
    ($simulation:expr, $($line:tt)+) => {
        $simulation.disk.state().trace.line(format_args!($($line)+))
    };
}

mod cursors;
mod life;

use std::{collections::BTreeMap, time::Duration};

use eagre_wal::{
    AppendError, ConsumerError, Cursor, Entry, FRAME_HEADER_BYTES, Fsync, Full, Kind, Log, Lsn, OpenError,
    Options, Pending, Place, Poisoned, Progress,
};

use crate::{
    coverage::{Branch, Coverage},
    disk::Disk,
    faults::Faults,
    model::{Call, ELSEWHERE, HEADER_BYTES, Model, is_same},
    plan::{Plan, Step},
    random::Random,
    rot,
    trace::Trace,
};

/// Starts that may fail in a row before the disk is left in peace.
const FAILED_STARTS_MAX: u64 = 6;
/// Turns after which a disk in peace has done everything.
const TURNS_MAX: u64 = 2000;
/// Consumers that have a cursor at most.
const CONSUMERS: u64 = 4;
/// Unfinished records of a cursor at most where all cursors are to fit every segment.
const PENDING_MAX: usize = 3;
/// Where they are not.
const CROWD: usize = 120;

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The hash of every call and its result.
    pub trace: u64,
    /// Which branches were taken.
    pub coverage: Coverage,
}

/// Runs a seed.
///
/// # Panics
/// When the log breaks a promise, or an invariant of its own.
#[must_use]
pub fn run(seed: u64, trace: Trace) -> Outcome {
    let mut simulation = Simulation::new(seed, trace);
    for _ in 0..simulation.plan.steps {
        simulation.step();
    }
    simulation.resume();
    simulation.rot();
    let state = simulation.disk.state();
    Outcome { trace: state.trace.hash(), coverage: state.coverage.clone() }
}

struct Simulation {
    random: Random,
    plan: Plan,
    options: Options,
    disk: Disk,
    log: Option<Log>,
    model: Model,
    /// The owner's clock.
    clock_ms: u64,
    /// What the log takes of the disk at most.
    bytes_max: u64,
    poisoned: bool,
}

impl Simulation {
    fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random(seed);
        let plan = Plan::new(&mut random);
        let disk = Disk::seeded(random.fork(), trace);
        let options = plan.options(&mut random);
        let mut simulation = Self {
            random,
            plan,
            options,
            disk,
            log: None,
            model: Model::default(),
            clock_ms: 1_000_000,
            bytes_max: 0,
            poisoned: false,
        };
        trace!(simulation, "{:?}", simulation.plan);
        simulation.start();
        simulation
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("the log is open between steps")
    }

    fn hit(&self, branch: Branch) {
        self.disk.state().coverage.hit(branch);
    }

    fn step(&mut self) {
        let step = self.plan.step(&mut self.random);
        trace!(self, "{step:?}");
        match step {
            Step::Append => self.append(1),
            Step::Group => {
                let records = 2 + self.random.below(4);
                self.append(records);
            }
            Step::WithProgress => self.append_with_progress(),
            Step::MoveCursor => self.move_cursor(),
            Step::Progress => self.progress(),
            Step::Forget => {
                let consumer = self.consumer();
                self.log().forget(consumer);
                self.model.cursors.remove(&consumer);
            }
            Step::StoreCursors => self.store_cursors(),
            Step::Submit => self.checked(Log::submit),
            Step::Poll => self.checked(Log::poll),
            Step::Flush => self.flush(),
            Step::SyncAll => self.sync_all(),
            Step::Release => {
                let now = self.clock_ms;
                self.log().release(now);
            }
            Step::Read => self.read(),
            Step::Last => self.last(),
            Step::SetClock => self.set_clock(),
            Step::PassTime => {
                let time = Duration::from_millis(self.random.below(700));
                self.disk.state().now += time;
            }
            Step::FillDisk => {
                let full = self.random.coin();
                self.disk.state().is_full = full;
            }
            Step::Reopen => self.reopen(),
            Step::Kill => self.crash(false),
            Step::CutPower => self.crash(true),
        }
        self.observe();
        if self.poisoned && self.random.below(4) == 0 {
            let power = self.random.coin();
            self.crash(power);
        }
    }

    fn observe(&mut self) {
        let log = self.log.as_ref().expect("the log is open between steps");
        let before = self.model.durable;
        self.model.observe(log);
        if log.durable_as(Fsync::Never) > log.durable() {
            self.hit(Branch::WeakerBeforeStronger);
        }
        let state = self.disk.state();
        assert!(!self.poisoned || self.model.durable == before, "confirmed by a log that is poisoned");
        let (used, bytes) = (log.usage().bytes, state.bytes());
        assert!(used <= self.bytes_max, "the log says it takes {used} of {} bytes", self.bytes_max);
        assert!(bytes <= self.bytes_max, "the log takes {bytes} of {} bytes", self.bytes_max);
    }

    /// Calls the log and holds it to this: it is poisoned from the first failure
    /// that the disk told it of, for good, and by nothing else.
    fn checked(&mut self, call: impl FnOnce(&mut Log) -> Result<(), Poisoned>) {
        let result = call(self.log());
        trace!(self, "= {result:?}");
        self.check_poison(result.is_err());
    }

    fn check_poison(&mut self, refused: bool) {
        let fatal = self.disk.state().is_fatal();
        assert!(refused || !self.poisoned, "a poisoned log works again");
        assert!(!refused || fatal, "poisoned without a failure that is final");
        assert!(refused || !fatal, "the disk failed, and the log goes on");
        if refused && !self.poisoned {
            self.hit(Branch::Poisoned);
            self.poisoned = true;
            // From here on nothing is confirmed.
            self.model.durable = self.log().durable();
        }
    }

    fn call(&mut self) -> Call {
        Call { time_ms: self.clock_ms, fsync: self.random.pick(&self.plan.fsyncs) }
    }

    fn body(&mut self) -> (Kind, Vec<u8>) {
        let bytes = self.plan.body_bytes(&self.options, &mut self.random);
        // No two bodies are alike, and none is all zeros.
        let mut source = self.random.fork();
        let body = (0..bytes.div_ceil(8)).flat_map(|_| source.next().to_le_bytes());
        let body = body.take(bytes as usize).collect();
        (Kind(16 + self.random.below(240) as u8), body)
    }

    fn append(&mut self, records: u64) {
        let call = self.call();
        let bodies: Vec<_> = (0..records).map(|_| self.body()).collect();
        let parts: Vec<[&[u8]; 1]> = bodies.iter().map(|(_, body)| [&body[..]]).collect();
        let group: Vec<_> = bodies.iter().zip(&parts).map(|((kind, _), parts)| (*kind, &parts[..])).collect();
        let end = self.log().end();
        let appended = self.log().append_group(call.time_ms, call.fsync, &group);
        self.note_roll(end, call.time_ms);
        if let Some(last) = self.appended(&appended) {
            if records > 1 {
                self.hit(Branch::GroupKept);
            }
            self.model.appended(call, last, bodies);
        }
    }

    fn store_cursors(&mut self) {
        let (end, Call { time_ms, fsync }) = (self.log().end(), self.call());
        let stored = self.log().append_cursors(time_ms, fsync);
        trace!(self, "= {stored:?}");
        let rolled = self.note_roll(end, time_ms);
        self.count_error(&stored);
        if stored.is_ok() && self.log().end() > end && !rolled {
            self.model.stored_all(end, time_ms);
        }
    }

    /// A new segment was begun, with all cursors at its beginning.
    fn note_roll(&mut self, end_before: Lsn, time_ms: u64) -> bool {
        let (before, now) = {
            let end = self.log().end();
            let state = self.disk.state();
            (state.base_of(end_before), state.base_of(end))
        };
        if before != now {
            self.hit(Branch::Roll);
            self.model.stored_all(now + HEADER_BYTES, time_ms);
        }
        before != now
    }

    fn appended(&mut self, result: &Result<Lsn, AppendError>) -> Option<Lsn> {
        trace!(self, "= {result:?}");
        self.count_error(result);
        result.as_ref().ok().copied()
    }

    fn count_error<T>(&mut self, result: &Result<T, AppendError>) {
        let branch = match result {
            Ok(_) => return assert!(!self.poisoned, "a poisoned log takes records"),
            Err(AppendError::Poisoned(_)) => return self.check_poison(true),
            Err(AppendError::TooLarge { .. }) => Branch::TooLarge,
            Err(AppendError::Full(Full::Preparing)) => Branch::FullPreparing,
            Err(AppendError::Full(Full::Pending)) => Branch::FullPending,
            Err(AppendError::Full(Full::MaxBytes { .. })) => Branch::FullMaxBytes,
            Err(AppendError::Full(Full::NoSpace(_))) => Branch::FullNoSpace,
            Err(AppendError::Full(Full::NoResources(_))) => Branch::FullNoResources,
            Err(error) => panic!("{error}"),
        };
        self.hit(branch);
    }

    /// Polls until nothing is left to do.
    fn flush(&mut self) {
        self.checked(Log::submit);
        for _ in 0..TURNS_MAX {
            if self.poisoned || self.log().is_idle() {
                break;
            }
            self.checked(Log::poll);
        }
        if self.poisoned {
            return;
        }
        let (idle, durable, end) = {
            let log = self.log();
            (log.is_idle(), log.durable(), log.end())
        };
        assert!(idle && durable == end, "a flush does not end: {durable} of {end}");
        if self.plan.fsyncs.iter().all(|fsync| *fsync != Fsync::Never) {
            // Every record asked for a sync, at once or after its interval.
            self.model.survives_power = self.model.survives_power.max(end);
        }
    }

    /// Everything is on the disk then, whatever it asked for.
    fn sync_all(&mut self) {
        let end = self.log().end();
        let mut synced_to = None;
        self.checked(|log| log.sync_all().map(|to| synced_to = Some(to)));
        assert!(synced_to.is_none_or(|to| to == end));
        self.flush();
        if !self.poisoned {
            self.hit(Branch::SyncedAll);
            let synced = self.log().durable_as(Fsync::Always);
            assert!(synced >= end, "{synced} of {end} is synced");
        }
    }

    fn read(&mut self) {
        let at = Lsn(self.random.below(self.model.durable.0 + 200));
        let log = self.log.as_ref().expect("the log is open between steps");
        let readable = self.model.readable();
        let expected = readable.get(readable.partition_point(|record| record.lsn < at));
        match log.read(at) {
            Ok(found) => {
                let sequence = self.sequence_of(expected.map_or(Lsn::MAX, |record| record.lsn));
                let same = match (&found, expected) {
                    (Some(entry), Some(record)) => is_same(entry, record, sequence),
                    (found, expected) => found.is_none() && expected.is_none(),
                };
                assert!(same, "at {at} is {found:?}, not {expected:?}");
            }
            Err(damage) => self.excuse(&damage.to_string()),
        }
    }

    fn sequence_of(&self, lsn: Lsn) -> u64 {
        self.model.records.partition_point(|record| record.lsn < lsn) as u64
    }

    /// What cannot be read is the disk's fault.
    fn excuse(&self, damage: &str) {
        assert!(self.disk.state().has_lost(), "{damage}");
    }

    fn last(&mut self) {
        let last = self.model.readable().last().map(|record| record.lsn);
        let log = self.log.as_ref().expect("the log is open between steps");
        match log.last() {
            Ok(found) => assert_eq!(found.map(|entry| entry.lsn), last, "the last record"),
            Err(damage) => self.excuse(&damage.to_string()),
        }
    }

    /// The clock goes on, or is set forwards or back.
    fn set_clock(&mut self) {
        let step_ms = self.random.pick(&[1, 10, 1000, 3_600_000]);
        let by = self.random.below(step_ms);
        let forwards = self.random.below(3) > 0;
        self.clock_ms = if forwards { self.clock_ms + by } else { self.clock_ms.saturating_sub(by) };
    }
}
