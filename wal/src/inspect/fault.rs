//! What can be wrong with a part of a log.

use crate::{lsn::Lsn, segment::FORMAT_VERSION};

/// What was seen of a damaged range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes are not what was written.
    #[error("the checksum, the place or the number of a record is wrong")]
    Record,
    /// Records are whole, and others that were between them are not there.
    #[error("the number of the record here does not follow that of the one before")]
    Sequence,
    /// Nothing is where records were.
    #[error("zeros stand where records were")]
    Zeros,
    /// The disk does not return the bytes.
    #[error("the disk does not return the bytes: {0}")]
    Unreadable(String),
    /// The segment's header is not what was written.
    #[error("the header of the segment file is wrong")]
    Header,
    /// The file has another size than its header says.
    #[error("the file has {file_bytes} bytes, its header says {segment_bytes}")]
    Size {
        /// Bytes of the file.
        file_bytes: u64,
        /// Bytes it was made with.
        segment_bytes: u64,
    },
    /// The file is another segment of this log.
    #[error("the file holds the segment {holds}: its name is wrong")]
    Misnamed {
        /// The segment that it is.
        holds: Lsn,
    },
    /// The file is no segment of this log.
    #[error("the segment is of another log, or from another time")]
    Foreign,
    /// No file covers these positions.
    #[error("a segment is missing")]
    Missing,
    /// The segment behind the last full one is missing, with all that may have
    /// been in it and behind it.
    #[error("the end of the log is missing: the last segment is full, and none follows")]
    End,
    /// A full segment has no seal.
    #[error("the seal of a full segment is missing")]
    Seal,
    /// A seal tells of other records than there are.
    #[error("the seal tells of {records} records or another end, the segment holds {found}")]
    SealContent {
        /// Records by the seal.
        records: u64,
        /// Records in the segment.
        found: u64,
    },
    /// Bytes that belong to no record are not zero.
    #[error("bytes behind the last record are not zero; no record is concerned")]
    Residue,
    /// The segment was written by a later release.
    #[error("the segment has format version {version}, this release reads {FORMAT_VERSION}")]
    FutureVersion {
        /// Its version.
        version: u16,
    },
}
