//! The directories of one run: the log's, and the one the planes meet in.
//!
//! The latter is in memory (`/dev/shm`), private to the user, named after the data
//! directory, and held by one `eagre up` at a time; it is removed at the end. Where
//! `/dev/shm` cannot be used, it is `run` inside the data directory.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::Stop;
use crate::exit;

/// File that whoever runs here holds locked.
const LOCK: &str = "up.lock";

/// How often a lock is tried for that turns out to be on a removed file.
const LOCK_ATTEMPTS_MAX: usize = 16;

/// Where one run keeps what.
#[derive(Debug)]
pub struct Place {
    data: PathBuf,
    snapshot: PathBuf,
    /// Held for as long as this lives.
    _lock: File,
}

impl Place {
    /// Makes the directories that are missing and takes hold of them.
    pub fn prepare(data: &Path) -> Result<Place, Stop> {
        make_private(data).map_err(|error| cannot(data, "make", &error))?;
        let data = data.canonicalize().map_err(|error| cannot(data, "open", &error))?;
        let in_memory = shared_memory(&data);
        let snapshot = if make_private(&in_memory).is_ok() && is_ours(&in_memory) {
            in_memory
        } else {
            let beside = data.join("run");
            make_private(&beside).map_err(|error| cannot(&beside, "make", &error))?;
            beside
        };
        let lock =
            hold(&snapshot).map_err(|error| cannot(&snapshot, "write to", &error))?.ok_or_else(|| {
                let data = data.display();
                Stop::new(
                    exit::TEMP_FAIL,
                    format!("another eagre runs on {data}; stop it, or choose another directory with --data"),
                )
            })?;
        Ok(Place { data, snapshot, _lock: lock })
    }

    /// What this run is called among others of other machines and directories.
    pub fn name(&self) -> String {
        let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
        let hash = xxh3_64(self.data.as_os_str().as_encoded_bytes());
        // Part of the name of an object of Kubernetes, which is limited.
        let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(63).collect();
        format!("{}-{hash:016x}", if host.is_empty() { "host" } else { host.trim_matches('-') })
    }

    /// The log's directory, absolute.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The directory the planes meet in, absolute.
    pub fn snapshot(&self) -> &Path {
        &self.snapshot
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The planes are gone and the next run makes it anew; if it stays, it is
        // only a little memory.
        let _ = fs::remove_dir_all(&self.snapshot);
    }
}

/// The directory in memory for the log in `data`, an absolute path.
pub fn shared_memory(data: &Path) -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let hash = xxh3_64(data.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/dev/shm/eagre-{user}-{hash:016x}"))
}

fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Anybody may make directories in `/dev/shm`: one that is not ours alone, or that is a
/// link, is not used.
fn is_ours(dir: &Path) -> bool {
    dir.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.uid() == rustix::process::geteuid().as_raw()
            && metadata.mode() & 0o077 == 0
    })
}

/// Locks the directory, or finds that another process has. The file may be removed, with
/// its directory, by a run that ends just now; then the lock means nothing and is taken
/// again.
fn hold(dir: &Path) -> io::Result<Option<File>> {
    let path = dir.join(LOCK);
    for _ in 0..LOCK_ATTEMPTS_MAX {
        make_private(dir)?;
        let file = match File::create(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if path.metadata().is_ok_and(|named| file.metadata().is_ok_and(|held| held.ino() == named.ino())) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn cannot(dir: &Path, action: &str, error: &io::Error) -> Stop {
    let dir = dir.display();
    Stop::new(
        exit::CANNOT_CREATE,
        format!("cannot {action} {dir}: {error}; choose another directory with --data"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_holds_a_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Place::prepare(dir.path()).unwrap();
        assert_eq!(Place::prepare(dir.path()).unwrap_err().code, exit::TEMP_FAIL);
        let snapshot = first.snapshot().to_owned();
        assert!(snapshot.is_dir());
        drop(first);
        assert!(!snapshot.exists());
        Place::prepare(dir.path()).unwrap();
    }

    #[test]
    fn each_data_directory_has_its_own() {
        assert_eq!(shared_memory(Path::new("/a")), shared_memory(Path::new("/a")));
        assert_ne!(shared_memory(Path::new("/a")), shared_memory(Path::new("/b")));
    }
}
