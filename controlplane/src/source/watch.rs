//! Notices that manifests may have changed.
//!
//! Promise: after a change below the watched paths, a notice arrives. More
//! notices than changes may arrive, and on some file systems none: whoever
//! listens also reads again now and then.
//!
//! The *parent* of a named file is watched, because editors and `mv` put a new
//! file in the old one's place, and a watch on the file itself would stay with
//! the old one.

use std::{
    collections::HashSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::files::is_manifest;

/// Watches `paths` for as long as the result lives; `changed` is called from
/// another thread.
pub fn watch(paths: &[PathBuf], changed: impl Fn() + Send + 'static) -> notify::Result<RecommendedWatcher> {
    let names: HashSet<_> = paths.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
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
    let mut parents = HashSet::new();
    for path in paths {
        if path.is_dir() {
            watcher.watch(path, RecursiveMode::Recursive)?;
        }
        // Of a folder too: it may be replaced as a whole.
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if parents.insert(parent) && !paths.iter().any(|path| path == parent) {
            watcher.watch(parent, RecursiveMode::NonRecursive)?;
        }
    }
    Ok(watcher)
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
