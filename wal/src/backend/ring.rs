//! Writes and syncs through an io_uring of the log's own.
#![allow(unsafe_code)] // The kernel reads a buffer that this process must keep: no safe interface exists.

use std::{fs::File, io, os::fd::AsRawFd, sync::Arc};

use io_uring::{IoUring, Probe, opcode, squeue::Entry, types};

use crate::storage::{Completion, files::Event};

/// One operation is in flight; the kernel rounds up to what it likes.
const ENTRIES: u32 = 2;

enum InFlight {
    Write { buffer: Vec<u8>, _file: Arc<File> },
    Sync { _file: Arc<File> },
}

/// The ring, and what the kernel may be using.
pub(crate) struct Ring {
    ring: IoUring,
    /// Filled from before an entry is pushed until its completion was taken,
    /// so that buffer and file outlive the kernel's use of them.
    in_flight: Option<InFlight>,
    /// The kernel refused the entry: the operation ended with this.
    refused: Option<io::Error>,
}

impl Ring {
    pub(super) fn new(event: &Event) -> io::Result<Self> {
        let ring = IoUring::new(ENTRIES)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !(probe.is_supported(opcode::Write::CODE) && probe.is_supported(opcode::Fsync::CODE)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it lacks the write or fsync operation"));
        }
        ring.submitter().register_eventfd(event.as_raw_fd())?;
        Ok(Self { ring, in_flight: None, refused: None })
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
        // out in `completion`, after the completion, or by `drop`, which waits
        // for it. Nobody has access to the buffer meanwhile.
        let pushed = unsafe { self.ring.submission().push(entry) };
        assert!(pushed.is_ok(), "the queue holds more than one entry");
        loop {
            match self.ring.submit() {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The kernel has not taken the entry. It poisons the log,
                    // so that this ring is never entered again.
                    self.refused = Some(error);
                    return;
                }
            }
        }
    }

    pub(super) fn completion(&mut self) -> Option<Completion> {
        let result = match self.refused.take() {
            Some(error) => Err(error),
            None => {
                let code = self.ring.completion().next()?.result();
                usize::try_from(code).map_err(|_| io::Error::from_raw_os_error(-code))
            }
        };
        Some(match self.in_flight.take()? {
            InFlight::Write { buffer, _file } => Completion::Written { buffer, result },
            InFlight::Sync { _file } => Completion::Synced(result.map(drop)),
        })
    }
}

impl Drop for Ring {
    /// Waits for the operation in flight: the kernel may read the buffer, and
    /// nothing may reach the file after the lock of its directory is given up.
    fn drop(&mut self) {
        while self.in_flight.is_some() && self.refused.is_none() {
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
