//! A disk in memory that forgets what was not synced, sector by sector, and
//! fails when it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use eagre_wal::{Chore, Completion, Header, Listing, Log, Lsn, OpenError, Options, Recovery, Storage};

use super::random::Random;

const SECTOR_BYTES: usize = 512;

/// A segment: what the platter has, and what readers see.
#[derive(Clone, Debug)]
pub struct Segment {
    pub platter: Vec<u8>,
    pub cache: Vec<u8>,
}

/// What a started operation will do when it ends.
#[derive(Clone, Debug)]
enum Operation {
    Write { base: Lsn, offset: u64, buffer: Vec<u8>, from: usize },
    Sync { base: Lsn },
}

#[derive(Debug, Default)]
pub struct State {
    pub segments: BTreeMap<Lsn, Segment>,
    pub unknown: Vec<String>,
    operation: Option<Operation>,
    chores: VecDeque<Chore>,
    /// Writes, syncs and chores that were begun.
    pub operations: u64,
    /// Each operation with this number fails thus.
    pub fail: Option<(u64, i32)>,
    /// Nothing can be prepared.
    pub is_full: bool,
    /// Syncs do not end.
    pub hold_syncs: bool,
    /// Writes end after this many bytes.
    pub write_bytes_max: Option<usize>,
    /// Recovery's writes end with the process, after this many bytes.
    pub zero_budget: Option<u64>,
    pub now: Duration,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    event: Arc<File>,
}

impl Disk {
    pub fn new() -> Self {
        let event = File::open("/dev/null").expect("/dev/null opens");
        Self { state: Arc::default(), event: Arc::new(event) }
    }

    /// A disk that holds these segments, all of it on the platter.
    pub fn with(segments: &BTreeMap<Lsn, Vec<u8>>) -> Self {
        let disk = Self::new();
        for (base, bytes) in segments {
            disk.state().segments.insert(*base, Segment { platter: bytes.clone(), cache: bytes.clone() });
        }
        disk
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with the disk in its hands")
    }

    pub fn open(&self, options: &Options) -> Result<(Log, Recovery), OpenError> {
        Log::open_on(Box::new(self.clone()), Path::new("disk"), options.clone())
    }

    /// What the platter holds.
    pub fn image(&self) -> BTreeMap<Lsn, Vec<u8>> {
        self.state().segments.iter().map(|(base, segment)| (*base, segment.platter.clone())).collect()
    }

    /// The power fails: of what was not synced, each sector is old or new.
    pub fn cut_power(&self, random: &mut Random) {
        let mut state = self.state();
        if random.coin() {
            state.apply_write();
        }
        state.operation = None;
        state.chores.clear();
        for segment in state.segments.values_mut() {
            let Segment { platter, cache } = segment;
            for (old, new) in platter.chunks_mut(SECTOR_BYTES).zip(cache.chunks_mut(SECTOR_BYTES)) {
                if old != new && random.coin() {
                    old.copy_from_slice(new);
                }
                new.copy_from_slice(old);
            }
        }
    }

    /// The process ends: the kernel keeps what it was given.
    pub fn kill(&self) {
        let mut state = self.state();
        state.apply_write();
        state.operation = None;
        state.chores.clear();
    }
}

impl State {
    fn begin(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.fail {
            Some((operation, errno)) if operation == self.operations => {
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(()),
        }
    }

    /// Bytes of the write in flight reach the cache.
    fn apply_write(&mut self) -> usize {
        let Some(Operation::Write { base, offset, buffer, from }) = &self.operation else { return 0 };
        let bytes = &buffer[*from..];
        let bytes = &bytes[..bytes.len().min(self.write_bytes_max.unwrap_or(usize::MAX))];
        let segment = self.segments.get_mut(base).expect("only segments are written to");
        segment.cache[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    fn missing() -> io::Error {
        io::ErrorKind::NotFound.into()
    }
}

impl Storage for Disk {
    fn list(&mut self) -> io::Result<Listing> {
        let state = self.state();
        Ok(Listing { segments: state.segments.keys().copied().collect(), unknown: state.unknown.clone() })
    }

    fn settle(&mut self, base: Lsn) -> io::Result<()> {
        let mut state = self.state();
        let segment = state.segments.get_mut(&base).ok_or_else(State::missing)?;
        segment.platter = segment.cache.clone();
        Ok(())
    }

    fn view(&self, base: Lsn) -> io::Result<Bytes> {
        let state = self.state();
        let segment = state.segments.get(&base).ok_or_else(State::missing)?;
        Ok(Bytes::copy_from_slice(&segment.cache))
    }

    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()> {
        let mut state = self.state();
        let wanted = to - from;
        let granted = state.zero_budget.map_or(wanted, |budget| budget.min(wanted));
        state.zero_budget = state.zero_budget.map(|budget| budget - granted);
        let segment = state.segments.get_mut(&base).ok_or_else(State::missing)?;
        segment.cache[from as usize..(from + granted) as usize].fill(0);
        segment.platter = segment.cache.clone();
        if granted < wanted { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    fn prepare(&mut self, header: Header) {
        let mut state = self.state();
        let full = if state.is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
        let result = state.begin().and(full);
        if result.is_ok() {
            let mut bytes = header.encode();
            bytes.resize(header.segment_bytes as usize, 0);
            state.segments.insert(header.base, Segment { platter: bytes.clone(), cache: bytes });
        }
        state.chores.push_back(Chore::Prepared(header, result));
    }

    fn remove(&mut self, base: Lsn) {
        let mut state = self.state();
        let result = state.begin();
        if result.is_ok() {
            state.segments.remove(&base);
        }
        state.chores.push_back(Chore::Removed(base, result));
    }

    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize) {
        let mut state = self.state();
        assert!(state.operation.is_none(), "one operation is in flight at a time");
        state.operation = Some(Operation::Write { base, offset, buffer, from });
    }

    fn sync(&mut self, base: Lsn) {
        let mut state = self.state();
        assert!(state.operation.is_none(), "one operation is in flight at a time");
        state.operation = Some(Operation::Sync { base });
    }

    fn completion(&mut self) -> Option<Completion> {
        let mut state = self.state();
        if matches!(state.operation.as_ref()?, Operation::Sync { .. }) && state.hold_syncs {
            return None;
        }
        let begun = state.begin();
        let wrote = if begun.is_ok() { state.apply_write() } else { 0 };
        Some(match state.operation.take()? {
            Operation::Write { buffer, .. } => Completion::Written { buffer, result: begun.map(|()| wrote) },
            Operation::Sync { base } => {
                if begun.is_ok() {
                    let segment = state.segments.get_mut(&base).expect("only segments are synced");
                    segment.platter = segment.cache.clone();
                }
                Completion::Synced(begun)
            }
        })
    }

    fn chore(&mut self) -> Option<Chore> {
        self.state().chores.pop_front()
    }

    fn wait(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Time passes as long as somebody looks.
    fn clear_event(&mut self) {
        self.state().now += Duration::from_millis(1);
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn wake_at(&mut self, _: Duration) {}

    fn now(&self) -> Duration {
        self.state().now
    }

    fn entropy(&mut self) -> u32 {
        0x00c0_ffee
    }
}
