//! The thread that makes and removes segments, so that the shard waits for
//! neither, and that wakes the shard when a sync is due.
//!
//! A segment is written with zeros once before it is used. Then no commit has
//! to allocate or convert extents, a full disk is met here and not in the
//! middle of a batch, and what lies behind the last record is known to be zero.

use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::Instant,
};

use crate::{
    directory::Directory,
    limits::ZERO_WRITE_BYTES,
    lsn::Lsn,
    segment::{HEADER_BYTES, Header},
    storage::{Chore, files::Event},
};

/// What the thread is asked to do.
pub(crate) enum Job {
    Prepare(Header),
    Remove(Lsn),
    /// Signal the event at this time, and not at one that was named before.
    Wake(Instant),
}

/// The thread. Jobs end in the order they were given.
///
/// Its queue is bounded by what the log asks for: one segment to prepare, one
/// time to wake at, and as many segments to remove as there are.
pub(crate) struct Preparer {
    jobs: Option<Sender<Job>>,
    done: Receiver<Chore>,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

struct Worker {
    directory: Arc<Directory>,
    jobs: Receiver<Job>,
    done: Sender<Chore>,
    stop: Arc<AtomicBool>,
    event: Event,
}

impl Preparer {
    /// Starts the thread.
    pub(crate) fn start(directory: Arc<Directory>, event: Event) -> io::Result<Self> {
        let (jobs, todo) = channel();
        let (sender, done) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker { directory, jobs: todo, done: sender, stop: Arc::clone(&stop), event };
        let handle = Builder::new().name("eagre-wal-prepare".into()).spawn(move || worker.run())?;
        Ok(Self { jobs: Some(jobs), done, stop, handle: Some(handle) })
    }

    pub(crate) fn ask(&self, job: Job) {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        assert!(sent, "the preparing thread runs as long as its log");
    }

    pub(crate) fn done(&self) -> Option<Chore> {
        self.done.try_recv().ok()
    }
}

impl Worker {
    fn run(&self) {
        let mut wake_at: Option<Instant> = None;
        let mut removal_failed = false;
        loop {
            let job = match wake_at {
                Some(at) => self.jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let chore = match job {
                Ok(Job::Prepare(header)) => Chore::Prepared(header, self.prepare(header)),
                Ok(Job::Remove(base)) => {
                    // Oldest first, each durably: a younger one that went without
                    // an older one would leave a gap, and a log with a gap does
                    // not open.
                    let removed = if removal_failed {
                        Err(io::Error::other("a segment before it could not be removed"))
                    } else {
                        self.directory.remove(base)
                    };
                    removal_failed |=
                        removed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
                    Chore::Removed(base, removed)
                }
                Ok(Job::Wake(at)) => {
                    wake_at = Some(at);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    wake_at = None;
                    self.event.signal();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.done.send(chore).is_err() {
                return;
            }
            self.event.signal();
        }
    }

    fn prepare(&self, header: Header) -> io::Result<()> {
        self.directory.create(header.base, |file| self.fill(file, header))
    }

    fn fill(&self, file: &mut File, header: Header) -> io::Result<()> {
        static ZEROS: [u8; ZERO_WRITE_BYTES] = [0; ZERO_WRITE_BYTES];
        file.write_all(&header.encode())?;
        let mut left = header.segment_bytes - HEADER_BYTES;
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
