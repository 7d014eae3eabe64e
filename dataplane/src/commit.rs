//! The log of a shard, and those who wait for it.
//!
//! Records go in without waiting; what arrives during one flush is the next
//! batch. Waiters are released in the order of their positions, by the durable
//! position and nothing else. A failed flush is final: the process ends with
//! its own exit code and nothing more is acknowledged.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    path::Path,
    pin::pin,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use eagre_wal::{
    AppendError, Clamped, ConsumerError, Cursor, Damage, Entry, Fsync, Full, Kind, Log, Lsn, Missing, Place,
    Progress, Recovery, Usage,
};

use crate::{
    clock, exit,
    launch::{BACKLOGS, DEAD_LETTERS},
    net::Readiness,
    notify::Notify,
};

/// A record in the log's next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) lsn: Lsn,
    /// When it counts as durable.
    pub(crate) fsync: Fsync,
}

/// The consumer that stands for everyone in a log of [`CommitLog::held`].
pub(crate) const HOLDER: u64 = 0;

/// A log with its waiters.
pub(crate) struct CommitLog {
    log: RefCell<Log>,
    waiters: RefCell<Waiters>,
    appended: Notify,
    /// When the flush in flight began.
    begun: Cell<Instant>,
}

/// Who waits for which record, ascending by position.
#[derive(Default)]
struct Waiters {
    synced: VecDeque<(Lsn, Waker)>,
    written: VecDeque<(Lsn, Waker)>,
}

impl Waiters {
    fn of(&mut self, fsync: Fsync) -> &mut VecDeque<(Lsn, Waker)> {
        match fsync {
            Fsync::Always => &mut self.synced,
            Fsync::Interval(_) | Fsync::Never => &mut self.written,
        }
    }
}

impl CommitLog {
    /// Takes over an opened log.
    pub(crate) fn new(log: Log) -> Self {
        Self {
            log: RefCell::new(log),
            waiters: RefCell::default(),
            appended: Notify::default(),
            begun: Cell::new(Instant::now()),
        }
    }

    /// Takes over a log whose records wait for something that is no consumer of
    /// it: what no cursor needs, a log lets go of, so [`HOLDER`] has one.
    pub(crate) fn held(mut log: Log) -> Self {
        if log.cursors().get(HOLDER).is_none() {
            let cursor = Cursor { read: log.end(), pending: Vec::new() };
            put_cursor(&mut log, HOLDER, Place::Here, &cursor);
            if let Err(error) = log.append_cursors(clock::now_ms(), Fsync::Always) {
                // It is stored with the next cursors; until then nothing is let go of.
                tracing::warn!("a log cannot take its first cursor yet: {error}");
            }
        }
        Self::new(log)
    }

    /// Puts a record into the next batch.
    pub(crate) fn append(
        &self,
        kind: Kind,
        now_ms: u64,
        fsync: Fsync,
        parts: &[&[u8]],
    ) -> Result<Stored, AppendError> {
        self.append_group(now_ms, fsync, &[(kind, parts)])
    }

    /// Puts several records into the next batch, all or none, and gives the
    /// last.
    pub(crate) fn append_group(
        &self,
        now_ms: u64,
        fsync: Fsync,
        records: &[(Kind, &[&[u8]])],
    ) -> Result<Stored, AppendError> {
        let lsn = self.log.borrow_mut().append_group(now_ms, fsync, records)?;
        self.appended.notify();
        Ok(Stored { lsn, fsync })
    }

    /// Stores a consumer's progress and a record in one step: after a crash
    /// both are there, or neither.
    pub(crate) fn append_with_cursor(
        &self,
        now_ms: u64,
        fsync: Fsync,
        (consumer, place, cursor): (u64, Place, Cursor),
        record: (Kind, &[&[u8]]),
    ) -> Result<Stored, AppendError> {
        let mut log = self.log.borrow_mut();
        let before = log.cursors().get(consumer).unwrap_or_else(|| {
            put_cursor(&mut log, consumer, place, &cursor);
            Cursor::default()
        });
        let gone = before.pending.iter().map(|pending| pending.lsn);
        let finished: Vec<_> =
            gone.filter(|lsn| cursor.pending.iter().all(|kept| kept.lsn != *lsn)).collect();
        let progress = Progress { place, read: cursor.read, changed: &cursor.pending, finished: &finished };
        let lsn = log.append_with_progress(now_ms, fsync, &[(consumer, progress)], record)?;
        self.appended.notify();
        Ok(Stored { lsn, fsync })
    }

    /// Resolves when the record is durable. There is no failure to report: if
    /// it cannot become durable, the process ends.
    pub(crate) async fn committed(&self, Stored { lsn, fsync }: Stored) {
        let mut waits = false;
        poll_fn(|context| {
            if lsn < self.log.borrow().durable_as(fsync) {
                return Poll::Ready(());
            }
            if !waits {
                let mut waiters = self.waiters.borrow_mut();
                let waiters = waiters.of(fsync);
                debug_assert!(waiters.back().is_none_or(|(last, _)| *last <= lsn));
                waiters.push_back((lsn, context.waker().clone()));
                waits = true;
            }
            Poll::Pending
        })
        .await;
    }

    /// Flushes for as long as the shard runs, and tells `durable_moved` after
    /// each flush how long it took.
    pub(crate) async fn flush(&self, durable_moved: impl Fn(Duration)) -> io::Error {
        let mut submitting = pin!(self.submit_appended());
        let mut completing = pin!(self.complete(durable_moved));
        poll_fn(|context| {
            let _: Poll<Infallible> = submitting.as_mut().poll(context);
            completing.as_mut().poll(context)
        })
        .await
    }

    /// Starts a flush with what was appended, if none is in flight.
    async fn submit_appended(&self) -> Infallible {
        loop {
            self.appended.notified().await;
            if self.log.borrow().is_idle() {
                self.begun.set(Instant::now());
            }
            self.checked(Log::submit);
        }
    }

    /// Takes what the disk has finished; the next flush begins with that.
    async fn complete(&self, durable_moved: impl Fn(Duration)) -> io::Error {
        let completions = match Readiness::watch(self.log.borrow().event_fd()) {
            Ok(completions) => completions,
            Err(error) => return error,
        };
        loop {
            if let Err(error) = completions.ready().await {
                return error;
            }
            let durable = self.durable();
            self.checked(Log::poll);
            self.release_waiters();
            if self.durable() > durable {
                let ended = Instant::now();
                self.log.borrow_mut().release(clock::now_ms());
                durable_moved(ended - self.begun.replace(ended));
            }
        }
    }

    fn checked(&self, step: impl FnOnce(&mut Log) -> Result<(), eagre_wal::Poisoned>) {
        if let Err(poisoned) = step(&mut self.log.borrow_mut()) {
            tracing::error!("the log cannot be made durable, stopping: {poisoned}");
            exit::now(exit::DISK);
        }
    }

    fn release_waiters(&self) {
        let mut waiters = self.waiters.borrow_mut();
        for fsync in [Fsync::Always, Fsync::Never] {
            let durable = self.log.borrow().durable_as(fsync);
            let waiters = waiters.of(fsync);
            while let Some((_, waker)) = waiters.pop_front_if(|(lsn, _)| *lsn < durable) {
                waker.wake();
            }
        }
    }

    /// The first record at or after `at` that is durable.
    pub(crate) fn read(&self, at: Lsn) -> Option<Entry> {
        match self.log.borrow().read(at) {
            Ok(entry) => entry,
            Err(damage) => stop_on_damage(&damage),
        }
    }

    /// Every record below is durable.
    pub(crate) fn durable(&self) -> Lsn {
        self.log.borrow().durable()
    }

    /// Up to where every cursor must advance for the oldest segment to go.
    pub(crate) fn oldest_end(&self) -> Option<Lsn> {
        self.log.borrow().oldest_end()
    }

    /// Every record below that was appended with `fsync` is durable.
    pub(crate) fn durable_as(&self, fsync: Fsync) -> Lsn {
        self.log.borrow().durable_as(fsync)
    }

    /// Where the next record will go.
    pub(crate) fn end(&self) -> Lsn {
        self.log.borrow().end()
    }

    /// The cursor of a consumer, if the log has one.
    pub(crate) fn cursor(&self, consumer: u64) -> Option<Cursor> {
        self.log.borrow().cursors().get(consumer)
    }

    /// Everyone who has a cursor.
    pub(crate) fn consumers(&self) -> Vec<u64> {
        self.log.borrow().cursors().consumers().collect()
    }

    /// Changes a cursor in memory; [`append_cursors`](Self::append_cursors)
    /// stores it.
    pub(crate) fn update_cursor(&self, consumer: u64, cursor: Cursor) {
        put_cursor(&mut self.log.borrow_mut(), consumer, Place::Here, &cursor);
    }

    /// The same, of a cursor that stands in another log.
    pub(crate) fn update_cursor_elsewhere(&self, consumer: u64, cursor: Cursor) {
        put_cursor(&mut self.log.borrow_mut(), consumer, Place::Elsewhere, &cursor);
    }

    /// Forgets a consumer.
    pub(crate) fn remove_cursor(&self, consumer: u64) {
        self.log.borrow_mut().forget(consumer);
    }

    /// Stores every changed cursor with the next batch. Once that is durable,
    /// segments that no cursor needs are given up.
    pub(crate) fn append_cursors(&self, now_ms: u64, fsync: Fsync) -> Result<(), AppendError> {
        let stored = self.log.borrow_mut().append_cursors(now_ms, fsync);
        self.appended.notify();
        stored
    }

    /// Resolves when everything that was appended is durable, whatever it asked
    /// for.
    pub(crate) async fn all_committed(&self, fsync: Fsync) {
        let lsn = Lsn(self.end().0.saturating_sub(1));
        self.committed(Stored { lsn, fsync }).await;
    }

    /// Why nothing new is to be taken in: what room is left is for what leads to
    /// more room, such as replies to events that would otherwise stay.
    pub(crate) fn shortage(&self) -> Option<Full> {
        let mut log = self.log.borrow_mut();
        log.is_short().then(|| log.why_full())
    }

    /// Bytes and segments in use.
    pub(crate) fn usage(&self) -> Usage {
        self.log.borrow().usage()
    }
}

/// Gives a consumer a cursor, be it registered or not.
fn put_cursor(log: &mut Log, consumer: u64, place: Place, cursor: &Cursor) {
    let put = match log.register(consumer, place, cursor) {
        Err(ConsumerError::AlreadyRegistered(_)) => log.update_cursor(consumer, place, cursor),
        new => new,
    };
    put.expect("a trigger's consumers have one place each");
}

/// Tells what the opening of a log found.
pub(crate) fn report_recovery(directory: &Path, recovery: &Recovery) {
    let Recovery { records, truncated, missing, clamped, unknown_files } = recovery;
    let log = directory.display();
    tracing::info!(%log, records, "log opened");
    if let Some((from, to)) = truncated {
        tracing::info!(%log, %from, %to, "a torn tail was cut off; nothing in it had been acknowledged");
    }
    for Missing { from, to, records } in missing {
        tracing::warn!(%log, %from, %to, records, "records that a salvage could not keep are missing");
    }
    for Clamped { consumer, from, to } in clamped {
        tracing::error!(%log, consumer, %from, %to, "a trigger's place was outside of the log and was moved to its edge");
    }
    let is_ours = |file: &&String| [BACKLOGS, DEAD_LETTERS].contains(&file.as_str());
    for file in unknown_files.iter().filter(|file| !is_ours(file)) {
        tracing::warn!(%log, file, "not a file of the log; it is left alone");
    }
}

fn stop_on_damage(damage: &Damage) -> ! {
    tracing::error!("the log is damaged, stopping so that nothing is passed over in silence: {damage}");
    exit::now(exit::DAMAGE)
}
