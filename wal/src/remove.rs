//! The removal of a log as a whole, by an owner who says that nothing in it is needed.
//!
//! # What it promises
//!
//! - A log that is in use, and a directory that holds anything that is not the
//!   log's, are left as they are.
//! - Broken off at any point, the log is there as it was, or it is none: what is
//!   left of it is no damage to anyone, and goes with the next removal or start.
//! - When it has ended, the directory is durably gone.
//!
//! # How
//!
//! A file named `log.removed` is made durable first. Where it lies, segments are
//! leftovers; it goes after they are durably gone.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::directory::{Directory, NotTaken, names};

/// Why a log was not removed, or not as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// A process has the log.
    #[error("{} is in use by process {holder}; close the log before it is removed", path.display())]
    InUse {
        /// The log's directory.
        path: PathBuf,
        /// The holder's process id, as it wrote it down.
        holder: String,
    },
    /// The directory holds what is not the log's. Nothing was changed.
    #[error("{} is not removed: {} is not the log's; move it elsewhere", path.display(), names.join(", "))]
    Strangers {
        /// The log's directory.
        path: PathBuf,
        /// The names.
        names: Vec<String>,
    },
    /// The directory cannot be read or changed. Trying again is safe.
    #[error("{} is not removed: {doing}: {source}; mend that and try again", path.display())]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Removes the log in `dir`, whatever is in it, with the directory. One that is
/// gone is removed already. Waits for the disk.
///
/// # Errors
/// See [`RemoveError`].
pub fn remove_log(dir: &Path) -> Result<(), RemoveError> {
    let io = |doing| move |source| RemoveError::Io { path: dir.to_owned(), doing, source };
    let refuse_strangers = || match names(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("list the directory")(error)),
        Ok(names) if names.listing.unknown.is_empty() => Ok(true),
        Ok(names) => Err(RemoveError::Strangers { path: dir.to_owned(), names: names.listing.unknown }),
    };
    // Before the lock: not even that is made among strangers.
    if !refuse_strangers()? {
        return Ok(());
    }
    let directory = Directory::take(dir).map_err(|not_taken| match not_taken {
        NotTaken::Held(holder) => RemoveError::InUse { path: dir.to_owned(), holder },
        NotTaken::Io(source) => io("take the directory")(source),
    })?;
    refuse_strangers()?;
    directory.mark_removed().map_err(io("mark the log as removed"))?;
    directory.list().map_err(io("remove the segments"))?;
    directory.remove_all().map_err(io("remove the directory"))
}
