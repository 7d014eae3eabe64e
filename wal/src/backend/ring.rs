//! Writes and syncs through an io_uring of the log's own.
//!
//! The kernel may be unable to take an operation for a moment, for want of memory
//! or because of a signal: then it waits in the queue and is handed over again,
//! soon, and less and less often. Any other refusal is final, and wakes the owner.
#![allow(unsafe_code)] // The kernel reads a buffer that this process must keep: no safe interface exists.

use std::{fs::File, io, os::fd::AsRawFd, sync::Arc, time::Instant};

use io_uring::{IoUring, Probe, opcode, squeue::Entry, types};

use crate::{
    limits::{HAND_OVER_RETRY_MAX, HAND_OVER_RETRY_MIN},
    storage::{Completion, event::Event},
};

/// One operation is in flight; the kernel rounds up to what it likes.
const ENTRIES: u32 = 2;

enum InFlight {
    Write { buffer: Vec<u8>, _file: Arc<File> },
    Sync { _file: Arc<File> },
}

/// Whose the operation in flight is.
#[derive(Debug)]
enum Entered {
    /// The kernel's.
    Taken,
    /// Still ours: the kernel could not take it so many times, and is asked again
    /// then.
    Waiting { times: u32, retry_at: Instant },
    /// Ours for good.
    Refused(io::Error),
}

/// Hands what is queued to the kernel.
pub(super) type Enter = Box<dyn FnMut(&IoUring) -> io::Result<usize> + Send>;

/// The ring, and what the kernel may be using.
pub(crate) struct Ring {
    ring: IoUring,
    enter: Enter,
    /// Filled from before an entry is pushed until its completion was taken,
    /// so that buffer and file outlive the kernel's use of them.
    in_flight: Option<InFlight>,
    entered: Entered,
    event: Event,
}

impl Ring {
    pub(super) fn new(event: &Event) -> io::Result<Self> {
        Self::entered_by(event, Box::new(IoUring::submit))
    }

    pub(super) fn entered_by(event: &Event, enter: Enter) -> io::Result<Self> {
        let ring = IoUring::new(ENTRIES)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !(probe.is_supported(opcode::Write::CODE) && probe.is_supported(opcode::Fsync::CODE)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it lacks the write or fsync operation"));
        }
        ring.submitter().register_eventfd(event.signals_fd())?;
        Ok(Self { ring, enter, in_flight: None, entered: Entered::Taken, event: event.clone() })
    }

    pub(super) fn write(&mut self, file: Arc<File>, offset: u64, buffer: Vec<u8>, from: usize) {
        let fd = types::Fd(file.as_raw_fd());
        let bytes = &buffer[from..];
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Write::new(fd, bytes.as_ptr(), len).offset(offset).build();
        self.start(&entry, InFlight::Write { buffer, _file: file });
    }

    pub(super) fn sync(&mut self, file: Arc<File>) {
        let fd = types::Fd(file.as_raw_fd());
        let entry = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build();
        self.start(&entry, InFlight::Sync { _file: file });
    }

    fn start(&mut self, entry: &Entry, in_flight: InFlight) {
        assert!(self.in_flight.is_none(), "one operation is in flight at a time");
        self.in_flight = Some(in_flight);
        // SAFETY: `push` demands that what the entry points to stays valid until
        // its completion. The entry holds a descriptor and a pointer into the
        // heap block of the buffer; both belong to `in_flight`, which was moved
        // (moving a `Vec` does not move its block) into `self` and is only taken
        // out in `completion`, after the completion or when the kernel never took
        // the entry, or by `drop`, which waits for it. Nobody has access to the
        // buffer meanwhile.
        let pushed = unsafe { self.ring.submission().push(entry) };
        assert!(pushed.is_ok(), "the queue holds more than one entry");
        self.hand_over(0);
    }

    /// Offers the queued entry to the kernel, which could not take it `times`
    /// before.
    fn hand_over(&mut self, times: u32) {
        self.entered = match (self.enter)(&self.ring) {
            Ok(_) if self.ring.submission().is_empty() => Entered::Taken,
            Err(error) if !is_transient(&error) => {
                // It poisons the log, so that this ring is never entered again.
                self.event.signal();
                Entered::Refused(error)
            }
            _ => {
                let wait = (HAND_OVER_RETRY_MIN * 2u32.saturating_pow(times)).min(HAND_OVER_RETRY_MAX);
                Entered::Waiting { times: times + 1, retry_at: Instant::now() + wait }
            }
        };
    }

    /// When to ask for a completion again, though none was signalled.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.entered {
            Entered::Waiting { retry_at, .. } => Some(retry_at),
            Entered::Taken | Entered::Refused(_) => None,
        }
    }

    pub(super) fn completion(&mut self) -> Option<Completion> {
        match self.entered {
            Entered::Waiting { times, retry_at } if retry_at <= Instant::now() => self.hand_over(times),
            _ => {}
        }
        match std::mem::replace(&mut self.entered, Entered::Taken) {
            Entered::Taken => {}
            Entered::Refused(error) => return self.in_flight.take().map(|_| Completion::Refused(error)),
            waiting @ Entered::Waiting { .. } => {
                self.entered = waiting;
                return None;
            }
        }
        let code = self.ring.completion().next()?.result();
        let result = usize::try_from(code).map_err(|_| io::Error::from_raw_os_error(-code));
        Some(match self.in_flight.take()? {
            InFlight::Write { buffer, _file } => Completion::Written { buffer, result },
            InFlight::Sync { _file } => Completion::Synced(result.map(drop)),
        })
    }
}

/// The kernel has not taken the entry, and may a moment later.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, OutOfMemory, ResourceBusy, WouldBlock};
    matches!(error.kind(), Interrupted | OutOfMemory | ResourceBusy | WouldBlock)
}

impl Drop for Ring {
    /// Waits for the operation in flight: the kernel may read the buffer, and
    /// nothing may reach the file after the lock of its directory is given up.
    fn drop(&mut self) {
        while self.in_flight.is_some() && matches!(self.entered, Entered::Taken) {
            match self.ring.submit_and_wait(1) {
                Ok(_) => drop(self.completion()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // The ring cannot tell when the kernel is done, so the
                    // buffer must stay for ever.
                    std::mem::forget(self.in_flight.take());
                }
            }
        }
    }
}
