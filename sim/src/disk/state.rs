//! What happens to what the disk holds: turns, faults, and what is left of a crash.

use super::*;

impl State {
    /// A page was lost since what is there was accepted; the log need not know.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// The log was told of a failure that is final.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.is_fatal
    }

    /// A call has failed since this was asked.
    pub fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.has_failed)
    }

    /// The process died in a call.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Bytes of all files, those in work included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let made: u64 = self.files.values().map(|file| file.cache().len() as u64).sum();
        let in_work = self.chores.iter().map(|(job, _)| match job {
            Job::Prepare(header) if !self.files.contains_key(&header.base) => header.segment_bytes,
            _ => 0,
        });
        made + in_work.sum::<u64>()
    }

    /// The segment in which a position lies, or after which it lies.
    #[must_use]
    pub fn base_of(&self, lsn: Lsn) -> Lsn {
        self.files.range(..=lsn).next_back().map_or(Lsn::ZERO, |(base, _)| *base)
    }

    /// Everything that the process wrote below this position is on the platter.
    #[must_use]
    pub fn stored_to(&self) -> Lsn {
        let differs = self.files.iter().find_map(|(base, file)| Some(*base + file.differs_at()? as u64));
        differs.unwrap_or(Lsn::MAX).min(self.intended_to)
    }

    /// What is there now is what is meant to be there, and ends here.
    pub fn accept(&mut self, end: Lsn) {
        self.files.values_mut().for_each(File::accept);
        self.intended_to = end;
        self.has_lost = false;
    }

    pub(super) fn end_process(&mut self) {
        let Self { files, random, coverage, flight, faults, .. } = self;
        match flight.take() {
            Some(Flight::Write { base, offset, buffer, from, .. }) => {
                let bytes = &buffer[from..];
                let torn = faults.short_write > 0;
                let arrived = if torn { random.below(bytes.len() as u64 + 1) as usize } else { bytes.len() };
                if arrived < bytes.len() {
                    coverage.hit(Branch::WriteCutByCrash);
                }
                if let Some(file) = files.get_mut(&base) {
                    file.write(offset, &bytes[..arrived]);
                }
            }
            Some(Flight::Sync { base, .. }) => {
                coverage.hit(Branch::SyncCutByCrash);
                if random.coin() {
                    // It was done, only nobody has heard of it.
                    files.get_mut(&base).map(File::sync);
                }
            }
            None => {}
        }
        let mut done = self.random.below(self.chores.len() as u64 + 1);
        while let Some((job, _)) = self.chores.pop_front() {
            if done == 0 {
                // It was in work: its name is there, but its directory not synced.
                if self.random.coin() {
                    self.rename(job);
                }
                break;
            }
            done -= 1;
            self.rename(job);
            self.renamed.clear();
        }
        self.chores.clear();
        self.mapped.clear();
        self.is_dead = false;
        self.is_fatal = false;
    }

    pub(super) fn cut_power(&mut self) {
        for renamed in std::mem::take(&mut self.renamed).into_iter().rev() {
            let lost = self.random.coin();
            self.coverage.hit(if lost { Branch::NameLost } else { Branch::NameKept });
            match renamed {
                Renamed::Made(base, None) if lost => drop(self.files.remove(&base)),
                Renamed::Made(base, Some(before)) if lost => drop(self.files.insert(base, before)),
                Renamed::Removed(base, file) if lost => drop(self.files.insert(base, file)),
                _ => {}
            }
        }
        for file in self.files.values_mut() {
            file.cut_power(&mut self.random, &mut self.coverage);
        }
    }

    /// Does a chore, but for the sync of the directory.
    pub(super) fn rename(&mut self, job: Job) {
        match job {
            Job::Prepare(header) => {
                let mut bytes = header.encode();
                bytes.resize(header.segment_bytes as usize, 0);
                let before = self.files.insert(header.base, File::new(bytes));
                if before.is_some() {
                    self.coverage.hit(Branch::SpareReplaced);
                }
                self.renamed.push(Renamed::Made(header.base, before));
            }
            Job::Remove(base) => {
                if let Some(file) = self.files.remove(&base) {
                    self.renamed.push(Renamed::Removed(base, file));
                }
            }
        }
    }

    /// Time passes for what is in flight, and the kernel does as it likes.
    pub(super) fn pass_turn(&mut self) {
        self.turn += 1;
        self.now += Duration::from_millis(1);
        let Self { files, faults, random, coverage, .. } = self;
        let Some(at) = (files.len() as u64).checked_sub(1) else { return };
        // Most is going on in the last two files.
        let at = at.saturating_sub(random.below(3)) as usize;
        let file = files.values_mut().nth(at).expect("there are so many files");
        if random.chance(faults.write_back) && file.write_back(random) {
            coverage.hit(Branch::WriteBack);
        }
        if random.chance(faults.failed_write_back) && file.fail_write_back(random, coverage) {
            coverage.hit(Branch::FailedWriteBack);
            self.has_lost = true;
        }
        if random.chance(faults.eviction) {
            coverage.hit(Branch::Eviction);
            file.evict();
        }
    }

    pub(super) fn due(&mut self) -> u64 {
        self.turn + if self.faults.turns_max > 0 { self.random.below(self.faults.turns_max + 1) } else { 0 }
    }

    /// Counts an operation that begins, and fails it if a test wants so.
    pub(super) fn begin(&mut self) -> Option<io::Error> {
        self.operations += 1;
        let (_, errno) = self.fail.filter(|(operation, _)| *operation == self.operations)?;
        Some(io::Error::from_raw_os_error(errno))
    }

    pub(super) fn roll(&mut self, per_mille: u64, errnos: &[i32]) -> Option<io::Error> {
        if !self.random.chance(per_mille) {
            return None;
        }
        Some(io::Error::from_raw_os_error(self.random.pick(errnos)))
    }

    /// A call of recovery: it may fail, or the process die in it.
    pub(super) fn call(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.dies_in {
            if *left == 0 {
                self.dies_in = None;
                self.is_dead = true;
            } else {
                *left -= 1;
            }
        }
        if self.is_dead {
            self.has_failed = true;
            return Err(io::Error::other("the process has died"));
        }
        let errnos = [EIO, ENOSPC, EDQUOT, EINTR, EMFILE, ENFILE, ENOMEM];
        let error = self.roll(self.faults.failed_recovery, &errnos);
        error.map_or(Ok(()), |error| {
            self.has_failed = true;
            self.coverage.hit(Branch::FailedRecovery);
            Err(error)
        })
    }

    pub(super) fn map(&mut self, base: Lsn) -> io::Result<()> {
        let error = self.is_out_of_descriptors.then(|| io::Error::from_raw_os_error(EMFILE));
        let error =
            error.or_else(|| self.roll(self.faults.failed_view, &[EIO, EINTR, EMFILE, ENFILE, ENOMEM]));
        let Some(error) = error else {
            self.mapped.insert(base);
            return Ok(());
        };
        self.has_failed = true;
        self.coverage.hit(Branch::FailedView);
        self.trace.line(format_args!("  view {base}: {error}"));
        Err(error)
    }

    pub(super) fn file(&mut self, base: Lsn) -> io::Result<&mut File> {
        self.files.get_mut(&base).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn finish_write(
        &mut self,
        base: Lsn,
        offset: usize,
        buffer: Vec<u8>,
        from: usize,
    ) -> Completion {
        let mut result = Ok(buffer.len() - from);
        if let Some(error) = self.roll(self.faults.interrupted_write, &[EINTR]) {
            self.coverage.hit(Branch::InterruptedWrite);
            result = Err(error);
        } else if let Some(error) = self.roll(self.faults.failed_write, &[EIO, ENOSPC, EDQUOT]) {
            self.coverage.hit(Branch::FailedWrite);
            result = Err(error);
        } else if self.random.chance(self.faults.short_write) && buffer.len() - from > 1 {
            self.coverage.hit(Branch::ShortWrite);
            result = Ok(1 + self.random.below((buffer.len() - from - 1) as u64) as usize);
        }
        if let Some(max) = self.write_bytes_max {
            result = result.map(|bytes| bytes.min(max));
        }
        if let Some(error) = self.begin() {
            result = Err(error);
        }
        let arrived = match &result {
            Ok(bytes) => *bytes,
            Err(error) if error.raw_os_error() == Some(EINTR) => 0,
            // A write that fails may have come some way.
            Err(_) => self.random.below((buffer.len() - from) as u64 + 1) as usize,
        };
        let failed = result.as_ref().is_err_and(|error| error.raw_os_error() != Some(EINTR));
        self.is_fatal |= failed || matches!(result, Ok(0));
        let file = self.files.get_mut(&base).expect("no segment is removed while it is written");
        file.write(offset, &buffer[from..from + arrived]);
        Completion::Written { buffer, result }
    }

    pub(super) fn finish_sync(&mut self, base: Lsn) -> Completion {
        let error = self.roll(self.faults.failed_sync, &[EIO, ENOSPC, EDQUOT, EINTR]);
        let error = self.begin().or(error);
        let Self { files, random, coverage, .. } = self;
        let file = files.get_mut(&base).expect("no segment is removed while it is synced");
        let result = match error {
            Some(error) => {
                file.fail_sync(random, coverage);
                Err(error)
            }
            None => file.sync(),
        };
        if result.is_err() {
            self.coverage.hit(Branch::FailedSync);
            self.is_fatal = true;
            self.has_lost = true;
        }
        if !self.chores.is_empty() {
            self.coverage.hit(Branch::ChoreAfterFlush);
        }
        Completion::Synced(result)
    }

    pub(super) fn finish_prepare(&mut self, header: Header) -> io::Result<()> {
        let full = self.is_full.then(|| io::Error::from_raw_os_error(ENOSPC));
        let full = full.or_else(|| self.roll(self.faults.no_space, &[ENOSPC, EDQUOT, EFBIG]));
        if full.is_some() {
            self.coverage.hit(Branch::NoSpace);
        }
        let short = full.or_else(|| self.short_of_resources());
        let error = short.or_else(|| self.roll(self.faults.failed_prepare, &[EIO, EINTR]));
        let Some(error) = self.begin().or(error) else {
            self.rename(Job::Prepare(header));
            self.renamed.clear();
            self.mapped.insert(header.base);
            return Ok(());
        };
        if !is_shortage(&error) {
            self.coverage.hit(Branch::FailedPrepare);
            self.is_fatal = true;
        }
        self.has_failed = true;
        Err(error)
    }

    pub(super) fn finish_remove(&mut self, base: Lsn) -> io::Result<()> {
        let short = self.short_of_resources();
        let error = short.or_else(|| self.roll(self.faults.failed_remove, &[EIO, ENOSPC, EINTR]));
        let Some(error) = self.begin().or(error) else {
            self.rename(Job::Remove(base));
            self.renamed.clear();
            return Ok(());
        };
        self.has_failed = true;
        if self.random.coin() {
            // It was the sync of the directory that failed.
            self.rename(Job::Remove(base));
        }
        self.coverage.hit(if is_shortage(&error) { Branch::RemovalWaits } else { Branch::FailedRemove });
        self.is_fatal |= !is_shortage(&error);
        Err(error)
    }

    /// The process or the machine has no descriptor or no memory left.
    pub(super) fn short_of_resources(&mut self) -> Option<io::Error> {
        let out = self.is_out_of_descriptors.then(|| io::Error::from_raw_os_error(EMFILE));
        let error = out.or_else(|| self.roll(self.faults.no_resources, &[EMFILE, ENFILE, ENOMEM]));
        error.inspect(|_| self.coverage.hit(Branch::NoResources))
    }

    /// Nobody takes the operation in flight.
    pub(super) fn refuse(&mut self) -> Option<Completion> {
        let error = self.roll(self.faults.refused, &[EINVAL])?;
        self.coverage.hit(Branch::Refused);
        self.is_fatal = true;
        Some(Completion::Refused(error))
    }
}

/// What the log waits for, and no failure of the disk.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENOSPC | EDQUOT | EFBIG | EMFILE | ENFILE | ENOMEM))
}
