//! Group commit: what is pending → written → synced.
//!
//! Records gather in chunks of one segment each. One chunk is in flight at a
//! time: first its WRITE and, when that has completed, its SYNC; what arrives
//! meanwhile is the next chunk. The kernel orders neither against the other,
//! so they are never in flight together.
//!
//! Every record says when it counts as durable ([`Fsync`]): one that waits for
//! the disk has its chunk synced at once, one with an interval has it synced by
//! then, and all records that a sync covers are on the disk with it, whatever
//! they asked for.
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
    limits::{KEPT_BUFFER_BYTES, KEPT_BUFFERS},
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
    /// The first record that is durable only when it is synced.
    waits: Option<Lsn>,
    /// How soon after the write the others want to be synced.
    within: Option<Duration>,
}

impl Chunk {
    fn new(base: Lsn, start: Lsn, bytes: Vec<u8>, seal: bool) -> Self {
        Self { base, start, end: start, bytes, seal, waits: None, within: None }
    }
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
    state: State,
    queue: VecDeque<Chunk>,
    queued_bytes: u64,
    /// The segment that was written last.
    base: Lsn,
    written: Lsn,
    synced: Lsn,
    /// The first written record that is durable only when it is synced.
    waits: Option<Lsn>,
    /// When the next sync is due for the sake of the others.
    sync_by: Option<Duration>,
    /// Everything below is to be synced soon, whatever it asked for.
    sync_to: Lsn,
    /// Emptied buffers, to be filled again.
    buffers: Vec<Vec<u8>>,
}

impl Flush {
    /// A flush after which everything below `end` is on the disk already.
    pub(crate) fn new(base: Lsn, end: Lsn) -> Self {
        Self {
            state: State::Idle,
            queue: VecDeque::new(),
            queued_bytes: 0,
            base,
            written: end,
            synced: end,
            waits: None,
            sync_by: None,
            sync_to: end,
            buffers: Vec::new(),
        }
    }

    /// Everything below is on the disk.
    pub(crate) fn synced(&self) -> Lsn {
        self.synced
    }

    /// The mark that a frame made now carries.
    pub(crate) fn mark(&self) -> Lsn {
        if planted(Canary::MarkIsWritten) { self.written } else { self.synced }
    }

    /// Every record below that was appended with `fsync` is durable.
    pub(crate) fn durable_as(&self, fsync: Fsync) -> Lsn {
        match fsync {
            _ if planted(Canary::AckQueued) => self.queue.back().map_or(self.written, |chunk| chunk.end),
            Fsync::Always if !planted(Canary::AckBeforeSync) => self.synced,
            _ => self.written,
        }
    }

    /// Every record below is as durable as its append asked for.
    pub(crate) fn durable(&self) -> Lsn {
        match self.waits {
            Some(first) if !planted(Canary::AckBeforeSync) => first,
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
        let is_synced = self.sync_by.is_none() && self.sync_to <= self.synced;
        matches!(self.state, State::Idle) && self.queue.is_empty() && is_synced
    }

    /// The buffer for the frames from `start` to `end` of the segment.
    pub(crate) fn extend(&mut self, base: Lsn, start: Lsn, end: Lsn, fsync: Fsync) -> &mut Vec<u8> {
        self.queued_bytes += end - start;
        let continues = self.queue.back().is_some_and(|chunk| chunk.base == base && !chunk.seal);
        if !continues {
            let bytes = self.buffers.pop().unwrap_or_default();
            self.queue.push_back(Chunk::new(base, start, bytes, false));
        }
        let chunk = self.queue.back_mut().expect("a chunk was pushed where there was none");
        chunk.end = end;
        match fsync {
            Fsync::Always => chunk.waits = chunk.waits.or(Some(start)),
            Fsync::Interval(interval) => {
                chunk.within = Some(chunk.within.map_or(interval, |within| within.min(interval)));
            }
            Fsync::Never => {}
        }
        &mut chunk.bytes
    }

    /// Ends the segment with its seal, which lies at `start`.
    pub(crate) fn seal(&mut self, base: Lsn, start: Lsn, end: Lsn, frame: Vec<u8>) {
        self.queued_bytes += end - start;
        self.queue.push_back(Chunk { end, ..Chunk::new(base, start, frame, true) });
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

    /// Has everything below `end` synced as soon as it is written.
    pub(crate) fn sync_to(&mut self, end: Lsn) {
        if !planted(Canary::SyncAllForgotten) {
            self.sync_to = self.sync_to.max(end);
        }
    }

    /// Has what is written synced as soon as nothing is in flight.
    pub(crate) fn sync_written(&mut self) {
        self.sync_to(self.written);
    }

    fn sync_is_due(&self, storage: &dyn Storage) -> bool {
        let is_asked_for = self.synced < self.sync_to && self.sync_to <= self.written;
        is_asked_for || self.waits.is_some() || self.sync_by.is_some_and(|due| storage.now() >= due)
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
                self.waits = None;
                self.sync_by = None;
            }
            (Completion::Refused(error), State::Writing { chunk, done }) => {
                return Err(poisoned(Stage::HandOver, chunk.start + done as u64, error));
            }
            (Completion::Refused(error), State::Syncing) => {
                return Err(poisoned(Stage::HandOver, self.synced, error));
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
        if done < buffer.len() && !planted(Canary::ShortWriteIsWhole) {
            storage.write(chunk.base, chunk.start - chunk.base + done as u64, buffer, done);
            self.state = State::Writing { chunk, done };
            return Ok(());
        }
        self.written = chunk.end;
        self.waits = self.waits.or(chunk.waits);
        if let Some(within) = chunk.within {
            let due = storage.now() + within;
            if self.sync_by.is_none_or(|earlier| due < earlier) {
                self.sync_by = Some(due);
                storage.wake_at(due);
            }
        }
        if self.buffers.len() < KEPT_BUFFERS && buffer.capacity() <= KEPT_BUFFER_BYTES && !chunk.seal {
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
