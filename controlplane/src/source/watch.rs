//! Notices that manifests may have changed.
//!
//! Promise: after a change below the watched paths, a notice arrives. More
//! notices than changes may arrive, and on some file systems none: whoever
//! listens also reads again now and then.
//!
//! The *parent* of a named file is watched, because editors and `mv` put a new
//! file in the old one's place, and a watch on the file itself would stay with
//! the old one. A watch on a folder stays with that folder, too: where another
//! takes its place, [`Watch::is_current`] says so, and a new watch is needed.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::files::is_manifest;

/// The watched paths, for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    /// Each watched folder, and which it was before the watch on it began.
    folders: Vec<(PathBuf, Option<Identity>)>,
}

/// Device, inode, and when that was made: the number of a folder that is gone is
/// given to the next one.
type Identity = (u64, u64, Option<SystemTime>);

impl Watch {
    /// Watches `paths`; `changed` is called from another thread.
    pub fn new(paths: &[PathBuf], changed: impl Fn() + Send + 'static) -> notify::Result<Watch> {
        let names: HashSet<_> =
            paths.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let relevant = match &event {
                Ok(event) => is_change(event.kind) && event.paths.iter().any(|path| concerns(path, &names)),
                // Lost events: something has changed.
                Err(_) => true,
            };
            if relevant {
                changed();
            }
        })?;
        let recursive: BTreeSet<_> =
            paths.iter().map(PathBuf::as_path).filter(|path| path.is_dir()).collect();
        // Of a folder too: it may be replaced as a whole.
        let mut parents: BTreeSet<_> = paths.iter().map(|path| parent(path)).collect();
        parents.retain(|parent| !recursive.contains(parent));
        let mut folders = Vec::new();
        for (folder, mode) in recursive
            .into_iter()
            .map(|folder| (folder, RecursiveMode::Recursive))
            .chain(parents.into_iter().map(|folder| (folder, RecursiveMode::NonRecursive)))
        {
            // Before the watch: if the folder is replaced in between, this is what it no longer is.
            folders.push((folder.to_owned(), identity(folder)));
            watcher.watch(folder, mode)?;
        }
        // What is named and is no folder now may be one later.
        folders.extend(paths.iter().filter(|path| !path.is_dir()).map(|path| (path.clone(), None)));
        Ok(Watch { _watcher: watcher, folders })
    }

    /// Whether the watched folders are still what the paths lead to.
    pub fn is_current(&self) -> bool {
        self.folders.iter().all(|(folder, watched)| identity(folder) == *watched)
    }
}

/// The folder that a path leads to, links followed; `None` if there is none.
fn identity(path: &Path) -> Option<Identity> {
    let metadata = path.metadata().ok().filter(Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Opening and reading a file are events as well, our own reads among them.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// A manifest, a path that was named, something without an extension, which
/// may be a folder, or the `..data` link of a mounted ConfigMap.
fn concerns(path: &Path, names: &HashSet<OsString>) -> bool {
    let Some(name) = path.file_name() else { return true };
    let mount = name.as_encoded_bytes().starts_with(b"..");
    is_manifest(path) || path.extension().is_none() || mount || names.contains(name)
}
