//! The log: appends in front (`append`), the flush behind them, readers of what is
//! durable (`read`), segments around them all (`segments`). Here are the state they
//! share, the opening, and the two steps that the owner drives it by.

mod append;
mod read;
mod segments;

pub use self::segments::Usage;

use std::{collections::VecDeque, io, iter, os::fd::BorrowedFd, path::Path, sync::Arc, time::Duration};

use crate::{
    canary::{Canary, planted},
    cursor::{Cursor, Cursors, Place, Progress},
    error::{ConsumerError, Full, OpenError, OptionsError, Poisoned, Stage},
    flush::Flush,
    limits::segment_bytes_for_cursors,
    lsn::Lsn,
    options::{Fsync, Options},
    reader::Extent,
    recover::{Recovered, Recovery, Refusal, recover},
    retention::ReleaseMark,
    segment::Header,
    storage::{Chore, Storage, files::Files},
};

/// The segment that is written.
#[derive(Clone, Copy, Debug)]
struct Active {
    header: Header,
    records: u64,
    first_time_ms: u64,
    last_time_ms: u64,
}

impl Active {
    fn extent(&self, end: Lsn) -> Extent {
        Extent { header: self.header, end, last_time_ms: self.last_time_ms }
    }
}

/// A durable log with one owner.
///
/// Nothing here waits for the disk but [`open`](Self::open) and the drop. The
/// owner calls [`submit`](Self::submit) after appending and
/// [`poll`](Self::poll) when [`event_fd`](Self::event_fd) is readable.
///
/// Positions: `durable() <= end()`; `durable()` moves in `poll` only.
pub struct Log {
    options: Options,
    /// Bytes of every segment made from now on; see [`make_fit`](Self::make_fit).
    segment_bytes: u64,
    storage: Box<dyn Storage>,
    flush: Flush,
    /// Full segments, ascending; each ends where the next begins.
    full: VecDeque<Extent>,
    active: Active,
    /// Prepared segments, ascending; the first begins where the active ends.
    spares: VecDeque<Header>,
    preparing: Option<Header>,
    /// Why the last attempt to prepare came to nothing, and when to try again.
    shortage: Option<(Full, Duration)>,
    /// Segments being removed, with their sizes. Oldest first and each durably: a
    /// younger one that went without an older one would leave a gap, and a log with
    /// a gap does not open.
    removing: VecDeque<(Lsn, u64)>,
    /// The first of them is not in work, but for want of something asked for again.
    remove_again: Option<Duration>,
    cursors: Cursors,
    release_mark: ReleaseMark,
    end: Lsn,
    /// Owner's records that were ever appended.
    records: u64,
    /// The owner's clock, as far as it went forwards.
    time_ms: u64,
    durable: Lsn,
    poisoned: Option<Poisoned>,
}

impl Log {
    /// Opens the log in a directory, which is made if it is not there, and
    /// recovers it. Waits for the disk.
    ///
    /// # Errors
    /// See [`OpenError`]; its [`exit_code`](OpenError::exit_code) tells a
    /// supervisor which it was.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        options.validate()?;
        let files = Files::open(dir, &options)?;
        Self::open_on(Box::new(files), dir, options)
    }

    /// Opens the log on a given storage; `dir` is what errors call it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        mut storage: Box<dyn Storage>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        options.validate()?;
        let path = dir.to_owned();
        let recovered = recover(storage.as_mut()).map_err(|refusal| match refusal {
            Refusal::Damage(damage) => OpenError::Damaged { path: path.clone(), damage },
            Refusal::FutureVersion { base, version } => {
                OpenError::FutureVersion { path: path.clone(), base, version }
            }
            Refusal::Io(source) => OpenError::io(dir, "recover the log", source),
        })?;
        let consumers = recovered.cursors.len();
        let told_bytes = Cursors::bytes_to_tell_min(consumers);
        if told_bytes > options.cursors_bytes_max() {
            let min = segment_bytes_for_cursors(told_bytes);
            return Err(OptionsError::CursorsDoNotFit { consumers, min }.into());
        }
        Self::start(storage, options, recovered)
            .map_err(|source| OpenError::io(dir, "prepare the first segment", source))
    }

    fn start(
        mut storage: Box<dyn Storage>,
        options: Options,
        recovered: Recovered,
    ) -> io::Result<(Self, Recovery)> {
        let Recovered { mut used, mut spares, last, cursors, report } = recovered;
        let goes_on = if last.is_some_and(|last| !last.sealed) { used.pop() } else { None };
        let replaced = discard_small(storage.as_mut(), &mut spares, &options, goes_on.is_none())?;
        let begins = match goes_on {
            Some(_) => None,
            None => Some(match spares.pop_front() {
                Some(spare) => spare,
                None => first_segment(storage.as_mut(), &options, replaced)?,
            }),
        };
        let header = goes_on.map(|extent| extent.header).or(begins).expect("one of the two");
        for held in iter::once(&header).chain(&spares) {
            storage.hold(held.base)?;
        }
        let end = goes_on.map_or(header.base, |extent| extent.end);
        let flush = Flush::new(header.base, end);
        let times = last.map_or((0, 0), |last| (last.first_time_ms, last.last_time_ms));
        let mut log = Self {
            segment_bytes: options.segment_bytes,
            options,
            storage,
            flush,
            full: used.into(),
            active: Active {
                header,
                records: last.map_or(0, |last| last.records),
                first_time_ms: times.0,
                last_time_ms: times.1,
            },
            spares,
            preparing: None,
            shortage: None,
            removing: VecDeque::new(),
            remove_again: None,
            release_mark: ReleaseMark::new(cursors.low()),
            cursors,
            end,
            records: report.records,
            time_ms: times.1,
            durable: end,
            poisoned: None,
        };
        if begins.is_some() {
            let checkpoint = log.cursors.tell_all(log.cursors_bytes_max()).map_err(io::Error::other)?;
            log.begin(header, times.1, &checkpoint);
        }
        log.prepare_next();
        Ok((log, report))
    }

    /// Starts the flush of what is pending, if none is in flight.
    ///
    /// # Errors
    /// The log is poisoned.
    pub fn submit(&mut self) -> Result<(), Poisoned> {
        self.check()?;
        self.flush.start(self.storage.as_mut());
        Ok(())
    }

    /// Has everything that was appended so far synced, whatever it asked for: all of
    /// it is on the disk when [`durable_as`](Self::durable_as) [`Fsync::Always`] has
    /// reached the position that is given back. What was appended is submitted.
    ///
    /// # Errors
    /// The log is poisoned.
    pub fn sync_all(&mut self) -> Result<Lsn, Poisoned> {
        self.flush.sync_to(self.end);
        self.submit().map(|()| self.end)
    }

    /// Takes what the disk has finished and starts what follows;
    /// [`durable`](Self::durable) may have moved.
    ///
    /// # Errors
    /// The log is poisoned, now or since earlier.
    pub fn poll(&mut self) -> Result<(), Poisoned> {
        self.check()?;
        self.storage.clear_event();
        while let Some(completion) = self.storage.completion() {
            if let Err(poisoned) = self.flush.complete(completion, self.storage.as_mut()) {
                return Err(self.poison(poisoned));
            }
        }
        self.flush.start(self.storage.as_mut());
        // Segments go durably, so the cursors that let them go are on the disk
        // before, whatever mode they are durable in.
        self.release_mark.advance(if planted(Canary::ReleaseByWritten) {
            self.flush.durable()
        } else {
            self.flush.synced()
        });
        self.do_chores()?;
        self.durable = self.flush.durable();
        Ok(())
    }

    /// Nothing is pending and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.flush.is_idle()
    }

    /// Readable when [`poll`](Self::poll) has something to do; `poll` makes it
    /// unreadable. It is non-blocking, and only to be waited for.
    #[must_use]
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.storage.event_fd()
    }

    /// Every record below is as durable as its append asked for, and can be read.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// Every record below that was appended with `fsync` is durable; beyond
    /// [`durable`](Self::durable) where a record in between waits for the disk.
    #[must_use]
    pub fn durable_as(&self, fsync: Fsync) -> Lsn {
        self.flush.durable_as(fsync)
    }

    /// Behind the last record that was appended.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.end
    }

    /// Owner's records that were ever appended, released ones included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// All cursors.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Adds a consumer, in memory; [`append_cursors`](Self::append_cursors) stores
    /// that. From then on it holds what it is not done with, if it stands here.
    ///
    /// # Errors
    /// It is registered already.
    pub fn register(&mut self, consumer: u64, place: Place, cursor: &Cursor) -> Result<(), ConsumerError> {
        self.cursors.register(consumer, place, cursor)
    }

    /// Removes a consumer, if there is one, in memory;
    /// [`append_cursors`](Self::append_cursors) stores that.
    pub fn forget(&mut self, consumer: u64) {
        self.cursors.forget(consumer);
    }

    /// Changes a cursor in memory; [`append_cursors`](Self::append_cursors) stores
    /// what changed. Costs what changed.
    ///
    /// # Errors
    /// The consumer is not registered, or not with this place.
    pub fn progress(&mut self, consumer: u64, progress: &Progress<'_>) -> Result<(), ConsumerError> {
        self.cursors.advance(consumer, progress)
    }

    /// As [`progress`](Self::progress), by the whole cursor: what changed of it is
    /// looked for, in all of it.
    ///
    /// # Errors
    /// As [`progress`](Self::progress).
    pub fn update_cursor(
        &mut self,
        consumer: u64,
        place: Place,
        cursor: &Cursor,
    ) -> Result<(), ConsumerError> {
        self.cursors.replace(consumer, place, cursor)
    }

    fn check(&self) -> Result<(), Poisoned> {
        if planted(Canary::PoisonForgotten) {
            return Ok(());
        }
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    /// The one place where a log becomes poisoned.
    fn poison(&mut self, poisoned: Poisoned) -> Poisoned {
        self.poisoned = Some(poisoned.clone());
        poisoned
    }
}

/// Removes prepared segments that are smaller than those made now: a record may be
/// too large for them. Where the log is to begin with the first of them, it is given
/// back instead, since the log needs one in its place.
fn discard_small(
    storage: &mut dyn Storage,
    spares: &mut VecDeque<Header>,
    options: &Options,
    begins: bool,
) -> io::Result<Option<Header>> {
    let usable = spares.iter().take_while(|spare| spare.segment_bytes >= options.segment_bytes).count();
    let mut small = spares.split_off(usable);
    let replaced = if begins && usable == 0 { small.pop_front() } else { None };
    // Segments come and go at the ends of the log.
    while let Some(spare) = small.pop_back() {
        storage.remove(spare.base);
        finish_chore(storage)?;
    }
    Ok(replaced)
}

/// Makes the first segment of a new log, or one in place of another, and waits for
/// it.
fn first_segment(
    storage: &mut dyn Storage,
    options: &Options,
    replaced: Option<Header>,
) -> io::Result<Header> {
    let (base, generation) = match replaced {
        Some(Header { base, generation, .. }) => (base, generation),
        None => (Lsn::ZERO, storage.entropy()),
    };
    let header = Header { base, segment_bytes: options.segment_bytes, generation };
    storage.prepare(header);
    finish_chore(storage).map(|()| header)
}

/// Waits for the one chore in work.
fn finish_chore(storage: &mut dyn Storage) -> io::Result<()> {
    loop {
        match storage.chore() {
            Some(Chore::Prepared(_, done) | Chore::Removed(_, done)) => return done,
            None => storage.wait()?,
        }
        storage.clear_event();
    }
}

fn poisoned(stage: Stage, at: Lsn, error: io::Error) -> Poisoned {
    Poisoned { stage, at, cause: Arc::new(error) }
}
