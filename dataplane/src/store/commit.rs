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
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use eagre_wal::{
    AppendError, Clamped, ConsumerError, Cursor, Damage, Entry, Fsync, Full, Kind, Log, Lsn, Missing, Place,
    Progress, Recovery, Usage,
};

use super::layout::{BACKLOGS, DEAD_LETTERS};
use crate::runtime::{
    exit,
    net::Readiness,
    notify::Notify,
    task,
    time::{self, unix_ms},
};

/// A record in the log's next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(super) lsn: Lsn,
    /// When it counts as durable.
    pub(super) fsync: Fsync,
}

/// The consumer that stands for everyone in a log of [`CommitLog::held`].
pub(super) const HOLDER: u64 = 0;

/// A log with its waiters.
pub(super) struct CommitLog {
    log: RefCell<Log>,
    waiters: RefCell<Waiters>,
    appended: Notify,
    /// When the flush in flight began.
    begun: Cell<Instant>,
    /// Records that were appended when it began, and when the one before did.
    begun_records: Cell<(u64, u64)>,
    closing: Notify,
}

/// A flush that ended.
pub(super) struct Flushed {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
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
    pub(super) fn new(log: Log) -> Self {
        let records = log.records();
        Self {
            log: RefCell::new(log),
            waiters: RefCell::default(),
            appended: Notify::default(),
            begun: Cell::new(time::now()),
            begun_records: Cell::new((records, records)),
            closing: Notify::default(),
        }
    }

    /// Takes over a log whose records wait for something that is no consumer of
    /// it: what no cursor needs, a log lets go of, so [`HOLDER`] has one.
    pub(super) fn held(mut log: Log) -> Self {
        if log.cursors().place(HOLDER).is_none() {
            let cursor = Cursor { read: log.end(), pending: Vec::new() };
            log.register(HOLDER, Place::Here, &cursor).expect("the log does not have it");
            if let Err(error) = log.append_cursors(unix_ms(), Fsync::Always) {
                // It is stored with the next cursors; until then nothing is let go of.
                tracing::warn!("a log cannot take its first cursor yet: {error}");
            }
        }
        Self::new(log)
    }

    /// Puts a record into the next batch.
    pub(super) fn append(
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
    pub(super) fn append_group(
        &self,
        now_ms: u64,
        fsync: Fsync,
        records: &[(Kind, &[&[u8]])],
    ) -> Result<Stored, AppendError> {
        let lsn = self.log.borrow_mut().append_group(now_ms, fsync, records)?;
        self.appended.notify();
        Ok(Stored { lsn, fsync })
    }

    /// Stores the progress of consumers and a record in one step: after a crash
    /// all of it is there, or nothing.
    pub(super) fn append_with_progress(
        &self,
        now_ms: u64,
        fsync: Fsync,
        progress: &[(u64, Progress<'_>)],
        record: (Kind, &[&[u8]]),
    ) -> Result<Stored, AppendError> {
        let lsn = self.log.borrow_mut().append_with_progress(now_ms, fsync, progress, record)?;
        self.appended.notify();
        Ok(Stored { lsn, fsync })
    }

    /// Resolves when the record is durable. There is no failure to report: if
    /// it cannot become durable, the process ends.
    pub(super) async fn committed(&self, Stored { lsn, fsync }: Stored) {
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

    /// Flushes until the log is closed, and tells `flushed` of each flush. There
    /// is no failure to report: the process ends with it.
    pub(super) fn start(self: &Rc<Self>, flushed: impl Fn(Flushed) + 'static) {
        let log = Rc::clone(self);
        task::spawn(async move {
            let mut submitting = pin!(log.submit_appended());
            let mut completing = pin!(log.complete(flushed));
            let mut closing = pin!(log.closing.notified());
            let ended = poll_fn(|context| {
                if closing.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                let _: Poll<Infallible> = submitting.as_mut().poll(context);
                completing.as_mut().poll(context).map(Some)
            });
            if let Some(error) = ended.await {
                tracing::error!("completions of a log cannot be waited for, stopping: {error}");
                exit::now(exit::OS_ERROR);
            }
        });
    }

    /// Ends the flushing: nothing more is appended, and nobody waits.
    pub(super) fn close(&self) {
        self.closing.notify();
    }

    /// Starts a flush with what was appended, if none is in flight.
    async fn submit_appended(&self) -> Infallible {
        loop {
            self.appended.notified().await;
            if self.log.borrow().is_idle() {
                self.begun.set(time::now());
                self.note_begun();
            }
            self.checked(Log::submit);
        }
    }

    /// A flush begins with everything that was appended.
    fn note_begun(&self) {
        let (_, before) = self.begun_records.get();
        self.begun_records.set((before, self.log.borrow().records()));
    }

    /// Takes what the disk has finished; the next flush begins with that.
    async fn complete(&self, flushed: impl Fn(Flushed)) -> io::Error {
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
            let advanced = self.durable();
            if advanced > durable {
                let ended = time::now();
                self.log.borrow_mut().release(unix_ms());
                let (before, at) = self.begun_records.get();
                self.note_begun();
                let took = ended - self.begun.replace(ended);
                flushed(Flushed { records: at - before, bytes: advanced.0 - durable.0, took });
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
    pub(super) fn read(&self, at: Lsn) -> Option<Entry> {
        match self.log.borrow().read(at) {
            Ok(entry) => {
                #[cfg(feature = "simulation")]
                if let (Some(world), Some(entry)) = (crate::runtime::world::current(), &entry) {
                    world.has_read(entry.body.len());
                }
                entry
            }
            Err(damage) => stop_on_damage(&damage),
        }
    }

    /// Every record below is durable.
    pub(super) fn durable(&self) -> Lsn {
        self.log.borrow().durable()
    }

    /// Up to where every cursor must advance for the oldest segment to go.
    pub(super) fn oldest_end(&self) -> Option<Lsn> {
        self.log.borrow().oldest_end()
    }

    /// Every record below that was appended with `fsync` is durable.
    pub(super) fn durable_as(&self, fsync: Fsync) -> Lsn {
        self.log.borrow().durable_as(fsync)
    }

    /// Where the next record will go.
    pub(super) fn end(&self) -> Lsn {
        self.log.borrow().end()
    }

    /// The cursor of a consumer, if the log has one.
    pub(super) fn cursor(&self, consumer: u64) -> Option<Cursor> {
        self.log.borrow().cursors().get(consumer)
    }

    /// Which log the cursor of a consumer stands in, if this one has it.
    pub(super) fn place(&self, consumer: u64) -> Option<Place> {
        self.log.borrow().cursors().place(consumer)
    }

    /// Everyone who has a cursor.
    pub(super) fn consumers(&self) -> Vec<u64> {
        self.log.borrow().cursors().consumers().collect()
    }

    /// Those of them whose cursor stands in `place`.
    pub(super) fn consumers_in(&self, place: Place) -> Vec<u64> {
        let log = self.log.borrow();
        let cursors = log.cursors();
        cursors.consumers().filter(|consumer| cursors.place(*consumer) == Some(place)).collect()
    }

    /// Takes in a consumer, unless the log has it. In memory, as all that follows;
    /// [`append_cursors`](Self::append_cursors) stores it.
    pub(super) fn register(&self, consumer: u64, place: Place, cursor: &Cursor) {
        let mut log = self.log.borrow_mut();
        if log.cursors().place(consumer).is_none() {
            log.register(consumer, place, cursor).expect("the log does not have it");
        }
    }

    /// A registered consumer has come further.
    pub(super) fn progress(&self, consumer: u64, progress: &Progress<'_>) -> Result<(), ConsumerError> {
        self.log.borrow_mut().progress(consumer, progress)
    }

    /// Forgets a consumer.
    pub(super) fn forget(&self, consumer: u64) {
        self.log.borrow_mut().forget(consumer);
    }

    /// Stores every changed cursor with the next batch. Once that is durable,
    /// segments that no cursor needs are given up.
    pub(super) fn append_cursors(&self, now_ms: u64, fsync: Fsync) -> Result<(), AppendError> {
        let stored = self.log.borrow_mut().append_cursors(now_ms, fsync);
        self.appended.notify();
        stored
    }

    /// Has everything that was appended synced, whatever it asked for: all of it is on
    /// the disk when [`durable_as`](Self::durable_as) [`Fsync::Always`] is here.
    pub(super) fn sync(&self) -> Lsn {
        let mut end = Lsn::ZERO;
        self.checked(|log| log.sync_all().map(|to| end = to));
        end
    }

    /// Resolves when everything that was appended is on the disk, whatever it asked
    /// for.
    pub(super) async fn settled(&self) {
        let end = self.sync();
        // Of the last record only that it lies below is known.
        self.committed(Stored { lsn: Lsn(end.0.saturating_sub(1)), fsync: Fsync::Always }).await;
    }

    /// Has room made for a record of `bytes` from another log, which may be from
    /// before the limits were lowered; until then it is refused as full. False if
    /// no segment can be so large.
    pub(super) fn make_fit(&self, bytes: usize) -> bool {
        self.log.borrow_mut().make_fit(bytes as u64).is_ok()
    }

    /// Why nothing new is to be taken in: what room is left is for what leads to
    /// more room, such as replies to events that would otherwise stay.
    pub(super) fn shortage(&self) -> Option<Full> {
        let mut log = self.log.borrow_mut();
        log.is_short().then(|| log.why_full())
    }

    /// The log itself, without flushes and waiters.
    pub(super) fn into_inner(self) -> Log {
        self.log.into_inner()
    }

    /// Bytes and segments in use.
    pub(super) fn usage(&self) -> Usage {
        self.log.borrow().usage()
    }
}

/// Tells what the opening of a log found.
pub(super) fn report_recovery(directory: &Path, recovery: &Recovery) {
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
