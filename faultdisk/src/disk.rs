//! The disk as its owner has it in hand.

use std::{path::Path, sync::Arc, time::SystemTime};

use rustix::process::{getegid, geteuid};

use crate::{
    cut::{Chance, Cut, Loss},
    error::Error,
    faults::Faults,
    mount::Mount,
    shared::Shared,
    tree::{Attributes, Tree},
};

/// What a disk is like.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that all files together may take, in whole pages of 4 KiB; more is
    /// refused with `ENOSPC`. It is what the disk takes of memory at the most,
    /// twice if everything is rewritten without a sync.
    pub capacity_bytes: u64,
}

impl Default for Options {
    /// 256 MiB.
    fn default() -> Self {
        Self { capacity_bytes: 256 * 1024 * 1024 }
    }
}

/// A disk in memory, empty at first. It lives as long as this value, over any
/// number of mounts and power cuts; dropping it tears off the mount.
pub struct FaultDisk {
    shared: Arc<Shared>,
    mount: Option<Mount>,
}

impl FaultDisk {
    /// An empty disk, not mounted.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let root = Attributes {
            mode: 0o755,
            user: geteuid().as_raw(),
            group: getegid().as_raw(),
            modified: SystemTime::now(),
        };
        Self { shared: Shared::new(Tree::new(options.capacity_bytes, root)), mount: None }
    }

    /// Mounts the disk on a directory. A mount there whose server has died is
    /// cleared first.
    ///
    /// # Errors
    /// It is mounted, or the system does not let it; see [`Error`].
    pub fn mount(&mut self, path: &Path) -> Result<(), Error> {
        if let Some(mount) = &self.mount {
            return Err(Error::Mounted(mount.path.clone()));
        }
        self.mount = Some(Mount::begin(path, &self.shared)?);
        Ok(())
    }

    /// Unmounts, when nobody uses the mount any more; waits some seconds for
    /// those that are going away. It syncs nothing: what was not synced stays
    /// so, and is seen by the next mount.
    ///
    /// # Errors
    /// It is not mounted, or still in use; then it stays mounted.
    pub fn unmount(&mut self) -> Result<(), Error> {
        self.mount.as_ref().ok_or(Error::NotMounted)?.end()?;
        self.mount.take().into_iter().for_each(Mount::ended);
        Ok(())
    }

    /// Cuts the power. If the disk is mounted, the mount is torn off first,
    /// whatever its users are doing: they get errors, and their maps `SIGBUS`
    /// where a page is not in memory. From then on the disk has what it had
    /// synced, and of the rest what `loss` leaves.
    ///
    /// # Errors
    /// The mount cannot be torn off; then nothing is lost.
    pub fn power_cut(&mut self, loss: Loss) -> Result<Cut, Error> {
        if let Some(mount) = &self.mount {
            mount.tear()?;
        }
        self.mount.take().into_iter().for_each(Mount::ended);
        let mut chance = Chance::new(loss);
        let mut state = self.shared.lock();
        state.tree.cut(&mut chance);
        state.switches.revive();
        Ok(chance.cut)
    }

    /// Where the disk is mounted.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.mount.as_ref().map(|mount| mount.path.as_path())
    }

    /// The switches of its faults.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults(Arc::clone(&self.shared))
    }
}

impl Drop for FaultDisk {
    fn drop(&mut self) {
        if let Some(mount) = self.mount.take() {
            // Where it fails, somebody has unmounted it already, or will have to;
            // to wait for the thread could then be to wait for ever.
            if mount.tear().is_ok() {
                mount.ended();
            }
        }
    }
}
