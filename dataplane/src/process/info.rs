//! Who serves where: `dataplane.json`, which the supervisor and tools wait for.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{
    runtime::driver::Choice,
    tuning::{Args, Config},
};

/// Its name in the snapshot directory.
const FILE: &str = "dataplane.json";

/// What the file holds, and `/v1/info` shows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Info {
    pid: u32,
    version: &'static str,
    listen: SocketAddr,
    admin: SocketAddr,
    data: String,
    driver: String,
    driver_reason: String,
    shards: usize,
    fsync: String,
}

impl Info {
    pub(crate) fn new(
        args: &Args,
        config: &Config,
        choice: &Choice,
        listen: SocketAddr,
        admin: SocketAddr,
        shards: usize,
    ) -> Self {
        let data = fs::canonicalize(&args.data).unwrap_or_else(|_| args.data.clone());
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            listen,
            admin,
            data: data.display().to_string(),
            driver: choice.driver.to_string(),
            driver_reason: choice.reason.clone(),
            shards,
            fsync: config.wal.fsync.to_string(),
        }
    }
}

/// The file in the snapshot directory, from when the process serves until it
/// stops; also where the directory is replaced meanwhile.
pub(crate) struct Announcement {
    directory: PathBuf,
    /// What the file holds while it should be there.
    info: Mutex<Option<Info>>,
}

/// The file is not there, or not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {cause}", path.display())]
pub(crate) struct AnnounceError {
    path: PathBuf,
    cause: io::Error,
}

impl Announcement {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), info: Mutex::default() }
    }

    /// Writes the file; it is there whole or not at all.
    pub(crate) fn announce(&self, info: Info) -> Result<(), AnnounceError> {
        let mut announced = self.announced();
        *announced = Some(info);
        self.write(&announced)
    }

    /// Writes the file again if it is gone.
    pub(crate) fn keep(&self) -> Result<(), AnnounceError> {
        let announced = self.announced();
        if announced.is_none() || self.directory.join(FILE).exists() {
            return Ok(());
        }
        self.write(&announced)
    }

    /// Takes the file away, so that nobody talks to a process that stops.
    pub(crate) fn withdraw(&self) {
        let mut announced = self.announced();
        *announced = None;
        // Missing already is as good.
        let _ = fs::remove_file(self.directory.join(FILE));
    }

    fn write(&self, info: &Option<Info>) -> Result<(), AnnounceError> {
        let path = self.directory.join(FILE);
        let temporary = self.directory.join(format!("{FILE}.{}", std::process::id()));
        let write = || {
            fs::write(&temporary, serde_json::to_vec(info)?)?;
            // In shared memory, for the running process only: nothing to sync.
            #[expect(clippy::disallowed_methods, reason = "a rename that need not be durable")]
            fs::rename(&temporary, &path)
        };
        write().map_err(|cause| AnnounceError { path: path.clone(), cause })
    }

    fn announced(&self) -> MutexGuard<'_, Option<Info>> {
        self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Info {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "ingress {}, admin {}, {} shards on {} ({}), fsync {}, data in {}",
            self.listen, self.admin, self.shards, self.driver, self.driver_reason, self.fsync, self.data
        )
    }
}
