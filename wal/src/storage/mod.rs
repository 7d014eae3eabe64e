//! The seam between the log and a disk.
//!
//! Everything the log does to a disk is one of these verbs, and everything it
//! knows of time and randomness comes from here, so that the same log runs on a
//! simulated disk. Segments are named by their base.

use std::{io, os::fd::BorrowedFd, time::Duration};

use bytes::Bytes;

use crate::{lsn::Lsn, segment::Header};

pub(crate) mod event;
pub(crate) mod files;
pub(crate) mod report;

/// A write or sync that ended.
#[derive(Debug)]
pub enum Completion {
    /// A write ended.
    Written {
        /// The buffer comes back, whatever happened.
        buffer: Vec<u8>,
        /// Bytes that were written; fewer than asked for is no error.
        result: io::Result<usize>,
    },
    /// A sync ended.
    Synced(io::Result<()>),
    /// It never began: what hands it to the disk does not work any more.
    Refused(io::Error),
}

/// Background work that ended.
#[derive(Debug)]
pub enum Chore {
    /// The segment stands ready under its name, or no trace of it is left. It is
    /// viewed and held.
    Prepared(Header, io::Result<()>),
    /// The segment with this base is durably gone.
    Removed(Lsn, io::Result<()>),
}

/// What a disk holds of a log.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Bases of the segments, ascending.
    pub segments: Vec<Lsn>,
    /// Names that are not the log's. They stay as they are.
    pub unknown: Vec<String>,
}

/// A disk. One write or sync is in flight at a time; chores run beside it.
pub trait Storage: Send {
    /// Segments and strangers.
    fn list(&mut self) -> io::Result<Listing>;

    /// Makes what the segment holds durable and forgets every cached copy, so
    /// that the next [`view`](Self::view) shows what the disk has.
    fn settle(&mut self, base: Lsn) -> io::Result<()>;

    /// The bytes of a segment. What is written later may show in them, so only
    /// what is durable may be handed on. One that was viewed, and not settled or
    /// zeroed since, can be viewed again, as long as it is there: nothing is
    /// needed for that which may be short.
    fn view(&self, base: Lsn) -> io::Result<Bytes>;

    /// Overwrites a range of offsets with zeros, durably. Waits.
    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()>;

    /// Views a segment, and takes hold of it so that no later write or sync needs
    /// anything that may be short.
    fn hold(&mut self, base: Lsn) -> io::Result<()>;

    /// Starts to make a segment, in place of one that has its base: header, then zeros, durable before it gets its
    /// name. Ends as [`Chore::Prepared`].
    fn prepare(&mut self, header: Header);

    /// Starts to remove a segment durably. Ends as [`Chore::Removed`]. The log asks
    /// for one after another.
    fn remove(&mut self, base: Lsn);

    /// Starts to write `buffer[from..]` at an offset. Ends as
    /// [`Completion::Written`].
    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize);

    /// Starts to make the segment's written bytes durable. Ends as
    /// [`Completion::Synced`].
    fn sync(&mut self, base: Lsn);

    /// The next completion, if there is one. Never waits.
    fn completion(&mut self) -> Option<Completion>;

    /// The next ended chore, if there is one. Never waits.
    fn chore(&mut self) -> Option<Chore>;

    /// Waits until there may be a completion or chore.
    fn wait(&mut self) -> io::Result<()>;

    /// Makes [`event_fd`](Self::event_fd) unreadable until something new ends.
    fn clear_event(&mut self);

    /// Readable when something ended, or at a time that
    /// [`wake_at`](Self::wake_at) named.
    fn event_fd(&self) -> BorrowedFd<'_>;

    /// Makes [`event_fd`](Self::event_fd) readable at a time of
    /// [`now`](Self::now), or soon after; a time that was named before is
    /// forgotten.
    fn wake_at(&mut self, at: Duration);

    /// Monotonic time from an arbitrary start.
    fn now(&self) -> Duration;

    /// Bits nobody can guess.
    fn entropy(&mut self) -> u32;
}
