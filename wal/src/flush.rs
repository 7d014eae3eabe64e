//! Group commit: what is pending → written → synced.
//!
//! Records gather in chunks of one segment each. One chunk is in flight at a
//! time: first its WRITE and, when that has completed, its SYNC; what arrives
//! meanwhile is the next chunk. The kernel orders neither against the other,
//! so they are never in flight together.
//!
//! Positions: `synced <= written <= end of the last chunk`. In every mode a
//! segment is synced before its seal is written, and its seal is synced before
//! a byte of the next segment is written. So a seal proves that its segment was
//! on the disk, and so does any record of a later one. The first chunk of a
//! segment is synced too: with its checkpoint on the disk, the log no longer
//! needs older segments to find its cursors.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use crate::{
    canary::{Canary, planted},
    error::{Poisoned, Stage},
    limits::KEPT_BUFFER_BYTES,
    lsn::Lsn,
    options::Fsync,
    segment::HEADER_BYTES,
    storage::{Completion, Storage},
};

/// Frames of one segment, one after another.
#[derive(Debug)]
struct Chunk {
    base: Lsn,
    start: Lsn,
    /// What `written` becomes with it.
    end: Lsn,
    bytes: Vec<u8>,
    seal: bool,
}

#[derive(Debug)]
enum State {
    Idle,
    /// The storage has the chunk's bytes, of which `done` are written.
    Writing {
        chunk: Chunk,
        done: usize,
    },
    Syncing,
}

/// The state machine of the flush.
#[derive(Debug)]
pub(crate) struct Flush {
    fsync: Fsync,
    state: State,
    queue: VecDeque<Chunk>,
    queued_bytes: u64,
    /// The segment that was written last.
    base: Lsn,
    written: Lsn,
    synced: Lsn,
    synced_at: Duration,
    /// Emptied buffers, to be filled again.
    buffers: Vec<Vec<u8>>,
}

impl Flush {
    /// A flush after which everything below `end` is on the disk already.
    pub(crate) fn new(fsync: Fsync, base: Lsn, end: Lsn, now: Duration) -> Self {
        Self {
            fsync,
            state: State::Idle,
            queue: VecDeque::new(),
            queued_bytes: 0,
            base,
            written: end,
            synced: end,
            synced_at: now,
            buffers: Vec::new(),
        }
    }

    /// Everything below is on the disk.
    pub(crate) fn synced(&self) -> Lsn {
        self.synced
    }

    /// Everything below is as durable as the owner asked for.
    pub(crate) fn durable(&self) -> Lsn {
        match self.fsync {
            Fsync::Always if !planted(Canary::AckBeforeSync) => self.synced,
            _ => self.written,
        }
    }

    /// Bytes that wait for the flush in front of them.
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// Nothing is to be done: no chunk waits, none is in flight, no sync is
    /// owed.
    pub(crate) fn is_idle(&self) -> bool {
        let owed = matches!(self.fsync, Fsync::Interval(_)) && self.synced < self.written;
        matches!(self.state, State::Idle) && self.queue.is_empty() && !owed
    }

    /// The buffer for the frames from `start` to `end` of the segment.
    pub(crate) fn extend(&mut self, base: Lsn, start: Lsn, end: Lsn) -> &mut Vec<u8> {
        self.queued_bytes += end - start;
        let continues = self.queue.back().is_some_and(|chunk| chunk.base == base && !chunk.seal);
        if !continues {
            let bytes = self.buffers.pop().unwrap_or_default();
            self.queue.push_back(Chunk { base, start, end, bytes, seal: false });
        }
        let chunk = self.queue.back_mut().expect("a chunk was pushed where there was none");
        chunk.end = end;
        &mut chunk.bytes
    }

    /// Ends the segment with its seal, which lies at `start`.
    pub(crate) fn seal(&mut self, base: Lsn, start: Lsn, end: Lsn, frame: Vec<u8>) {
        self.queued_bytes += end - start;
        self.queue.push_back(Chunk { base, start, end, bytes: frame, seal: true });
    }

    /// Starts what can be started.
    pub(crate) fn start(&mut self, storage: &mut dyn Storage) {
        if !matches!(self.state, State::Idle) {
            return;
        }
        let seal_is_next = self.queue.front().is_some_and(|chunk| chunk.seal);
        let seal_is_next = seal_is_next && !planted(Canary::SealBeforeSync);
        if self.synced < self.written && (seal_is_next || self.sync_is_due(storage)) {
            self.state = State::Syncing;
            storage.sync(self.base);
            return;
        }
        if let Some(mut chunk) = self.queue.pop_front() {
            let bytes = std::mem::take(&mut chunk.bytes);
            self.queued_bytes -= bytes.len() as u64;
            self.base = chunk.base;
            storage.write(chunk.base, chunk.start - chunk.base, bytes, 0);
            self.state = State::Writing { chunk, done: 0 };
        }
    }

    fn sync_is_due(&self, storage: &dyn Storage) -> bool {
        match self.fsync {
            Fsync::Interval(interval) => storage.now() >= self.synced_at + interval,
            Fsync::Always => true,
            Fsync::Never => false,
        }
    }

    /// Takes a completion and starts what follows.
    pub(crate) fn complete(
        &mut self,
        completion: Completion,
        storage: &mut dyn Storage,
    ) -> Result<(), Poisoned> {
        match (completion, std::mem::replace(&mut self.state, State::Idle)) {
            (Completion::Written { buffer, result }, State::Writing { chunk, done }) => {
                self.wrote(chunk, done, buffer, result, storage)?;
            }
            (Completion::Synced(Err(_)), State::Syncing) if planted(Canary::RetrySync) => {}
            (Completion::Synced(result), State::Syncing) => {
                let result = if planted(Canary::IgnoreSyncError) { Ok(()) } else { result };
                result.map_err(|error| poisoned(Stage::Sync, self.synced, error))?;
                self.synced = self.written;
                self.synced_at = storage.now();
            }
            (completion, state) => unreachable!("{completion:?} while {state:?}"),
        }
        self.start(storage);
        Ok(())
    }

    fn wrote(
        &mut self,
        chunk: Chunk,
        done: usize,
        mut buffer: Vec<u8>,
        result: io::Result<usize>,
        storage: &mut dyn Storage,
    ) -> Result<(), Poisoned> {
        let wrote = match result {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            other => other,
        };
        let done = done + wrote.map_err(|error| poisoned(Stage::Write, chunk.start + done as u64, error))?;
        if done < buffer.len() {
            storage.write(chunk.base, chunk.start - chunk.base + done as u64, buffer, done);
            self.state = State::Writing { chunk, done };
            return Ok(());
        }
        self.written = chunk.end;
        if buffer.capacity() <= KEPT_BUFFER_BYTES {
            buffer.clear();
            self.buffers.push(buffer);
        }
        if chunk.seal || chunk.start == chunk.base + HEADER_BYTES {
            self.state = State::Syncing;
            storage.sync(self.base);
        }
        Ok(())
    }
}

fn poisoned(stage: Stage, at: Lsn, error: io::Error) -> Poisoned {
    Poisoned { stage, at, cause: Arc::new(error) }
}
