//! Why the disk is not there, or does not go.

use std::{io, path::PathBuf};

/// Why a disk could not be mounted, unmounted or cut off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel's side of FUSE is not there or not allowed.
    #[error("cannot open /dev/fuse: {source}; it takes root, and a kernel with FUSE (modprobe fuse)")]
    Device {
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}; it takes root and a directory that nobody is in", path.display())]
    Mount {
        /// Where.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is mounted already.
    #[error("the disk is mounted at {}; one mount at a time", .0.display())]
    Mounted(PathBuf),
    /// The disk is not mounted.
    #[error("the disk is not mounted")]
    NotMounted,
}
