//! The directory both planes meet in.
//!
//! Promise: nobody but this user can put, change or shorten a file there, and a
//! name shows up in it only with the whole file behind it.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;

use crate::limits::{CHUNK_CELLS_MAX, CHUNKS_MAX, SHARDS_MAX};

/// Something about the shared directory is not as it has to be.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct DirError {
    /// The directory or the file in it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: DirProblem,
}

/// The problem of a [`DirError`].
#[derive(Debug, Error)]
pub enum DirProblem {
    /// The operating system refused.
    #[error("cannot {action}: {cause}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Its error.
        cause: io::Error,
    },
    /// It belongs to another user.
    #[error("belongs to user {owner}, not to user {user} who runs this; both planes run as one user")]
    Owner {
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others may write to it.
    #[error("has mode {0:o}; others must not be able to write to it: chmod 700")]
    Writable(u32),
    /// Another process of the same role is alive.
    #[error("another process holds it; one publisher and one data plane per directory")]
    Held,
    /// A page with other contents than this build expects.
    #[error(
        "format version {found}, and this build uses {expected}; stop both planes and remove the directory"
    )]
    Version {
        /// What it says.
        found: u64,
        /// What it should say.
        expected: u64,
    },
    /// A page whose header cannot be true.
    #[error("its {0} is out of bounds; stop the data plane and remove the file")]
    Contents(&'static str),
    /// Asked for more shards or slots than there can be.
    #[error(
        "no stats for {shards} shards with {slots} slots; shards: 1 to {SHARDS_MAX}, cells: {CHUNK_CELLS_MAX}"
    )]
    Size {
        /// Shards asked for.
        shards: usize,
        /// Slots asked for.
        slots: usize,
    },
    /// Too many triggers for the stats.
    #[error("more than {CHUNKS_MAX} chunks of counters; create the stats with more slots a chunk")]
    Chunks,
    /// Neither a page nor something half made.
    #[error("does not begin as a file of Eagre does; remove it")]
    Magic,
}

/// Attaches path and action to an I/O error.
pub(crate) fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> DirError {
    move |cause| DirError { path: path.to_owned(), problem: DirProblem::Io { action, cause } }
}

/// Makes sure that `dir` exists and is private; creates it with mode 0700.
pub(crate) fn open_private(dir: &Path) -> Result<(), DirError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error(dir, "create"))?;
    check_private(dir)
}

/// Makes sure that `dir` is private.
pub(crate) fn check_private(dir: &Path) -> Result<(), DirError> {
    let metadata = dir.metadata().map_err(io_error(dir, "stat"))?;
    let user = rustix::process::geteuid().as_raw();
    let problem = if metadata.uid() != user {
        DirProblem::Owner { owner: metadata.uid(), user }
    } else if metadata.mode() & 0o022 != 0 {
        DirProblem::Writable(metadata.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(DirError { path: dir.to_owned(), problem })
}

/// Which file a path leads to: its device and inode. Of a file that is held
/// open or mapped, no other file can have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    pub(crate) fn of(file: &File) -> io::Result<Identity> {
        file.metadata().map(|metadata| Identity(metadata.dev(), metadata.ino()))
    }

    /// `None` if there is no such file, or none that can be looked at.
    pub(crate) fn at(path: &Path) -> Option<Identity> {
        path.symlink_metadata().ok().map(|metadata| Identity(metadata.dev(), metadata.ino()))
    }
}

/// A lock that is held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    identity: Identity,
    _file: File,
}

impl Lock {
    /// Whether it is the lock that others find.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        Identity::at(path) == Some(self.identity)
    }
}

/// Takes the lock file `name`, in up to so many attempts: a holder may be going
/// away.
pub(crate) fn lock(dir: &Path, name: &str, attempts: u32) -> Result<Lock, DirError> {
    let path = dir.join(name);
    let file = open_shared(&path).map_err(io_error(&path, "open"))?;
    if !eagre_lock::lock(&file, attempts).map_err(io_error(&path, "lock"))? {
        return Err(DirError { path, problem: DirProblem::Held });
    }
    let identity = Identity::of(&file).map_err(io_error(&path, "stat"))?;
    Ok(Lock { identity, _file: file })
}

/// Opens a regular file for reading and writing, creating it empty.
pub(crate) fn open_shared(path: &Path) -> io::Result<File> {
    regular(no_follow().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?)
}

/// Opens a regular file for reading.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    regular(no_follow().read(true).open(path)?)
}

/// Writes a file under a temporary name and renames it to `name` once `fill`
/// has filled it. Replaces what had that name.
pub(crate) fn place<T>(
    dir: &Path,
    name: &str,
    mode: u32,
    fill: impl FnOnce(&File) -> io::Result<T>,
) -> Result<T, DirError> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{TEMPORARY_PREFIX}{name}")));
    // Of a predecessor that died here.
    let _ = std::fs::remove_file(&temporary);
    #[expect(clippy::disallowed_methods, reason = "shared memory: nothing outlives the machine")]
    let write = || {
        let file = no_follow().read(true).write(true).create_new(true).mode(0o600).open(&temporary)?;
        let value = fill(&file)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        std::fs::rename(&temporary, &path)?;
        Ok(value)
    };
    write().map_err(|cause| {
        let _ = std::fs::remove_file(&temporary);
        io_error(&path, "write")(cause)
    })
}

/// Removes every file whose name `stale` picks. A file that stays costs space
/// and is tried again next time: no error.
pub(crate) fn sweep(dir: &Path, mut stale: impl FnMut(&str) -> bool) {
    for name in names(dir).unwrap_or_default() {
        if name.to_str().is_some_and(&mut stale) {
            let _ = std::fs::remove_file(dir.join(name));
        }
    }
}

/// The names in `dir`.
pub(crate) fn names(dir: &Path) -> io::Result<Vec<OsString>> {
    dir.read_dir()?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Begins the name of every file that is still being written.
pub(crate) const TEMPORARY_PREFIX: &str = ".new-";

fn no_follow() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}
