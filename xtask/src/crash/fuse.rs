//! The fault disk: a file system in memory that forgets, file by file and name by
//! name, what was not synced.
//!
//! It promises what [`Disk`] promises, with the harshest choice of what is in
//! between that a seed can make: pages old, new or torn at sectors, changes of names
//! kept or lost one by one. Deliberately absent: faults that are no power cut.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use eagre_faultdisk::{FaultDisk, Loss, Options};

use super::disk::Disk;

/// Bytes of the disk: the logs of the largest plan several times over, and what is
/// dead but not given up yet.
const CAPACITY_BYTES: u64 = 256 * 1024 * 1024;
/// One power cut in so many loses everything that was not synced.
const EVERYTHING_ONE_IN: u64 = 4;

/// A sync of a slow disk takes so long: most crashes then come in the middle of one.
const SLOW_SYNC: Duration = Duration::from_millis(5);

/// A fault disk, mounted in the trial's directory.
pub struct Fuse {
    disk: FaultDisk,
    path: PathBuf,
    seed: u64,
    cuts: u64,
}

impl Fuse {
    /// A disk mounted on a directory `data` in `work`. The seed decides what its
    /// power cuts leave.
    ///
    /// # Errors
    /// It cannot be mounted; the error tells what that takes.
    pub fn new(work: &Path, seed: u64) -> Result<Self> {
        let path = work.join("data");
        std::fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        let mut disk = FaultDisk::new(Options { capacity_bytes: CAPACITY_BYTES });
        disk.mount(&path)?;
        Ok(Self { disk, path, seed, cuts: 0 })
    }

    /// Until the next power cut, a sync takes so long.
    pub fn delay_syncs(&self, delay: Duration) {
        self.disk.faults().delay_syncs(delay);
    }

    /// What the next power cut leaves. The disk mixes its seeds itself.
    fn next_loss(&mut self) -> Loss {
        self.cuts += 1;
        if (self.seed + self.cuts).is_multiple_of(EVERYTHING_ONE_IN) {
            Loss::Everything
        } else {
            Loss::Random(self.seed.wrapping_mul(1 << 16).wrapping_add(self.cuts))
        }
    }
}

impl Disk for Fuse {
    fn path(&self) -> &Path {
        &self.path
    }

    fn be_slow(&mut self) -> Result<()> {
        self.delay_syncs(SLOW_SYNC);
        Ok(())
    }

    fn lose_unsynced(&mut self) -> Result<()> {
        let loss = self.next_loss();
        self.disk.power_cut(loss).context("cut the power of the fault disk")?;
        self.disk.faults().clear();
        Ok(())
    }

    fn come_back(&mut self) -> Result<()> {
        self.disk.mount(&self.path).context("mount the fault disk again")
    }
}
