//! A simulation: the steps that a seed decides, on a log and on its model.

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

macro_rules! trace {
    ($simulation:expr, $($line:tt)+) => {
        $simulation.disk.state().trace.line(format_args!($($line)+))
    };
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
            Step::Seek => self.seek(),
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

    /// The progress of some consumers, in this log and elsewhere, with a record.
    fn append_with_progress(&mut self) {
        let (call, body) = (self.call(), self.body());
        // What no cursor holds may go in the same call.
        let held = self.model.cursors.range(..ELSEWHERE).map(|(_, cursor)| cursor.low()).min();
        let held = held.unwrap_or(self.model.durable);
        let mut after = BTreeMap::new();
        for _ in 0..1 + self.random.below(3) {
            let consumer = self.consumer();
            let cursor = self.cursor_of(consumer, held);
            after.insert(consumer, cursor);
        }
        for (consumer, cursor) in &after {
            if !self.model.cursors.contains_key(consumer) {
                self.register(*consumer, &Cursor { read: cursor.low(), pending: Vec::new() });
            }
        }
        let after: Vec<_> = after.into_iter().collect();
        let changes: Vec<_> = after.iter().map(|(id, to)| Change::of(&self.model.cursors[id], to)).collect();
        let progress: Vec<_> =
            after.iter().zip(&changes).map(|((id, _), c)| (*id, c.progress(*id))).collect();
        let parts: [&[u8]; 1] = [&body.1];
        let (record, end) = ((body.0, &parts[..]), self.log().end());
        let Call { time_ms, fsync } = call;
        let appended = self.log().append_with_progress(time_ms, fsync, &progress, record);
        self.note_roll(end, time_ms);
        if let Some(lsn) = self.appended(&appended) {
            self.hit(if after.len() > 1 { Branch::ProgressOfSeveral } else { Branch::ProgressWithRecord });
            // The frames of the cursors lie before the record.
            self.model.stored_some(Lsn(lsn.0 - 1), time_ms, &after);
            self.model.appended(call, lsn, vec![body]);
        }
    }

    /// What changed of a cursor, and of nobody who is not registered.
    fn progress(&mut self) {
        let consumer = self.consumer();
        let before = self.model.cursors.get(&consumer).cloned();
        let to = match &before {
            Some(before) if self.random.below(3) > 0 => self.small_change(before.clone()),
            _ => self.cursor_of(consumer, Lsn::ZERO),
        };
        let change = Change::of(before.as_ref().unwrap_or(&Cursor::default()), &to);
        let progressed = self.log().progress(consumer, &change.progress(consumer));
        if before.is_none() {
            assert_eq!(progressed, Err(ConsumerError::UnknownConsumer(consumer)));
            self.hit(Branch::StrangerRefused);
            return;
        }
        assert_eq!(progressed, Ok(()));
        let registered = place(consumer);
        let other = if registered == Place::Here { Place::Elsewhere } else { Place::Here };
        let mixed = self.log().update_cursor(consumer, other, &Cursor::default());
        assert_eq!(mixed, Err(ConsumerError::OtherPlace { consumer, registered }));
        self.model.cursors.insert(consumer, to);
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

    /// A consumer of those there may be, the one elsewhere among them.
    fn consumer(&mut self) -> u64 {
        if self.random.below(8) == 0 { ELSEWHERE } else { self.random.below(CONSUMERS) }
    }

    fn cursor_of(&mut self, consumer: u64, from: Lsn) -> Cursor {
        match place(consumer) {
            Place::Here => self.cursor(from),
            Place::Elsewhere => {
                // Positions of which this log knows nothing.
                let read = Lsn(self.random.next() >> 1);
                let pending = vec![Pending { lsn: Lsn(read.0 / 2), attempts: 1, due_ms: 2, note: 3 }];
                Cursor { read, pending }
            }
        }
    }

    /// A cursor within the log, from a position on: records below it are handed
    /// out, a few of them not finished, or most of them.
    fn cursor(&mut self, from: Lsn) -> Cursor {
        let readable = self.model.readable();
        let readable = &readable[readable.partition_point(|record| record.lsn < from)..];
        let read = self.random.below(readable.len() as u64 + 1) as usize;
        let position = match readable.get(read) {
            Some(record) => record.lsn,
            None => self.model.durable.max(self.model.first),
        };
        let crowds = self.plan.crowds && self.random.coin();
        let mut pending = Vec::new();
        // To the log, any position is one of a record.
        let places = (0..if crowds { FRAME_HEADER_BYTES } else { 1 }).step_by(4);
        for lsn in readable[..read].iter().flat_map(|record| places.clone().map(|at| record.lsn + at)) {
            let is_pending =
                if crowds { self.random.below(8) > 0 } else { self.random.below(read as u64) < 2 };
            if pending.len() < if crowds { CROWD } else { PENDING_MAX } && is_pending {
                let (attempts, due_ms) = (self.random.below(9) as u16, self.random.below(99));
                pending.push(Pending { lsn, attempts, due_ms, note: due_ms as u32 });
            }
        }
        Cursor { read: position, pending }
    }

    /// One record is finished, and another tried again.
    fn small_change(&mut self, mut cursor: Cursor) -> Cursor {
        let pending = cursor.pending.len() as u64;
        if pending > 0 {
            cursor.pending.remove(self.random.below(pending) as usize);
        }
        if pending > 1 {
            let tried = self.random.below(pending - 1) as usize;
            cursor.pending[tried].attempts += 1;
        }
        cursor
    }

    fn register(&mut self, consumer: u64, cursor: &Cursor) {
        let registered = self.log().register(consumer, place(consumer), cursor);
        assert_eq!(registered, Ok(()));
        self.model.cursors.insert(consumer, cursor.clone());
    }

    fn move_cursor(&mut self) {
        let consumer = self.consumer();
        let cursor = self.cursor_of(consumer, Lsn::ZERO);
        if !self.model.cursors.contains_key(&consumer) {
            return self.register(consumer, &cursor);
        }
        let registered = self.log().register(consumer, place(consumer), &cursor);
        assert_eq!(registered, Err(ConsumerError::AlreadyRegistered(consumer)));
        assert_eq!(self.log().update_cursor(consumer, place(consumer), &cursor), Ok(()));
        self.model.cursors.insert(consumer, cursor);
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

    fn seek(&mut self) {
        let readable = self.model.readable();
        let time_ms = match readable.len() as u64 {
            0 => self.clock_ms,
            records => readable[self.random.below(records) as usize].time_ms + self.random.below(2),
        };
        let expected = readable.iter().find(|record| record.time_ms >= time_ms);
        let expected = expected.map_or(self.model.durable, |record| record.lsn);
        let last = readable.last().map(|record| record.lsn);
        let log = self.log.as_ref().expect("the log is open between steps");
        match log.seek(time_ms) {
            Ok(found) => assert_eq!(found, expected, "sought {time_ms} ms"),
            Err(damage) => self.excuse(&damage.to_string()),
        }
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

    fn reopen(&mut self) {
        self.flush();
        if !self.poisoned {
            self.store_cursors();
            self.flush();
        }
        self.crash(false);
    }

    fn crash(&mut self, power: bool) {
        self.log = None;
        let survives = if power || self.disk.state().has_lost() {
            self.model.survives_power
        } else {
            self.model.survives_kill
        };
        self.end_process(power);
        self.restart(survives);
        self.observe();
    }

    fn end_process(&mut self, power: bool) {
        trace!(self, "power: {power}");
        if power { self.disk.cut_power() } else { self.disk.kill() }
    }

    fn start(&mut self) {
        self.restart(Lsn::ZERO);
    }

    /// Starts until the log opens; what `survives` must be in it.
    fn restart(&mut self, mut survives: Lsn) {
        let whole = self.disk.state().stored_to();
        if self.plan.options_change && self.random.coin() {
            self.options = self.plan.options(&mut self.random);
            self.hit(Branch::OptionsChanged);
        }
        self.poisoned = false;
        let mut crashes = 0;
        for attempt in 0.. {
            self.set_faults(attempt < FAILED_STARTS_MAX);
            trace!(self, "open {attempt}");
            let opened = self.disk.open(&self.options);
            if self.disk.state().has_lost() {
                survives = survives.min(self.model.survives_power);
            }
            let error = match opened {
                Ok((log, recovery)) => return self.started(log, &recovery, (survives, whole)),
                Err(error) => error,
            };
            trace!(self, "= {error}");
            let excused = matches!(error, OpenError::Io { .. } | OpenError::Shortage { .. });
            assert!(excused, "a log that has only crashed is refused: {error}");
            assert!(self.disk.state().take_failed(), "{error}");
            if self.disk.state().is_dead() {
                crashes += 1;
                self.hit(if crashes == 1 { Branch::CrashInRecovery } else { Branch::SecondCrashInRecovery });
            }
            let power = self.random.coin();
            if power {
                survives = survives.min(self.model.survives_power);
            }
            self.end_process(power);
        }
    }

    fn set_faults(&mut self, on: bool) {
        let mut state = self.disk.state();
        state.faults = if on { self.plan.faults } else { Faults::default() };
        state.is_full &= on;
        state.take_failed();
        state.dies_in =
            (on && self.plan.dies_in_recovery && self.random.coin()).then(|| self.random.below(12));
    }

    fn started(&mut self, log: Log, recovery: &eagre_wal::Recovery, promise: (Lsn, Lsn)) {
        trace!(self, "= {recovery:?}, durable {}, end {}", log.durable(), log.end());
        {
            let mut state = self.disk.state();
            state.dies_in = None;
            state.accept(log.durable());
            // Segments from before the options changed may be larger.
            let largest = state.files.values().map(|file| file.cache().len() as u64).max().unwrap_or(0);
            let two = largest + self.options.segment_bytes;
            self.bytes_max = self.options.max_bytes.max(state.bytes()).max(two);
            self.model.recovered(&log, recovery, promise, &mut state.coverage);
        }
        if log.end() > log.durable() {
            self.hit(Branch::BegunSegment);
            let (base, time_ms) = (log.durable(), self.model.time_ms);
            self.model.stored_all(base + HEADER_BYTES, time_ms);
        }
        self.log = Some(log);
        self.read_all();
    }

    /// Every record is there, with its bytes, and no other.
    fn read_all(&mut self) {
        let log = self.log.as_ref().expect("the log is open");
        let mut at = Lsn::ZERO;
        let first = self.sequence_of(self.model.first);
        for (record, sequence) in self.model.readable().iter().zip(first..) {
            let entry = log.read(at).unwrap_or_else(|damage| panic!("{damage}"));
            let entry: Entry = entry.unwrap_or_else(|| panic!("no record at {}", record.lsn));
            assert!(is_same(&entry, record, sequence), "{entry:?} is not {record:?}");
            at = entry.next;
        }
        assert_eq!(log.read(at).ok(), Some(None), "a record that nobody appended");
    }

    /// On a disk in peace, consumers that advance bring every log back to work.
    fn resume(&mut self) {
        self.set_faults(false);
        if self.poisoned {
            self.crash(true);
            self.set_faults(false);
        }
        if self.plan.faults.failed_write_back > 0 {
            // A loss in the background is yet to be told.
            self.crash(true);
            self.set_faults(false);
        }
        let records = self.model.records.len();
        for _ in 0..TURNS_MAX {
            self.append(1);
            if self.model.records.len() > records {
                break;
            }
            self.flush();
            let end = self.log().durable();
            for consumer in
                (0..CONSUMERS).filter(|id| self.model.cursors.contains_key(id)).collect::<Vec<_>>()
            {
                let cursor = Cursor { read: end, pending: Vec::new() };
                assert_eq!(self.log().update_cursor(consumer, Place::Here, &cursor), Ok(()));
                self.model.cursors.insert(consumer, cursor);
            }
            self.store_cursors();
            self.flush();
            let now = self.clock_ms;
            self.log().release(now);
            self.disk.state().now += Duration::from_millis(100);
            self.checked(Log::poll);
            self.observe();
        }
        assert!(self.model.records.len() > records, "a log with room takes no record");
        self.hit(Branch::Resumed);
        self.flush();
        self.observe();
    }

    /// The disk loses or changes what was durable.
    fn rot(&mut self) {
        self.crash(true);
        self.set_faults(false);
        self.log = None;
        self.disk.kill();
        let image = self.disk.image();
        let mut state = self.disk.state();
        let mut random = self.random.fork();
        let crate::disk::State { trace, coverage, .. } = &mut *state;
        rot::rot(&mut random, &self.model, &self.options, &image, trace, coverage);
    }
}

/// Where a consumer stands, for good.
fn place(consumer: u64) -> Place {
    if consumer == ELSEWHERE { Place::Elsewhere } else { Place::Here }
}

/// What leads from one cursor to another.
struct Change {
    read: Lsn,
    changed: Vec<Pending>,
    finished: Vec<Lsn>,
}

impl Change {
    fn of(from: &Cursor, to: &Cursor) -> Self {
        let has = |cursor: &Cursor, lsn| cursor.pending.iter().any(|pending| pending.lsn == lsn);
        let changed = to.pending.iter().filter(|pending| !from.pending.contains(pending));
        let finished = from.pending.iter().map(|pending| pending.lsn).filter(|lsn| !has(to, *lsn));
        Self { read: to.read, changed: changed.copied().collect(), finished: finished.collect() }
    }

    fn progress(&self, consumer: u64) -> Progress<'_> {
        let Self { read, changed, finished } = self;
        Progress { place: place(consumer), read: *read, changed, finished }
    }
}
