//! The disk of production: a directory of files.
//!
//! Every segment stays mapped from when it is found or made until it is removed,
//! and those that will be written stay open from then on. So what is durable can
//! be read, and what was appended be written, by a process that has used up its
//! descriptors: only making a segment needs one.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    hash::{BuildHasher, RandomState},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

use crate::{
    backend::Engine,
    directory::{Directory, NotTaken},
    error::OpenError,
    limits::ZERO_WRITE_BYTES,
    lsn::Lsn,
    map::map,
    options::Options,
    prepare::{Done, Job, Preparer},
    segment::Header,
    storage::{Chore, Completion, Listing, Storage, event::Event},
};

/// A directory of segment files, one of which is written at a time.
///
/// Fields are dropped in this order: first those that may still write, then
/// the directory with its lock.
pub(crate) struct Files {
    engine: Engine,
    preparer: Preparer,
    /// The segment that is written, and those that will be.
    open: BTreeMap<Lsn, Arc<File>>,
    /// An operation that ended before it began.
    refused: Option<Completion>,
    maps: RefCell<BTreeMap<Lsn, Bytes>>,
    event: Event,
    started: Instant,
    /// When the log wants to be woken.
    wake_at: Option<Instant>,
    /// What the event's timer is set to.
    timer: Option<Instant>,
    directory: Arc<Directory>,
}

impl Files {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let io = |doing| move |source| OpenError::io(path, doing, source);
        let directory = Arc::new(Directory::take(path).map_err(|not_taken| match not_taken {
            NotTaken::Held(holder) => OpenError::Locked { path: path.to_owned(), holder },
            NotTaken::Io(source) => io("take the directory")(source),
        })?);
        let event = Event::new().map_err(io("make an event"))?;
        let engine = Engine::start(options.backend, &event)
            .map_err(|source| OpenError::engine(path, options.backend, source))?;
        Self::on(directory, engine, event).map_err(io("start the preparing thread"))
    }

    pub(crate) fn on(directory: Arc<Directory>, engine: Engine, event: Event) -> io::Result<Self> {
        Ok(Self {
            engine,
            preparer: Preparer::start(Arc::clone(&directory), event.clone())?,
            open: BTreeMap::new(),
            refused: None,
            maps: RefCell::default(),
            event,
            started: Instant::now(),
            wake_at: None,
            timer: None,
            directory,
        })
    }

    /// The segment's file, open to write.
    fn writable(&mut self, base: Lsn) -> io::Result<Arc<File>> {
        // Positions only grow: what lies before is full.
        self.open.retain(|open, _| *open >= base);
        if let Some(file) = self.open.get(&base) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.directory.open_writable(base)?);
        self.open.insert(base, Arc::clone(&file));
        Ok(file)
    }

    fn refuse(&mut self, refused: Completion) {
        self.refused = Some(refused);
        self.event.signal();
    }

    /// Sets the timer to what comes first of what it is wanted for.
    fn set_timer(&mut self) {
        let wanted = [self.wake_at, self.engine.retry_at()].into_iter().flatten().min();
        if wanted != self.timer {
            self.timer = wanted;
            self.event.set_timer(wanted);
        }
    }
}

impl Storage for Files {
    fn list(&mut self) -> io::Result<Listing> {
        self.directory.list()
    }

    fn settle(&mut self, base: Lsn) -> io::Result<()> {
        self.maps.get_mut().remove(&base);
        let file = self.directory.open(base)?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        // It is read whole next: in large reads rather than fault by fault.
        Ok(fadvise(&file, 0, None, Advice::WillNeed)?)
    }

    fn view(&self, base: Lsn) -> io::Result<Bytes> {
        let mut maps = self.maps.borrow_mut();
        if let Some(bytes) = maps.get(&base) {
            return Ok(bytes.clone());
        }
        let bytes = map(&self.directory.open(base)?)?;
        maps.insert(base, bytes.clone());
        Ok(bytes)
    }

    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()> {
        static ZEROS: [u8; ZERO_WRITE_BYTES] = [0; ZERO_WRITE_BYTES];
        self.maps.get_mut().remove(&base);
        let file = self.directory.open_writable(base)?;
        let mut at = from;
        while at < to {
            let bytes = (to - at).min(ZERO_WRITE_BYTES as u64);
            file.write_all_at(&ZEROS[..bytes as usize], at)?;
            at += bytes;
        }
        file.sync_data()
    }

    fn hold(&mut self, base: Lsn) -> io::Result<()> {
        self.view(base)?;
        let file = self.directory.open_writable(base)?;
        self.open.insert(base, Arc::new(file));
        Ok(())
    }

    fn prepare(&mut self, header: Header) {
        self.preparer.ask(Job::Prepare(header));
    }

    fn remove(&mut self, base: Lsn) {
        self.maps.get_mut().remove(&base);
        self.preparer.ask(Job::Remove(base));
    }

    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize) {
        match self.writable(base) {
            Ok(file) => self.engine.write(file, offset, buffer, from),
            Err(error) => self.refuse(Completion::Refused(error)),
        }
        self.set_timer();
    }

    fn sync(&mut self, base: Lsn) {
        match self.writable(base) {
            Ok(file) => self.engine.sync(file),
            Err(error) => self.refuse(Completion::Refused(error)),
        }
        self.set_timer();
    }

    fn completion(&mut self) -> Option<Completion> {
        let completion = self.refused.take().or_else(|| self.engine.completion());
        self.set_timer();
        completion
    }

    fn chore(&mut self) -> Option<Chore> {
        Some(match self.preparer.done()? {
            Done::Prepared(header, Ok((file, map))) => {
                self.open.insert(header.base, Arc::new(file));
                self.maps.get_mut().insert(header.base, map);
                Chore::Prepared(header, Ok(()))
            }
            Done::Prepared(header, Err(error)) => Chore::Prepared(header, Err(error)),
            Done::Removed(base, removed) => Chore::Removed(base, removed),
        })
    }

    fn wait(&mut self) -> io::Result<()> {
        self.event.wait()
    }

    fn clear_event(&mut self) {
        self.event.clear_signals();
        if let Some(timer) = self.timer.take_if(|timer| *timer <= Instant::now()) {
            self.wake_at.take_if(|wake_at| *wake_at <= timer);
            self.event.set_timer(None);
            self.set_timer();
        }
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn wake_at(&mut self, at: Duration) {
        self.wake_at = Some(self.started + at);
        self.set_timer();
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn entropy(&mut self) -> u32 {
        RandomState::new().hash_one(self.started) as u32
    }
}
