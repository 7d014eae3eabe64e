//! Who serves where: `dataplane.json`, which the supervisor and tools wait for.

use std::{fmt, fs, io, net::SocketAddr, path::Path};

use serde::Serialize;

use crate::{
    runtime::driver::Choice,
    tuning::{Args, Config},
};

/// Its name in the snapshot directory.
pub(crate) const FILE: &str = "dataplane.json";

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

    /// Writes the file; it is there whole or not at all.
    pub(crate) fn announce(&self, directory: &Path) -> io::Result<()> {
        let temporary = directory.join(format!("{FILE}.{}", self.pid));
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        // In shared memory, for the running process only: nothing to sync.
        #[expect(clippy::disallowed_methods, reason = "a rename that need not be durable")]
        fs::rename(temporary, directory.join(FILE))
    }
}

/// Takes the file away, so that nobody talks to a process that stops.
pub(crate) fn withdraw(directory: &Path) {
    // Missing already is as good.
    let _ = fs::remove_file(directory.join(FILE));
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
