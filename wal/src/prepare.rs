//! The thread that makes and removes segments, so that the shard waits for
//! neither.
//!
//! A segment is written with zeros once before it is used. Then no commit has
//! to allocate or convert extents, a full disk is met here and not in the
//! middle of a batch, and what lies behind the last record is known to be zero.
//! It is handed over open and mapped, so that nothing that is done with it later
//! needs a descriptor.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{Builder, JoinHandle},
};

use bytes::Bytes;

use crate::{
    directory::Directory,
    limits::ZERO_WRITE_BYTES,
    lsn::Lsn,
    map::map,
    segment::{HEADER_BYTES, Header},
    storage::{event::Event, report::Reports},
};

/// What the thread is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    Prepare(Header),
    Remove(Lsn),
}

/// What it has done.
#[derive(Debug)]
pub(crate) enum Done {
    Prepared(Header, io::Result<(File, Bytes)>),
    Removed(Lsn, io::Result<()>),
}

/// The thread. Jobs end in the order they were given.
///
/// Its queue is bounded by what the log asks for: one segment to prepare, and one
/// to remove.
pub(crate) struct Preparer {
    jobs: Option<Sender<Job>>,
    /// Asked for and not done.
    asked: VecDeque<Job>,
    done: Receiver<Done>,
    stop: Arc<AtomicBool>,
    event: Event,
    handle: Option<JoinHandle<()>>,
}

struct Worker {
    directory: Arc<Directory>,
    jobs: Receiver<Job>,
    done: Reports<Done>,
    stop: Arc<AtomicBool>,
}

impl Preparer {
    /// Starts the thread.
    pub(crate) fn start(directory: Arc<Directory>, event: Event) -> io::Result<Self> {
        let (jobs, todo) = channel();
        let (reports, done) = Reports::channel(event.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker { directory, jobs: todo, done: reports, stop: Arc::clone(&stop) };
        let handle = Builder::new().name("eagre-wal-prepare".into()).spawn(move || worker.run())?;
        let asked = VecDeque::new();
        Ok(Self { jobs: Some(jobs), asked, done, stop, event, handle: Some(handle) })
    }

    pub(crate) fn ask(&mut self, job: Job) {
        self.asked.push_back(job);
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            // The thread has ended; `done` will say so.
            self.event.signal();
        }
    }

    pub(crate) fn done(&mut self) -> Option<Done> {
        match self.done.try_recv() {
            Ok(done) => {
                self.asked.pop_front();
                Some(done)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let ended = io::Error::other("the thread that prepares segments has ended");
                Some(match self.asked.pop_front()? {
                    Job::Prepare(header) => Done::Prepared(header, Err(ended)),
                    Job::Remove(base) => Done::Removed(base, Err(ended)),
                })
            }
        }
    }
}

impl Worker {
    fn run(&self) {
        while let Ok(job) = self.jobs.recv() {
            self.done.send(match job {
                Job::Prepare(header) => Done::Prepared(header, self.prepare(header)),
                Job::Remove(base) => Done::Removed(base, self.directory.remove(base)),
            });
        }
    }

    fn prepare(&self, header: Header) -> io::Result<(File, Bytes)> {
        self.directory.create(header.base, |file| {
            self.fill(file, header)?;
            map(file)
        })
    }

    fn fill(&self, file: &mut File, header: Header) -> io::Result<()> {
        static ZEROS: [u8; ZERO_WRITE_BYTES] = [0; ZERO_WRITE_BYTES];
        file.write_all(&header.encode())?;
        let mut left = header.segment_bytes.checked_sub(HEADER_BYTES).expect("a segment holds its header");
        while left > 0 {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let bytes = left.min(ZERO_WRITE_BYTES as u64);
            file.write_all(&ZEROS[..bytes as usize])?;
            left -= bytes;
        }
        Ok(())
    }
}

impl Drop for Preparer {
    /// Waits for the thread: it works in a directory whose lock is given up
    /// next.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(handle) = self.handle.take() {
            // A panic of the thread was reported when it happened.
            let _ = handle.join();
        }
    }
}
