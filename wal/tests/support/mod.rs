//! What the tests share.
#![allow(dead_code)] // Each test binary uses its part.

use std::path::Path;

use eagre_wal::{
    AppendError, Backend, ConsumerError, Cursor, Entry, Fsync, Kind, Log, Lsn, Options, Place, Poisoned,
    Progress,
};
use rustix::event::{PollFd, PollFlags, poll};

/// The first kind that is the owner's.
pub const EVENT: Kind = Kind(16);
pub const BACKENDS: [Backend; 2] = [Backend::Ring, Backend::Thread];

/// Options of the smallest segments.
pub fn small() -> Options {
    Options { segment_bytes: 16 * 1024, max_bytes: 1024 * 1024, ..Options::default() }
}

pub fn open(dir: &Path, backend: Backend) -> Log {
    Log::open(dir, Options { backend, ..small() }).expect("the log opens").0
}

/// Flushes until nothing is left to do.
pub fn flush(log: &mut Log) -> Result<(), Poisoned> {
    log.submit()?;
    while !log.is_idle() {
        wait(log);
        log.poll()?;
    }
    Ok(())
}

/// Sleeps until the log's event is readable; that of a disk in memory always is.
pub fn wait(log: &Log) {
    poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], None).expect("an event can be polled");
}

/// Appends, and waits for room as long as the next segment is being prepared.
pub fn append(log: &mut Log, body: &[u8]) -> Lsn {
    append_at(log, 7, Fsync::Always, body)
}

/// The same, at a time and in a mode.
pub fn append_at(log: &mut Log, time_ms: u64, fsync: Fsync, body: &[u8]) -> Lsn {
    loop {
        match log.append(EVENT, time_ms, fsync, &[body]) {
            Ok(lsn) => return lsn,
            Err(AppendError::Full(_)) => {
                log.submit().expect("the disk works");
                wait(log);
                log.poll().expect("the disk works");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every record that can be read.
pub fn read_all(log: &Log) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = Lsn::ZERO;
    while let Some(entry) = log.read(at).expect("the log is whole") {
        at = entry.next;
        entries.push(entry);
    }
    entries
}

/// A body that tells its number, of a size that varies.
pub fn body(number: u64) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(8 + (number * 37 % 500) as usize, number as u8);
    body
}

/// Consumers of this log that come with their first cursor.
pub trait Consumers {
    /// Gives a consumer a cursor, be it registered or not.
    fn set_cursor(&mut self, consumer: u64, cursor: Cursor);

    /// The same together with a record.
    fn append_with_cursor(
        &mut self,
        fsync: Fsync,
        consumer: u64,
        cursor: Cursor,
        body: &[u8],
    ) -> Result<Lsn, AppendError>;
}

impl Consumers for Log {
    fn set_cursor(&mut self, consumer: u64, cursor: Cursor) {
        let known = match self.register(consumer, Place::Here, &cursor) {
            Err(ConsumerError::AlreadyRegistered(_)) => self.update_cursor(consumer, Place::Here, &cursor),
            new => new,
        };
        known.expect("it stands here");
    }

    fn append_with_cursor(
        &mut self,
        fsync: Fsync,
        consumer: u64,
        cursor: Cursor,
        body: &[u8],
    ) -> Result<Lsn, AppendError> {
        let before = self.cursors().get(consumer).unwrap_or_else(|| {
            self.set_cursor(consumer, Cursor::default());
            Cursor::default()
        });
        let gone = before.pending.iter().map(|pending| pending.lsn);
        let gone: Vec<_> = gone.filter(|lsn| cursor.pending.iter().all(|kept| kept.lsn != *lsn)).collect();
        let progress =
            Progress { place: Place::Here, read: cursor.read, changed: &cursor.pending, finished: &gone };
        self.append_with_progress(0, fsync, &[(consumer, progress)], (EVENT, &[body]))
    }
}
