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

mod state;
mod storage;

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
