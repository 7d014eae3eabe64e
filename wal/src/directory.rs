//! Names on the disk: who holds the directory, what lies in it, and how a name
//! comes and goes durably. No other file renames, removes or syncs directories.
//!
//! A name is durable only after a sync of its directory, and a file's content
//! only after a sync of the file. So a segment is made under another name,
//! synced, renamed, and the directory synced: a crash leaves either a whole
//! segment or a file with the other name, which the next start removes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    canary::{Canary, planted},
    lsn::Lsn,
    storage::Listing,
};

const SEGMENT_SUFFIX: &str = ".segment";
const UNFINISHED_SUFFIX: &str = ".segment.unfinished";
pub(crate) const LOCK: &str = "lock";
/// What lies beside it is no log any more, and goes.
const REMOVED: &str = "log.removed";

/// A directory that this process holds alone, until it is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    handle: File,
    _lock: File,
}

/// Why a directory was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The process that has it, as it wrote it down.
    Held(String),
    Io(io::Error),
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Directory {
    /// Creates the directory if need be, durably, and locks it. Waits a bounded
    /// time for a holder that is going away.
    pub(crate) fn take(path: &Path) -> Result<Self, NotTaken> {
        if !path.is_dir() {
            fs::create_dir_all(path)?;
            sync_ancestors(path)?;
        }
        let handle = File::open(path)?;
        let lock = lock(&path.join(LOCK))?;
        handle.sync_all()?;
        Ok(Self { path: path.to_owned(), handle, _lock: lock })
    }

    /// What lies in the directory. Files of segments that were never finished, and
    /// what is left of a log that was being removed, are removed; nothing else is.
    pub(crate) fn list(&self) -> io::Result<Listing> {
        let Names { listing, leftover, is_removed } = names(&self.path)?;
        for name in &leftover {
            fs::remove_file(self.path.join(name))?;
        }
        if !leftover.is_empty() {
            self.handle.sync_all()?;
        }
        if is_removed {
            fs::remove_file(self.path.join(REMOVED))?;
            self.handle.sync_all()?;
        }
        Ok(listing)
    }

    /// Marks the log as removed, durably: from here on what lies here is no log.
    pub(crate) fn mark_removed(&self) -> io::Result<()> {
        File::create(self.path.join(REMOVED))?.sync_all()?;
        self.handle.sync_all()
    }

    /// Removes the directory, which must hold no file but the lock.
    pub(crate) fn remove_all(self) -> io::Result<()> {
        let path = fs::canonicalize(&self.path)?;
        fs::remove_file(path.join(LOCK))?;
        fs::remove_dir(&path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }

    /// Opens a segment to read.
    pub(crate) fn open(&self, base: Lsn) -> io::Result<File> {
        File::open(segment_path(&self.path, base))
    }

    /// Opens a segment to write.
    pub(crate) fn open_writable(&self, base: Lsn) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(segment_path(&self.path, base))
    }

    /// Makes a segment durable, name and content, and gives it open to read and to
    /// write; `fill` writes its content. On an error no trace of it is left, as far
    /// as the disk allows.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a rename durable")]
    pub(crate) fn create<T>(
        &self,
        base: Lsn,
        fill: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<(File, T)> {
        let unfinished = self.path.join(format!("{base}{UNFINISHED_SUFFIX}"));
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unfinished);
        let made = open.and_then(|mut file| {
            let filled = fill(&mut file)?;
            if !planted(Canary::FileNotSynced) {
                file.sync_all()?;
            }
            fs::rename(&unfinished, segment_path(&self.path, base))?;
            Ok((file, filled))
        });
        if made.is_err() {
            // What cannot be removed now is removed by the next start.
            let _ = fs::remove_file(&unfinished);
        } else if !planted(Canary::NameNotSynced) {
            self.handle.sync_all()?;
        }
        made
    }

    /// Removes a segment durably; one that is gone may be so since a removal whose
    /// sync failed.
    pub(crate) fn remove(&self, base: Lsn) -> io::Result<()> {
        match fs::remove_file(segment_path(&self.path, base)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.handle.sync_all(),
        }
    }
}

/// Where a segment lies.
pub(crate) fn segment_path(directory: &Path, base: Lsn) -> PathBuf {
    directory.join(format!("{base}{SEGMENT_SUFFIX}"))
}

/// What lies in a directory.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub listing: Listing,
    /// Files of segments that are none: never finished, or of a log that was being
    /// removed.
    pub leftover: Vec<String>,
    /// The log was being removed.
    pub is_removed: bool,
}

pub(crate) fn names(directory: &Path) -> io::Result<Names> {
    let mut names = Names::default();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let lsn = |suffix| name.strip_suffix(suffix).and_then(|stem| stem.parse::<Lsn>().ok());
        if let Some(base) = lsn(SEGMENT_SUFFIX) {
            names.listing.segments.push(base);
        } else if lsn(UNFINISHED_SUFFIX).is_some() {
            names.leftover.push(name);
        } else if name == REMOVED {
            names.is_removed = true;
        } else if name != LOCK {
            names.listing.unknown.push(name);
        }
    }
    if names.is_removed {
        let segments = std::mem::take(&mut names.listing.segments);
        names.leftover.extend(segments.into_iter().map(|base| format!("{base}{SEGMENT_SUFFIX}")));
    }
    names.listing.segments.sort_unstable();
    names.listing.unknown.sort_unstable();
    Ok(names)
}

/// Makes the names of a new directory and of every directory above it durable:
/// any of them may be new.
fn sync_ancestors(path: &Path) -> io::Result<()> {
    for ancestor in fs::canonicalize(path)?.ancestors().skip(1) {
        match File::open(ancestor) {
            Ok(directory) => directory.sync_all()?,
            // A directory that this process may not read, it did not make.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, NotTaken> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if !eagre_lock::lock(&file, eagre_lock::ATTEMPTS)? {
        let mut holder = String::new();
        file.read_to_string(&mut holder)?;
        return Err(NotTaken::Held(holder.trim().to_owned()));
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}
