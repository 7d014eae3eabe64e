//! Which directories are logs: every one that holds segment files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::exit;

/// Below a data directory the deepest log is `shard-N/backlog/ID`.
const DEPTH_MAX: usize = 4;

/// A log's directory.
#[derive(Clone, Debug)]
pub struct Place {
    /// Relative to what was asked for; empty if that is the log.
    pub relative: PathBuf,
    /// As it is opened.
    pub path: PathBuf,
}

impl Place {
    /// What it is called in what is printed.
    pub fn name(&self) -> String {
        let name = if self.relative.as_os_str().is_empty() { &self.path } else { &self.relative };
        name.display().to_string()
    }
}

/// The logs in a directory and below it, in the order of their names; at least one.
pub fn find(dir: &Path) -> Result<Vec<Place>, Failure> {
    if let Err(error) = fs::read_dir(dir) {
        return Err(Failure::new(exit::NO_INPUT, format!("{}: cannot be read: {error}", dir.display())));
    }
    let mut places = Vec::new();
    collect(dir, Path::new(""), 0, &mut places);
    if places.is_empty() {
        let hint = "name a data directory, or the directory of one log";
        return Err(Failure::new(exit::NO_INPUT, format!("{}: no log is here; {hint}", dir.display())));
    }
    Ok(places)
}

fn collect(dir: &Path, relative: &Path, depth: usize, places: &mut Vec<Place>) {
    if eagre_wal::is_log(dir) {
        places.push(Place { relative: relative.to_owned(), path: dir.to_owned() });
    }
    if depth == DEPTH_MAX {
        return;
    }
    // A directory that cannot be listed holds no log that could be read.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name()).collect();
    // shard-2 before shard-10.
    names.sort_by_key(|name| (name.len(), name.clone()));
    for name in names {
        collect(&dir.join(&name), &relative.join(&name), depth + 1, places);
    }
}

/// Of names in a log's directory those that are no directories of further logs.
pub fn strangers(place: &Place, names: &[String]) -> Vec<String> {
    let is_stranger = |name: &&String| {
        let mut below = Vec::new();
        collect(&place.path.join(name), Path::new(""), 1, &mut below);
        below.is_empty()
    };
    names.iter().filter(is_stranger).cloned().collect()
}
