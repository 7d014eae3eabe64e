//! Where a trial keeps the server's data, and what becomes of it when the machine
//! "crashes".
//!
//! A disk promises one thing: after [`Disk::lose_unsynced`] nothing is left of what was
//! not synced, and everything of what was. What is in between (old, new or torn pages)
//! is the disk's own choice. Deliberately absent: the processes; the trial stops them
//! before the loss and ends them before the disk comes back.

mod ext4;

use std::path::Path;

use anyhow::Result;

pub use ext4::{Ext4, Make, run};

/// A disk that can lose what was not synced.
pub trait Disk {
    /// A directory on it, for the server's data; the same all the time.
    fn path(&self) -> &Path;

    /// Until the next loss, syncs take some milliseconds where the disk can be made so
    /// slow: a crash has to come in the middle of one now and then.
    ///
    /// # Errors
    /// It should be slow and cannot.
    fn be_slow(&mut self) -> Result<()> {
        Ok(())
    }

    /// Loses what was not synced. The server's processes are stopped (SIGSTOP), and are
    /// killed right after this returns, before [`come_back`](Self::come_back); until
    /// then every access may fail.
    ///
    /// # Errors
    /// The loss could not be brought about; then the trial is void.
    fn lose_unsynced(&mut self) -> Result<()>;

    /// Makes the directory usable again, with what was synced. No process of the server
    /// is alive.
    ///
    /// # Errors
    /// The disk does not come back; then the trial is void.
    fn come_back(&mut self) -> Result<()>;
}
