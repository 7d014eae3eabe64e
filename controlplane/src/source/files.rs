//! Manifest files and folders, read as one consistent set.
//!
//! Promise: the result does not depend on the order of directory entries; a
//! file reached twice is read once; hidden files (editors' locks, the inner
//! folders of a mounted ConfigMap) are passed over; nothing is read beyond the
//! limits.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::limits::{FILE_BYTES_MAX, FILES_BYTES_MAX, FILES_MAX, FOLDER_DEPTH_MAX};
use crate::manifest::{Diagnostic, Place};

/// One manifest file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As named by the user, or found below a folder named by the user.
    pub path: Arc<Path>,
    /// Its content.
    pub text: String,
}

/// What one pass over the paths found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The files, by path.
    pub files: Vec<SourceFile>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
}

/// Reads files, and folders with everything below them.
pub fn read(paths: &[PathBuf]) -> Sources {
    let mut sources = Sources::default();
    let mut found = Vec::new();
    for path in paths {
        let result = match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let before = found.len();
                let result = list(path, 0, &mut found);
                if result.is_ok() && found.len() == before {
                    let message = "holds no *.yaml or *.yml file";
                    sources.problems.push(Diagnostic::warning(&Place::file(path), message, "check the path"));
                }
                result
            }
            Ok(_) => {
                found.push(path.clone());
                Ok(())
            }
            Err(error) => Err((path.clone(), error)),
        };
        if let Err((path, error)) = result {
            sources.problems.push(unreadable(&path, &error));
        }
    }
    // Two spellings of one file keep the first in order of path.
    found.sort();
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    let mut left = FILES_BYTES_MAX;
    for path in found {
        match read_text(&path, &mut left) {
            Ok(text) => sources.files.push(SourceFile { path: path.into(), text }),
            Err(error) => sources.problems.push(unreadable(&path, &error)),
        }
    }
    sources
}

/// Whether a file below a folder is a manifest by its name.
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    extension && !is_hidden(path)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    if depth > FOLDER_DEPTH_MAX {
        let message = format!("more than {FOLDER_DEPTH_MAX} folders inside each other");
        return Err((folder.to_owned(), io::Error::other(message)));
    }
    let here = |error| (folder.to_owned(), error);
    for entry in folder.read_dir().map_err(here)? {
        let path = entry.map_err(here)?.path();
        // Follows links: a mounted ConfigMap consists of them. One that leads
        // nowhere, or a file gone since the listing, is no manifest.
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_dir() && !is_hidden(&path) {
            list(&path, depth + 1, found)?;
        } else if metadata.is_file() && is_manifest(&path) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            let message = format!("more than {FILES_MAX} manifest files");
            return Err((folder.to_owned(), io::Error::other(message)));
        }
    }
    Ok(())
}

/// The text of a file, within the limits.
///
/// An empty file is refused: it is what an editor leaves between truncating and
/// writing, and to take it at its word would remove every trigger in it.
fn read_text(path: &Path, left: &mut u64) -> io::Result<String> {
    let limit = FILE_BYTES_MAX.min(*left);
    let mut text = String::new();
    let bytes = File::open(path)?.take(limit + 1).read_to_string(&mut text)? as u64;
    if bytes > limit {
        let message = match limit == FILE_BYTES_MAX {
            true => format!("larger than {} MiB", FILE_BYTES_MAX >> 20),
            false => format!("all manifests together are larger than {} MiB", FILES_BYTES_MAX >> 20),
        };
        return Err(io::Error::other(message));
    }
    if bytes == 0 {
        return Err(io::Error::other("the file is empty"));
    }
    *left -= bytes;
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "give this user the right to read it",
        io::ErrorKind::InvalidData => "save it as UTF-8",
        _ if error.to_string().ends_with("empty") => {
            "remove it, or leave a comment in it if it is meant to be empty"
        }
        _ => "",
    };
    Diagnostic::error(&Place::file(path), format!("cannot be read: {error}"), hint)
}
