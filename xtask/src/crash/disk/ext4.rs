//! ext4 on a loop device, whose file lies in memory. A crash is the shutdown of the file
//! system without a flush of its journal; coming back is a mount, which replays the
//! journal.
//!
//! No instruction of the server may run when it is shut down: a sync that is under way
//! at that moment can report success for an append that is dropped, and must not be
//! believed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{super::patience, Disk};
use crate::sys;

/// A file system on a loop device of its own.
pub struct Ext4 {
    /// A memory file system with the device's file.
    backing: PathBuf,
    device: String,
    mount: PathBuf,
    data: PathBuf,
}

/// How one is made.
#[derive(Clone, Copy, Debug)]
pub struct Make {
    /// Bytes that the file system believes to have.
    pub bytes: u64,
    /// Bytes of memory for the file of the loop device.
    pub backing_bytes: u64,
    /// With a journal.
    pub journal: bool,
}

impl Ext4 {
    /// Makes one in `work`, and mounts it.
    ///
    /// # Errors
    /// A right, a device or a tool is missing; the text says which.
    pub fn new(work: &Path, make: &Make) -> Result<Self> {
        let (backing, mount) = (work.join("backing"), work.join("mount"));
        for directory in [&backing, &mount] {
            std::fs::create_dir(directory).with_context(|| format!("make {}", directory.display()))?;
        }
        let size = format!("size={}", make.backing_bytes);
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&backing))?;
        // From here on, the drop clears up.
        let data = mount.join("data");
        let mut disk = Self { backing, device: String::new(), mount, data };
        disk.format(make)?;
        let attached = run(Command::new("losetup").args(["--find", "--show"]).arg(disk.image()))?;
        disk.device = attached.trim().to_owned();
        disk.small_requests()?;
        disk.attach()?;
        std::fs::create_dir(&disk.data).context("make the data directory")?;
        run(Command::new("sync").arg("--file-system").arg(&disk.data))?;
        Ok(disk)
    }

    fn format(&self, make: &Make) -> Result<()> {
        let image = self.image();
        let file = std::fs::File::create(&image).context("make the image")?;
        file.set_len(make.bytes).context("size the image")?;
        let features = if make.journal { "has_journal" } else { "^has_journal" };
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-b", "4096", "-O", features]).arg(&image)).map(drop)
    }

    /// Where it is mounted.
    pub fn mount_point(&self) -> &Path {
        &self.mount
    }

    /// The directory that holds the device's file.
    pub fn backing(&self) -> &Path {
        &self.backing
    }

    /// The device's file.
    pub fn image(&self) -> PathBuf {
        self.backing.join("image")
    }

    /// Requests of one page: the loop driver reports a larger one as done when its file
    /// could take only the first part of it, and a sync would succeed without the rest.
    fn small_requests(&self) -> Result<()> {
        let name = self.device.trim_start_matches("/dev/");
        let path = format!("/sys/block/{name}/queue/max_sectors_kb");
        std::fs::write(&path, "4").with_context(|| format!("write 4 to {path}"))
    }

    /// Mounts it.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn attach(&self) -> Result<()> {
        run(Command::new("mount").args(["-t", "ext4", "-o", "noatime"]).arg(&self.device).arg(&self.mount))
            .map(drop)
    }

    /// Unmounts it, as soon as it is not busy any more: the kernel keeps files open until
    /// the rings that use them are torn down.
    ///
    /// # Errors
    /// It stays busy.
    pub fn detach(&self) -> Result<()> {
        let mut last = None;
        let unmounted = patience::until("the file system is not busy any more", || {
            last = run(Command::new("umount").arg(&self.mount)).err();
            Ok(last.is_none())
        });
        unmounted.map_err(|error| last.map_or(error, |last| last.context("the file system stays busy")))
    }
}

impl Disk for Ext4 {
    fn path(&self) -> &Path {
        &self.data
    }

    fn lose_unsynced(&mut self) -> Result<()> {
        sys::shut_down(&self.mount).context("shut down the file system (EXT4_IOC_SHUTDOWN)")
    }

    fn come_back(&mut self) -> Result<()> {
        self.detach()?;
        self.attach()
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        // What stays goes with the mount namespace.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.mount));
        if !self.device.is_empty() {
            let _ = run(Command::new("losetup").arg("--detach").arg(&self.device));
        }
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.backing));
    }
}

/// Runs a tool to its end and gives what it printed.
///
/// # Errors
/// It is not there, or it fails; the text has the command and what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("run {shown}; is it installed?"))?;
    if !output.status.success() {
        bail!("{shown}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
