//! A durable log with one owner, in segments of fixed size.
//!
//! # What it promises
//!
//! - A record whose position is below [`Log::durable`] is read again after any
//!   kill of the process and, if it was appended with [`Fsync::Always`], after any
//!   loss of power, as long as the disk returns what was synced. If it does not, the log
//!   is not opened, or the read fails, with the range of positions that is lost.
//! - Records are read in the order they were appended, whole, with the bytes that
//!   were appended, or not at all. A group of records is there together or not.
//! - After the first failed write or sync nothing becomes durable any more
//!   ([`Poisoned`]), and whoever waits is woken. A full disk, or descriptors or
//!   memory that are used up, are no failure: they refuse appends ([`Full`]) and
//!   leave everything else at work, reading above all.
//! - A consumer's progress is stored in proportion to what changed of it, together
//!   with a record and with others' where the owner wants so. Nobody makes progress
//!   who is not registered.
//! - Appending, submitting and polling never wait for the disk. Memory is bounded
//!   by [`Options::pending_bytes_max`], disk by [`Options::max_bytes`].
//!
//! # What it does not do
//!
//! It knows nothing of what its records mean, has no runtime and no timer, shares
//! nothing between threads, copies no record on reading, and deletes no file that
//! it did not make. It keeps no copy: a sector that the disk loses is lost.
//!
//! # How it lies on the disk
//!
//! `docs/format.md` tells it byte by byte. In short: a directory with a lock and
//! segment files that are named by their position; in each a header, frames from
//! its start, and when it is full a seal at its end. The first frame of a segment
//! holds all cursors. A frame's checksum covers all of it, its place included,
//! and each frame carries the position up to which the log was known to be on the
//! disk when it was written: that tells a torn tail from damage.
//!
//! # Crash model
//!
//! A write that was not synced may be on the disk in any part and in any order of
//! its sectors. A synced write is there. Names are there when their directory was
//! synced. What a failed sync left is unknown, and known again only when it is
//! read from the disk by a new process.
//!
//! # Order of positions
//!
//! `synced <= written <= end`; a record is durable when it is below `synced` or
//! `written`, as its append asked for. The mark in a frame is always `synced`.

mod lsn;
mod limits;
mod options;
mod record;
mod segment;
mod log;
mod flush;
mod reader;
mod cursor;
mod retention;
mod recover;
mod scan;
mod storage;
mod backend;
mod prepare;
mod directory;
mod map;
mod inspect;
mod salvage;
mod remove;
mod error;
mod canary;

pub use self::{
    cursor::{Cursor, Cursors, Pending, Place, Progress},
    error::{AppendError, ConsumerError, Damage, DamageKind, Full, OpenError, OptionsError, Poisoned, Stage},
    inspect::{
        DamagedRange, Fault, Gap, InspectError, Inspection, Read, Record, Records, SegmentState,
        SegmentSummary, Since, Start, Verification, inspect, is_log, records, verify,
    },
    limits::{SEGMENT_ALIGN_BYTES, SEGMENT_BYTES_MIN, SEGMENTS_MIN},
    log::{Log, Usage},
    lsn::{Lsn, ParseLsnError},
    options::{Backend, Fsync, Options, Retain},
    reader::Entry,
    record::{FRAME_HEADER_BYTES, Kind},
    recover::{Clamped, Missing, Recovery},
    remove::{RemoveError, remove_log},
    salvage::{Salvage, SalvageError, salvage},
    segment::{FORMAT_VERSION, Header},
    storage::{Chore, Completion, Listing, Storage},
};
