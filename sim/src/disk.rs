//! A disk in memory with the habits of a real one.
//!
//! - Written bytes lie in pages of the kernel until they are synced, or written
//!   back whenever the kernel likes. At a loss of power each such page is old,
//!   new, or torn between sectors; at the end of a process all are kept. A write
//!   in flight may be there in part.
//! - A sync that fails leaves its pages clean: the next sync succeeds without
//!   them, and what was lost shows when the kernel reads them again.
//! - Segments are made and removed one after another, beside the writes. At a
//!   crash a name that was in work is there or not; a segment is whole or not
//!   there.
//! - Every call can fail, and a process can die in any call of its recovery.
//!
//! One number decides everything. A new disk has no faults and takes no time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::File as Device,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use eagre_wal::{Chore, Completion, Header, Listing, Log, Lsn, OpenError, Options, Recovery, Storage};

use crate::{
    coverage::{Branch, Coverage},
    faults::{EDQUOT, EFBIG, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, Faults},
    file::File,
    random::Random,
    trace::Trace,
};

/// A write or sync in flight, and the turn in which it may end.
#[derive(Debug)]
enum Flight {
    Write { base: Lsn, offset: usize, buffer: Vec<u8>, from: usize, due: u64 },
    Sync { base: Lsn, due: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Job {
    Prepare(Header),
    Remove(Lsn),
}

/// A change of a name that a loss of power may undo.
#[derive(Debug)]
enum Renamed {
    /// And what had the name before.
    Made(Lsn, Option<File>),
    Removed(Lsn, File),
}

/// What a disk holds and does. Tests set its public fields.
#[derive(Debug)]
pub struct State {
    /// The segments, as the kernel names them.
    pub files: BTreeMap<Lsn, File>,
    /// Names that are not the log's.
    pub unknown: Vec<String>,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Writes, syncs and chores that were begun.
    pub operations: u64,
    /// The operation with this number fails thus.
    pub fail: Option<(u64, i32)>,
    /// No segment finds space.
    pub is_full: bool,
    /// Nothing can be opened or mapped.
    pub is_out_of_descriptors: bool,
    /// Syncs do not end.
    pub hold_syncs: bool,
    /// Times that somebody asked to be woken.
    pub wakes: u64,
    /// Writes end after this many bytes.
    pub write_bytes_max: Option<usize>,
    /// Recovery's zeros end with the process, after this many bytes.
    pub zero_budget: Option<u64>,
    /// The process dies in this call of recovery, counted from now.
    pub dies_in: Option<u64>,
    /// Monotonic time.
    pub now: Duration,
    /// What happened.
    pub trace: Trace,
    /// Which branches were taken.
    pub coverage: Coverage,
    /// What the disk leaves to chance.
    pub random: Random,
    /// Bits that only this disk's logs get.
    pub entropy: u32,
    /// Where the last write ends that was begun.
    intended_to: Lsn,
    /// Segments that the process has mapped.
    mapped: BTreeSet<Lsn>,
    renamed: Vec<Renamed>,
    flight: Option<Flight>,
    chores: VecDeque<(Job, u64)>,
    turn: u64,
    is_dead: bool,
    has_failed: bool,
    is_fatal: bool,
    has_lost: bool,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    event: Arc<Device>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk, the same each time.
    #[must_use]
    pub fn new() -> Self {
        let disk = Self::seeded(Random(0), Trace::hashed());
        disk.state().entropy = 0x00c0_ffee;
        disk
    }

    /// An empty disk.
    ///
    /// # Panics
    /// Without `/dev/null`.
    #[must_use]
    pub fn seeded(mut random: Random, trace: Trace) -> Self {
        let state = State {
            files: BTreeMap::new(),
            unknown: Vec::new(),
            faults: Faults::default(),
            operations: 0,
            fail: None,
            is_full: false,
            is_out_of_descriptors: false,
            hold_syncs: false,
            wakes: 0,
            write_bytes_max: None,
            zero_budget: None,
            dies_in: None,
            now: Duration::ZERO,
            trace,
            coverage: Coverage::default(),
            intended_to: Lsn::ZERO,
            mapped: BTreeSet::new(),
            renamed: Vec::new(),
            flight: None,
            chores: VecDeque::new(),
            turn: 0,
            entropy: random.next() as u32,
            random,
            is_dead: false,
            has_failed: false,
            is_fatal: false,
            has_lost: false,
        };
        // Something that can be polled and is always readable.
        let event = Device::open("/dev/null").expect("/dev/null opens");
        Self { state: Arc::new(Mutex::new(state)), event: Arc::new(event) }
    }

    /// A disk that holds these segments, all of it on the platter.
    #[must_use]
    pub fn with(segments: &BTreeMap<Lsn, Vec<u8>>) -> Self {
        let disk = Self::new();
        disk.state().files = segments.iter().map(|(base, bytes)| (*base, File::new(bytes.clone()))).collect();
        disk
    }

    /// What the disk holds and does.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A violated promise is a panic; what it left is looked at all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log on this disk.
    ///
    /// # Errors
    /// As [`Log::open_on`].
    pub fn open(&self, options: &Options) -> Result<(Log, Recovery), OpenError> {
        Log::open_on(Box::new(self.clone()), Path::new("disk"), options.clone())
    }

    /// What the platter holds.
    #[must_use]
    pub fn image(&self) -> BTreeMap<Lsn, Vec<u8>> {
        self.state().files.iter().map(|(base, file)| (*base, file.platter().to_vec())).collect()
    }

    /// The process ends: the kernel keeps what it was given.
    pub fn kill(&self) {
        let mut state = self.state();
        state.coverage.hit(Branch::Killed);
        state.end_process();
    }

    /// The power fails.
    pub fn cut_power(&self) {
        let mut state = self.state();
        state.coverage.hit(Branch::PowerCut);
        state.end_process();
        state.cut_power();
    }
}

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

    fn end_process(&mut self) {
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

    fn cut_power(&mut self) {
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
    fn rename(&mut self, job: Job) {
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
    fn pass_turn(&mut self) {
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

    fn due(&mut self) -> u64 {
        self.turn + if self.faults.turns_max > 0 { self.random.below(self.faults.turns_max + 1) } else { 0 }
    }

    /// Counts an operation that begins, and fails it if a test wants so.
    fn begin(&mut self) -> Option<io::Error> {
        self.operations += 1;
        let (_, errno) = self.fail.filter(|(operation, _)| *operation == self.operations)?;
        Some(io::Error::from_raw_os_error(errno))
    }

    fn roll(&mut self, per_mille: u64, errnos: &[i32]) -> Option<io::Error> {
        if !self.random.chance(per_mille) {
            return None;
        }
        Some(io::Error::from_raw_os_error(self.random.pick(errnos)))
    }

    /// A call of recovery: it may fail, or the process die in it.
    fn call(&mut self) -> io::Result<()> {
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

    fn map(&mut self, base: Lsn) -> io::Result<()> {
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

    fn file(&mut self, base: Lsn) -> io::Result<&mut File> {
        self.files.get_mut(&base).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn finish_write(&mut self, base: Lsn, offset: usize, buffer: Vec<u8>, from: usize) -> Completion {
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

    fn finish_sync(&mut self, base: Lsn) -> Completion {
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

    fn finish_prepare(&mut self, header: Header) -> io::Result<()> {
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

    fn finish_remove(&mut self, base: Lsn) -> io::Result<()> {
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
    fn short_of_resources(&mut self) -> Option<io::Error> {
        let out = self.is_out_of_descriptors.then(|| io::Error::from_raw_os_error(EMFILE));
        let error = out.or_else(|| self.roll(self.faults.no_resources, &[EMFILE, ENFILE, ENOMEM]));
        error.inspect(|_| self.coverage.hit(Branch::NoResources))
    }

    /// Nobody takes the operation in flight.
    fn refuse(&mut self) -> Option<Completion> {
        let error = self.roll(self.faults.refused, &[EINVAL])?;
        self.coverage.hit(Branch::Refused);
        self.is_fatal = true;
        Some(Completion::Refused(error))
    }
}

impl Storage for Disk {
    fn list(&mut self) -> io::Result<Listing> {
        let mut state = self.state();
        let called = state.call();
        state.trace.line(format_args!("  list: {called:?}"));
        called?;
        state.renamed.clear();
        Ok(Listing { segments: state.files.keys().copied().collect(), unknown: state.unknown.clone() })
    }

    fn settle(&mut self, base: Lsn) -> io::Result<()> {
        let mut state = self.state();
        let mut settled = state.call();
        if state.is_dead {
            return settled;
        }
        let State { files, random, coverage, .. } = &mut *state;
        let file = files.get_mut(&base).ok_or(io::ErrorKind::NotFound)?;
        if settled.is_err() {
            file.fail_sync(random, coverage);
        } else {
            settled = file.sync();
        }
        file.evict();
        state.mapped.remove(&base);
        state.has_failed |= settled.is_err();
        state.has_lost |= settled.is_err();
        state.trace.line(format_args!("  settle {base}: {settled:?}"));
        settled
    }

    fn view(&self, base: Lsn) -> io::Result<Bytes> {
        let mut state = self.state();
        if state.is_dead {
            return Err(io::Error::other("the process has died"));
        }
        if !state.mapped.contains(&base) {
            state.map(base)?;
        }
        state.file(base).map(File::view)
    }

    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()> {
        let mut state = self.state();
        let mut called = state.call();
        let mut zeroed = to - from;
        if called.is_err() {
            zeroed = state.random.below(zeroed + 1);
        }
        if let Some(budget) = &mut state.zero_budget {
            zeroed = zeroed.min(*budget);
            *budget -= zeroed;
            if zeroed < to - from {
                called = Err(io::ErrorKind::Interrupted.into());
            }
        }
        state.trace.line(format_args!("  zero {base} {from}..{to}: {called:?}, {zeroed} bytes"));
        state.mapped.remove(&base);
        let file = state.file(base)?;
        file.write(from as usize, &vec![0; zeroed as usize]);
        called?;
        file.sync()
    }

    fn hold(&mut self, base: Lsn) -> io::Result<()> {
        let mut state = self.state();
        let held = state.call();
        state.trace.line(format_args!("  hold {base}: {held:?}"));
        held?;
        if state.mapped.contains(&base) { Ok(()) } else { state.map(base) }
    }

    fn prepare(&mut self, header: Header) {
        let mut state = self.state();
        let due = state.due();
        state.trace.line(format_args!("  prepare {} of {}", header.base, header.segment_bytes));
        state.chores.push_back((Job::Prepare(header), due));
    }

    fn remove(&mut self, base: Lsn) {
        let mut state = self.state();
        let due = state.due();
        state.trace.line(format_args!("  remove {base}"));
        state.coverage.hit(Branch::Release);
        let removes = state.chores.iter().any(|(job, _)| matches!(job, Job::Remove(_)));
        assert!(!removes, "segments are removed one after another");
        state.mapped.remove(&base);
        state.chores.push_back((Job::Remove(base), due));
    }

    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize) {
        let mut state = self.state();
        let (due, offset) = (state.due(), offset as usize);
        assert!(state.flight.is_none(), "one write or sync is in flight at a time");
        state.file(base).expect("only segments are written to").intend(offset, &buffer[from..]);
        state.intended_to = base + (offset + buffer.len() - from) as u64;
        state.trace.line(format_args!("  write {base}+{offset}, {} bytes", buffer.len() - from));
        state.flight = Some(Flight::Write { base, offset, buffer, from, due });
    }

    fn sync(&mut self, base: Lsn) {
        let mut state = self.state();
        let due = state.due();
        assert!(state.flight.is_none(), "one write or sync is in flight at a time");
        assert!(state.files.contains_key(&base), "only segments are synced");
        state.trace.line(format_args!("  sync {base}"));
        state.flight = Some(Flight::Sync { base, due });
    }

    fn completion(&mut self) -> Option<Completion> {
        let mut state = self.state();
        let (turn, hold_syncs) = (state.turn, state.hold_syncs);
        let flight = state.flight.take_if(|flight| match flight {
            Flight::Write { due, .. } => *due <= turn,
            Flight::Sync { due, .. } => *due <= turn && !hold_syncs,
        })?;
        let completion = state.refuse().unwrap_or_else(|| match flight {
            Flight::Write { base, offset, buffer, from, .. } => {
                state.finish_write(base, offset, buffer, from)
            }
            Flight::Sync { base, .. } => state.finish_sync(base),
        });
        match &completion {
            Completion::Written { result, .. } => state.trace.line(format_args!("  written: {result:?}")),
            Completion::Synced(result) => state.trace.line(format_args!("  synced: {result:?}")),
            Completion::Refused(error) => state.trace.line(format_args!("  refused: {error}")),
        }
        Some(completion)
    }

    fn chore(&mut self) -> Option<Chore> {
        let mut state = self.state();
        let turn = state.turn;
        let (job, _) = if state.is_dead { None } else { state.chores.pop_front_if(|(_, due)| *due <= turn) }?;
        if state.flight.is_some() {
            state.coverage.hit(Branch::FlushAfterChore);
        }
        let chore = match job {
            Job::Prepare(header) => Chore::Prepared(header, state.finish_prepare(header)),
            Job::Remove(base) => Chore::Removed(base, state.finish_remove(base)),
        };
        state.trace.line(format_args!("  chore: {chore:?}"));
        Some(chore)
    }

    fn wait(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.pass_turn();
        state.call()
    }

    fn clear_event(&mut self) {
        self.state().pass_turn();
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn wake_at(&mut self, _: Duration) {
        self.state().wakes += 1;
    }

    fn now(&self) -> Duration {
        self.state().now
    }

    fn entropy(&mut self) -> u32 {
        self.state().entropy
    }
}

/// What the log waits for, and no failure of the disk.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENOSPC | EDQUOT | EFBIG | EMFILE | ENFILE | ENOMEM))
}
