//! What the tests share.
#![allow(dead_code)] // Each test binary uses its part.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use eagre_faultdisk::{Cut, FaultDisk, Loss, Options};
use tempfile::TempDir;

/// A disk and the directory it is mounted on. Fields are dropped in order.
pub struct Mounted {
    pub disk: FaultDisk,
    directory: TempDir,
}

impl Mounted {
    pub fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut disk = FaultDisk::new(options);
        disk.mount(directory.path()).unwrap_or_else(|error| panic!("this test needs a mount: {error}"));
        Self { disk, directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn cut(&mut self, loss: Loss) -> Cut {
        let cut = self.disk.power_cut(loss).expect("the mount is torn off");
        self.disk.mount(self.directory.path()).expect("the disk is mounted again");
        cut
    }

    /// Makes a file and its name durable.
    pub fn create_synced(&self, name: &str, data: &[u8]) -> File {
        let file = self.create(name, data);
        file.sync_all().expect("a file is synced");
        self.sync_directory("");
        file
    }

    /// Makes a file and syncs nothing.
    pub fn create(&self, name: &str, data: &[u8]) -> File {
        let path = self.path(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.expect("a file is created");
        file.write_all_at(data, 0).expect("a file is written");
        file
    }

    pub fn sync_directory(&self, name: &str) {
        sync_directory(&self.path(name)).expect("a directory is synced");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

impl Default for Mounted {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

pub fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "that a rename is not durable by itself is what is tested")]
pub fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)
}
