//! Logs on the disk, by directory. All of it waits for the disk.

use std::{fs, io, path::Path};

use eagre_wal::{Log, OpenError, Options, Recovery, RemoveError};

/// Opens and recovers the log in `directory`, which need not exist.
pub(crate) fn open(directory: &Path, options: Options) -> Result<(Log, Recovery), OpenError> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.open_log(directory, options);
    }
    Log::open(directory, options)
}

/// The names in `directory`; none if it does not exist.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<String>> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.list(directory);
    }
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes the log in `directory`, which is closed and of which nobody needs
/// anything, and the directory.
pub(crate) fn remove_log(directory: &Path) -> Result<(), RemoveError> {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        return world.remove_log(directory);
    }
    eagre_wal::remove_log(directory)
}
