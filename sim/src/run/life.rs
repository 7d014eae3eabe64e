//! Ends and beginnings: crashes, starts on a disk with faults, and what must be there then.

use super::*;

impl Simulation {
    pub(super) fn reopen(&mut self) {
        self.flush();
        if !self.poisoned {
            self.store_cursors();
            self.flush();
        }
        self.crash(false);
    }

    pub(super) fn crash(&mut self, power: bool) {
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

    pub(super) fn end_process(&mut self, power: bool) {
        trace!(self, "power: {power}");
        if power { self.disk.cut_power() } else { self.disk.kill() }
    }

    pub(super) fn start(&mut self) {
        self.restart(Lsn::ZERO);
    }

    /// Starts until the log opens; what `survives` must be in it.
    pub(super) fn restart(&mut self, mut survives: Lsn) {
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

    pub(super) fn set_faults(&mut self, on: bool) {
        let mut state = self.disk.state();
        state.faults = if on { self.plan.faults } else { Faults::default() };
        state.is_full &= on;
        state.take_failed();
        state.dies_in =
            (on && self.plan.dies_in_recovery && self.random.coin()).then(|| self.random.below(12));
    }

    pub(super) fn started(&mut self, log: Log, recovery: &eagre_wal::Recovery, promise: (Lsn, Lsn)) {
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
    pub(super) fn read_all(&mut self) {
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
    pub(super) fn resume(&mut self) {
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
    pub(super) fn rot(&mut self) {
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
