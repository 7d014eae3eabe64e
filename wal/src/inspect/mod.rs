//! A log as it lies on the disk, looked at and not held.
//!
//! # What it promises
//!
//! Nothing is locked, made, removed or written, and no damage keeps it from
//! looking at the rest: [`inspect`] tells what a log consists of, [`verify`] reads
//! every byte of it, and [`records`] gives its records. All three may be used
//! while another process has the log; then the end of what they tell is older than
//! what they return later. One segment at a time is held in memory.
//!
//! What a start would do is asked of recovery's own table, and frames, seals and
//! cursors are read by the code that reads them there: there is no second
//! judgement. It goes on where recovery stops, at the first damage.
//!
//! # What it does not do
//!
//! It mends nothing; [`salvage`](crate::salvage()) writes what is left to another
//! directory. It knows nothing of what the owner's records mean.

mod source;
mod plan;
mod walk;
mod survey;
mod summary;
mod verify;
mod records;
mod fault;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::{
    fault::Fault,
    records::{Read, Record, Records, Since, records},
    summary::{Inspection, SegmentState, SegmentSummary, Start, inspect},
    verify::{DamagedRange, Gap, Verification, verify},
};
pub(crate) use self::{
    plan::Plan,
    source::{Content, Depth, Source},
    survey::{Survey, Surveys},
    verify::examine,
    walk::{Piece, Run},
};
use crate::lsn::Lsn;

/// Why nothing can be told of a log.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The directory holds none, or there is no such directory.
    #[error("{}: no log is here: a log's directory holds files named like 0000000000000000.segment", path.display())]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory cannot be read at all.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The directory holds a log, as the names in it tell.
#[must_use]
pub fn is_log(dir: &Path) -> bool {
    crate::directory::names(dir).is_ok_and(|names| !names.listing.segments.is_empty())
}

/// The name of a segment's file.
fn file_name(base: Lsn) -> String {
    let path = crate::directory::segment_path(Path::new(""), base);
    path.to_string_lossy().into_owned()
}
