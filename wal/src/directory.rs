//! Names on the disk: who holds the directory, what lies in it, and how a name
//! comes and goes durably. No other file renames, removes or syncs directories.
//!
//! A name is durable only after a sync of its directory, and a file's content
//! only after a sync of the file. So a segment is made under another name,
//! synced, renamed, and the directory synced: a crash leaves either a whole
//! segment or a file with the other name, which the next start removes.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
};

use crate::{
    canary::{Canary, planted},
    limits::{LOCK_ATTEMPTS, LOCK_RETRY},
    lsn::Lsn,
    storage::Listing,
};

const SEGMENT_SUFFIX: &str = ".segment";
const UNFINISHED_SUFFIX: &str = ".segment.unfinished";
pub(crate) const LOCK: &str = "lock";

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

    /// What lies in the directory. Files of segments that were never finished
    /// are removed; nothing else is.
    pub(crate) fn list(&self) -> io::Result<Listing> {
        let (listing, unfinished) = names(&self.path)?;
        for name in &unfinished {
            fs::remove_file(self.path.join(name))?;
        }
        if !unfinished.is_empty() {
            self.handle.sync_all()?;
        }
        Ok(listing)
    }

    /// Opens a segment to read.
    pub(crate) fn open(&self, base: Lsn) -> io::Result<File> {
        File::open(segment_path(&self.path, base))
    }

    /// Opens a segment to write.
    pub(crate) fn open_writable(&self, base: Lsn) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(segment_path(&self.path, base))
    }

    /// Makes a segment durable, name and content; `fill` writes its content. On
    /// an error no trace of it is left, as far as the disk allows.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a rename durable")]
    pub(crate) fn create(&self, base: Lsn, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let unfinished = self.path.join(format!("{base}{UNFINISHED_SUFFIX}"));
        let made = File::create(&unfinished)
            .and_then(|mut file| {
                fill(&mut file)?;
                if planted(Canary::FileNotSynced) { Ok(()) } else { file.sync_all() }
            })
            .and_then(|()| fs::rename(&unfinished, segment_path(&self.path, base)));
        if let Err(error) = made {
            // What cannot be removed now is removed by the next start.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        if planted(Canary::NameNotSynced) { Ok(()) } else { self.handle.sync_all() }
    }

    /// Removes a segment durably.
    pub(crate) fn remove(&self, base: Lsn) -> io::Result<()> {
        fs::remove_file(segment_path(&self.path, base))?;
        self.handle.sync_all()
    }
}

/// Where a segment lies.
pub(crate) fn segment_path(directory: &Path, base: Lsn) -> PathBuf {
    directory.join(format!("{base}{SEGMENT_SUFFIX}"))
}

/// What lies in a directory, and apart from it the files of segments that were
/// never finished.
pub(crate) fn names(directory: &Path) -> io::Result<(Listing, Vec<String>)> {
    let (mut listing, mut unfinished) = (Listing::default(), Vec::new());
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let lsn = |suffix| name.strip_suffix(suffix).and_then(|stem| stem.parse::<Lsn>().ok());
        if let Some(base) = lsn(SEGMENT_SUFFIX) {
            listing.segments.push(base);
        } else if lsn(UNFINISHED_SUFFIX).is_some() {
            unfinished.push(name);
        } else if name != LOCK {
            listing.unknown.push(name);
        }
    }
    listing.segments.sort_unstable();
    listing.unknown.sort_unstable();
    Ok((listing, unfinished))
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
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Err(NotTaken::Held(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}
