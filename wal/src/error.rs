//! What can go wrong, one type an operation.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::io::Errno;

use crate::{cursor::Place, limits, lsn::Lsn, options::Backend};

/// Exit code of an owner whose disk fails the log: `EX_IOERR` of sysexits.
const EXIT_POISONED: u8 = 74;
/// Exit code of an owner whose log is damaged below what was durable:
/// `EX_DATAERR` of sysexits.
const EXIT_DAMAGED: u8 = 65;
/// Exit code of an owner whose log is in use: `EX_TEMPFAIL` of sysexits.
const EXIT_LOCKED: u8 = 75;
/// Exit code of an owner whose process or machine is short of what a log needs to be
/// opened: `EX_TEMPFAIL` of sysexits.
const EXIT_SHORTAGE: u8 = 75;
/// Exit code of an owner that was given unusable options: `EX_USAGE` of
/// sysexits.
const EXIT_OPTIONS: u8 = 64;

/// What the disk was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Write records.
    Write,
    /// Make written records durable.
    Sync,
    /// Take on a write or a sync at all.
    HandOver,
    /// Prepare the next segment. That space, descriptors or memory are short is no
    /// failure.
    Prepare,
    /// Remove a segment that nobody needs.
    Remove,
}

impl Stage {
    fn remedy(self) -> &'static str {
        match self {
            Self::HandOver => {
                "the disk was not asked: look for what the kernel says of io_uring, or choose the thread backend"
            }
            Self::Write | Self::Sync | Self::Prepare | Self::Remove => "check the disk",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "writing records",
            Self::Sync => "syncing records",
            Self::HandOver => "handing a write or sync to the kernel",
            Self::Prepare => "preparing a segment",
            Self::Remove => "removing a segment",
        })
    }
}

/// The disk failed the log, for good.
///
/// After a failed sync the kernel may count lost pages as clean, so that the
/// next sync succeeds without them: trying again would confirm records that are
/// gone. Nothing more is durable; the owner exits with 74, `EX_IOERR` of sysexits,
/// and the next start reads from the disk what it really has.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the log cannot be made durable: {stage} failed at {at}: {cause}; {}, and start again", stage.remedy())]
pub struct Poisoned {
    /// What failed.
    pub stage: Stage,
    /// The lowest position concerned.
    pub at: Lsn,
    /// What the kernel said.
    #[source]
    pub cause: Arc<io::Error>,
}

/// Why there is no room for a record now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Full {
    /// The next segment is being prepared; there will be room in a moment.
    #[error("the next segment is being prepared")]
    Preparing,
    /// Too much waits for the disk; there will be room after a flush.
    #[error("records wait for the disk")]
    Pending,
    /// The log has its maximal size; there will be room when consumers advance.
    #[error("the log holds its maximum of {max_bytes} bytes; consumers must advance, or raise max_bytes")]
    MaxBytes {
        /// The maximum.
        max_bytes: u64,
    },
    /// The file system has no space for a segment.
    #[error("the file system has no space for a segment: {0}; free some, service resumes by itself")]
    NoSpace(Arc<io::Error>),
    /// The process or the machine has no descriptor, or no memory, for a segment.
    #[error(
        "descriptors or memory for a segment are short: {0}; raise the limit (LimitNOFILE, ulimit -n) or free some, \
         service resumes by itself"
    )]
    NoResources(Arc<io::Error>),
}

/// Why the progress of a consumer is refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// It was never registered, or was forgotten.
    #[error("consumer {0:016x} is not registered with this log; register it first, if it is not gone")]
    UnknownConsumer(u64),
    /// It is registered already.
    #[error("consumer {0:016x} is registered already; forget it first, to begin anew")]
    AlreadyRegistered(u64),
    /// The positions are those of another log than it was registered with.
    #[error(
        "consumer {consumer:016x} stands {} and is given positions of the other kind; forget it first",
        match registered { Place::Here => "in this log", Place::Elsewhere => "in another log" }
    )]
    OtherPlace {
        /// The consumer.
        consumer: u64,
        /// Where it stands.
        registered: Place,
    },
}

/// Why a record was not appended. Nothing of it is in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room now; the same record may fit later.
    #[error("the log is full: {0}")]
    Full(#[from] Full),
    /// The record or group never fits a segment.
    #[error("{bytes} bytes, frames included, exceed the {max} that fit a segment; raise segment_bytes")]
    TooLarge {
        /// Bytes of the record or group, frames included.
        bytes: u64,
        /// Bytes that fit.
        max: u64,
    },
    /// Kinds below 16 are the log's own.
    #[error("record kind {0} is reserved for the log")]
    ReservedKind(u8),
    /// The cursors do not fit their part of a segment.
    #[error("{consumers} cursors exceed the {max_bytes} bytes they may take; raise segment_bytes")]
    TooManyCursors {
        /// Number of cursors.
        consumers: usize,
        /// Bytes they may take.
        max_bytes: u64,
    },
    /// The progress that comes with the record is refused.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// The log is poisoned.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

impl AppendError {
    /// The same record may be appended later.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

/// Records that were durable cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the log is damaged from {from} up to {to}: {what}; `eagre wal verify` names the files to restore from a \
     copy, docs/salvage.md tells what to do without one"
)]
pub struct Damage {
    /// The first position that cannot be read.
    pub from: Lsn,
    /// Reading may go on here.
    pub to: Lsn,
    /// What was seen.
    pub what: DamageKind,
}

/// What was seen where records were durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// Bytes are not what was written.
    #[error("the checksum or the place of a record is wrong")]
    Record,
    /// A segment's header is not what was written.
    #[error("the header or the size of the segment file is wrong")]
    Header,
    /// A full segment has no seal.
    #[error("the seal of a full segment is missing")]
    Seal,
    /// No file covers these positions.
    #[error("a segment is missing")]
    Missing,
    /// A later release wrote a record of the log's own.
    #[error(
        "a record of the log's own has kind {0}, which this release does not know; use the one that wrote it"
    )]
    UnknownKind(u8),
    /// The file is another log's.
    #[error("the segment is of another log, or from another time")]
    Foreign,
    /// The file cannot be read.
    #[error("the segment cannot be read: {0}")]
    Unreadable(String),
}

/// Options that make no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The size of segments is out of range.
    #[error(
        "segment_bytes = {0} is not a multiple of {align} from {min} to {max}",
        align = limits::SEGMENT_ALIGN_BYTES,
        min = limits::SEGMENT_BYTES_MIN,
        max = limits::SEGMENT_BYTES_MAX
    )]
    SegmentBytes(u64),
    /// The log is not allowed to hold the segments it needs to work.
    #[error(
        "max_bytes = {max_bytes} is less than the {min} of the active segment and the one prepared after it"
    )]
    MaxBytes {
        /// What was given.
        max_bytes: u64,
        /// What is needed.
        min: u64,
    },
    /// The cursors that are in the log do not fit segments so small.
    #[error(
        "the log's {consumers} cursors do not fit segments of this size; raise segment_bytes to {min} at least"
    )]
    CursorsDoNotFit {
        /// Number of cursors.
        consumers: usize,
        /// The smallest segment that they fit.
        min: u64,
    },
}

/// Why a log was not opened. Nothing was changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options make no log.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Another process has the log.
    #[error("{} is in use by process {holder}; stop it, or choose another directory", path.display())]
    Locked {
        /// The log's directory.
        path: PathBuf,
        /// The holder's process id, as it wrote it down.
        holder: String,
    },
    /// Records that were durable are damaged.
    #[error("{} is not opened: {damage}", path.display())]
    Damaged {
        /// The log's directory.
        path: PathBuf,
        /// What is damaged.
        damage: Damage,
    },
    /// The log was written by a later release.
    #[error(
        "{}: segment {base} has format version {version}, this release reads {}; use the later release",
        path.display(), crate::segment::FORMAT_VERSION
    )]
    FutureVersion {
        /// The log's directory.
        path: PathBuf,
        /// The segment.
        base: Lsn,
        /// Its version.
        version: u16,
    },
    /// The process or the machine is out of descriptors, memory or threads.
    #[error(
        "{}: {doing}: {source}: descriptors, memory or threads are used up; raise the limit (LimitNOFILE, ulimit -n \
         or -u, the pod's memory) or stop what uses them, and start again; the log is unharmed",
        path.display()
    )]
    Shortage {
        /// The log's directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// io_uring is not available to this process.
    #[error(
        "io_uring is not available ({0}): a seccomp profile or sysctl kernel.io_uring_disabled forbids it, \
         or the kernel is too old; allow it or choose the thread backend"
    )]
    Ring(#[source] io::Error),
    /// The directory cannot be used.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        // Threads that are used up read like this.
        let is_again = Errno::from_io_error(&source) == Some(Errno::AGAIN);
        if is_resource_shortage(&source) || is_again {
            Self::Shortage { path, doing, source }
        } else {
            Self::Io { path, doing, source }
        }
    }

    pub(crate) fn engine(path: &Path, backend: Backend, source: io::Error) -> Self {
        match (backend, Self::io(path, "make what writes", source)) {
            (Backend::Ring, Self::Io { source, .. }) => Self::Ring(source),
            (_, error) => error,
        }
    }

    /// The exit code that tells a supervisor which of these it was.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Options(_) => EXIT_OPTIONS,
            Self::Locked { .. } => EXIT_LOCKED,
            Self::Damaged { .. } | Self::FutureVersion { .. } => EXIT_DAMAGED,
            Self::Shortage { .. } => EXIT_SHORTAGE,
            Self::Ring(_) | Self::Io { .. } => EXIT_POISONED,
        }
    }
}

/// There is no space now; nothing of the log has suffered.
pub(crate) fn is_space_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The process or the machine has no descriptor or memory now; nothing of the log
/// has suffered.
pub(crate) fn is_resource_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}
