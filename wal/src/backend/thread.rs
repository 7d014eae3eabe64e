//! A thread that writes and syncs, for where io_uring is not allowed.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{Builder, JoinHandle},
};

use crate::storage::{Completion, event::Event, report::Reports};

enum Job {
    Write { file: Arc<File>, offset: u64, buffer: Vec<u8>, from: usize },
    Sync { file: Arc<File> },
}

/// The two channels hold one job and one completion at most, since one
/// operation is in flight at a time.
pub(crate) struct Thread {
    jobs: Option<Sender<Job>>,
    completions: Receiver<Completion>,
    in_flight: bool,
    event: Event,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    pub(super) fn new(event: Event) -> io::Result<Self> {
        let (jobs, todo) = channel();
        let (done, completions) = Reports::channel(event.clone());
        let handle = Builder::new().name("eagre-wal-flush".into()).spawn(move || run(&todo, &done))?;
        Ok(Self { jobs: Some(jobs), completions, in_flight: false, event, handle: Some(handle) })
    }

    pub(super) fn write(&mut self, file: Arc<File>, offset: u64, buffer: Vec<u8>, from: usize) {
        self.start(Job::Write { file, offset, buffer, from });
    }

    pub(super) fn sync(&mut self, file: Arc<File>) {
        self.start(Job::Sync { file });
    }

    fn start(&mut self, job: Job) {
        self.in_flight = true;
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            // The thread has ended; the completion will say so.
            self.event.signal();
        }
    }

    pub(super) fn completion(&mut self) -> Option<Completion> {
        let completion = match self.completions.try_recv() {
            Ok(completion) => completion,
            Err(TryRecvError::Disconnected) if self.in_flight => {
                Completion::Refused(io::Error::other("the thread that writes has ended"))
            }
            Err(_) => return None,
        };
        self.in_flight = false;
        Some(completion)
    }
}

fn run(todo: &Receiver<Job>, done: &Reports<Completion>) {
    while let Ok(job) = todo.recv() {
        let completion = match job {
            Job::Write { file, offset, buffer, from } => {
                let result = file.write_at(&buffer[from..], offset);
                Completion::Written { buffer, result }
            }
            Job::Sync { file } => Completion::Synced(file.sync_data()),
        };
        done.send(completion);
    }
}

impl Drop for Thread {
    /// Waits for the operation in flight: nothing may reach the file after the
    /// lock of its directory is given up.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(handle) = self.handle.take() {
            // A panic of the thread was reported when it happened.
            let _ = handle.join();
        }
    }
}
