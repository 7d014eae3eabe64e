//! The folder in which a server runs: etcd's data, keys, tokens, logs. It goes with
//! the server; one whose process was killed goes when the next server starts.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::Error;

pub(crate) struct Folder {
    folder: TempDir,
    /// Held while the folder is in use.
    _lock: File,
}

impl Folder {
    /// A new one below `runs`, from which what nobody uses any more is removed.
    pub(crate) fn create(runs: &Path) -> Result<Self, Error> {
        let created = || {
            fs::create_dir_all(runs)?;
            // Creating a folder and locking it are two steps, and so is seeing that it is
            // not locked and removing it; this lock is around both.
            let guard = File::create(runs.join("lock"))?;
            guard.lock()?;
            sweep(runs);
            // Tokens and keys lie in it.
            let private = fs::Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().prefix("run-").permissions(private).tempdir_in(runs)?;
            let lock = File::create(folder.path().join("lock"))?;
            lock.lock()?;
            Ok(Self { folder, _lock: lock })
        };
        created().map_err(Error::machine(format!("creating a folder in {}", runs.display())))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf, Error> {
        let path = self.path().join(name);
        fs::write(&path, text).map_err(Error::machine(format!("writing {}", path.display())))?;
        Ok(path)
    }
}

fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let free = |lock: File| eagre_lock::lock(&lock, 1).unwrap_or(false);
        if File::open(entry.path().join("lock")).is_ok_and(free) {
            // What stays is tried again next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
