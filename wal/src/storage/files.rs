//! The disk of production: a directory of files.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    hash::{BuildHasher, RandomState},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::fs::FileExt,
    },
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fs::{Advice, fadvise},
    io::Errno,
};

use crate::{
    backend::Engine,
    directory::{Directory, NotTaken},
    error::OpenError,
    limits::ZERO_WRITE_BYTES,
    lsn::Lsn,
    map::map,
    options::Options,
    prepare::{Job, Preparer},
    segment::Header,
    storage::{Chore, Completion, Listing, Storage},
};

/// An eventfd that several hands signal.
#[derive(Clone, Debug)]
pub(crate) struct Event(Arc<OwnedFd>);

impl Event {
    fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(fd)))
    }

    pub(crate) fn signal(&self) {
        // It fails only where the counter would overflow; then it is readable.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    fn clear(&self) {
        // It fails only where there is nothing to clear.
        let _ = rustix::io::read(&*self.0, &mut [0u8; 8]);
    }

    fn wait(&self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&*self.0, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsRawFd for Event {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A directory of segment files, one of which is written at a time.
///
/// Fields are dropped in this order: first those that may still write, then
/// the directory with its lock.
pub(crate) struct Files {
    engine: Engine,
    preparer: Preparer,
    /// The segment that is written, kept open.
    active: Option<(Lsn, Arc<File>)>,
    /// An operation that ended before it began.
    refused: Option<Completion>,
    maps: RefCell<BTreeMap<Lsn, Bytes>>,
    event: Event,
    started: Instant,
    directory: Arc<Directory>,
}

impl Files {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let io = |doing| move |source| OpenError::Io { path: path.to_owned(), doing, source };
        let directory = Arc::new(Directory::take(path).map_err(|not_taken| match not_taken {
            NotTaken::Held(holder) => OpenError::Locked { path: path.to_owned(), holder },
            NotTaken::Io(source) => io("take the directory")(source),
        })?);
        let event = Event::new().map_err(io("make an event"))?;
        let engine = Engine::start(options.backend, &event).map_err(OpenError::Ring)?;
        let preparer = Preparer::start(Arc::clone(&directory), event.clone())
            .map_err(io("start the preparing thread"))?;
        let maps = RefCell::default();
        Ok(Self {
            engine,
            preparer,
            active: None,
            refused: None,
            maps,
            event,
            started: Instant::now(),
            directory,
        })
    }

    /// The segment's file, open to write.
    fn writable(&mut self, base: Lsn) -> io::Result<Arc<File>> {
        if let Some((open, file)) = &self.active
            && *open == base
        {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.directory.open_writable(base)?);
        self.active = Some((base, Arc::clone(&file)));
        Ok(file)
    }

    fn refuse(&mut self, completion: Completion) {
        self.refused = Some(completion);
        self.event.signal();
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
        let file = self.writable(base)?;
        let mut at = from;
        while at < to {
            let bytes = (to - at).min(ZERO_WRITE_BYTES as u64);
            file.write_all_at(&ZEROS[..bytes as usize], at)?;
            at += bytes;
        }
        file.sync_data()
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
            Err(error) => self.refuse(Completion::Written { buffer, result: Err(error) }),
        }
    }

    fn sync(&mut self, base: Lsn) {
        match self.writable(base) {
            Ok(file) => self.engine.sync(file),
            Err(error) => self.refuse(Completion::Synced(Err(error))),
        }
    }

    fn completion(&mut self) -> Option<Completion> {
        self.refused.take().or_else(|| self.engine.completion())
    }

    fn chore(&mut self) -> Option<Chore> {
        self.preparer.done()
    }

    fn wait(&mut self) -> io::Result<()> {
        self.event.wait()
    }

    fn clear_event(&mut self) {
        self.event.clear();
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.0.as_fd()
    }

    fn wake_at(&mut self, at: Duration) {
        self.preparer.ask(Job::Wake(self.started + at));
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn entropy(&mut self) -> u32 {
        RandomState::new().hash_one(self.started) as u32
    }
}
