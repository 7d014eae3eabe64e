//! The control plane's end: writes generations and announces them.
//!
//! Promise: a reader sees a generation announced only when its whole file is
//! there, and numbers only grow, whenever the publisher is killed.
//!
//! Owns: `control`, `snapshot-*` and `publisher.lock` of the directory.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use thiserror::Error;

use crate::Generation;
use crate::codec::{EncodeError, encode};
use crate::control::{
    AT_GENERATION, AT_MAGIC, AT_VERSION, CONTROL, MAGIC, VERSION, WORDS, file_generation, file_name,
};
use crate::dir::{self, DirError, DirProblem, TEMPORARY_PREFIX, io_error};
use crate::limits::SNAPSHOTS_KEPT;
use crate::model::Snapshot;
use crate::page::Page;
use crate::validate::Invalid;

const LOCK: &str = "publisher.lock";

/// The one publisher of a directory.
#[derive(Debug)]
pub struct Publisher {
    dir: PathBuf,
    control: Page,
    /// The highest number in use; may be above the announced one after a kill
    /// between writing a file and announcing it.
    last: Generation,
    _lock: File,
}

/// Why a snapshot was not published. The one before it stays in force.
#[derive(Debug, Error)]
pub enum PublishError {
    /// It contradicts itself.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The number after the last one does not exist.
    #[error(
        "generation numbers are used up, which only damage explains; stop both planes, remove the directory"
    )]
    Exhausted,
    /// It could not be written.
    #[error(transparent)]
    Dir(#[from] DirError),
}

impl Publisher {
    /// Opens `dir`, creating it with mode 0700 if it is missing, and goes on
    /// after the generations found there.
    ///
    /// Fails if another publisher has it, or if it is not private.
    pub fn open(dir: &Path) -> Result<Publisher, DirError> {
        dir::open_private(dir)?;
        let lock = dir::lock(dir, LOCK)?;
        let control = open_control(&dir.join(CONTROL))?;
        let names = dir::names(dir).map_err(io_error(dir, "list"))?;
        let on_disk = names.iter().filter_map(|name| file_generation(name.to_str()?)).max().unwrap_or(0);
        let announced = control.words()[AT_GENERATION].load(Ordering::Relaxed);
        dir::sweep(dir, |name| name.strip_prefix(TEMPORARY_PREFIX).and_then(file_generation).is_some());
        // For a predecessor that was killed between announcing and waking.
        control.ring();
        Ok(Publisher { dir: dir.to_owned(), control, last: Generation(on_disk.max(announced)), _lock: lock })
    }

    /// Validates, writes and announces `snapshot`; wakes the subscribers.
    ///
    /// After an error nothing has changed for them.
    pub fn publish(&mut self, snapshot: &Snapshot) -> Result<Generation, PublishError> {
        snapshot.validate()?;
        let generation = Generation(self.last.0.checked_add(1).ok_or(PublishError::Exhausted)?);
        let bytes = encode(generation, snapshot)?;
        dir::place(&self.dir, &file_name(generation.0), 0o400, |mut file| file.write_all(&bytes))?;
        self.last = generation;
        // Release: who loads this number finds the file.
        self.control.words()[AT_GENERATION].store(generation.0, Ordering::Release);
        self.control.ring();
        let oldest_kept = generation.0.saturating_sub(SNAPSHOTS_KEPT - 1);
        dir::sweep(&self.dir, |name| file_generation(name).is_some_and(|found| found < oldest_kept));
        Ok(generation)
    }

    /// The generation in force; [`Generation::NONE`] before the first.
    pub fn generation(&self) -> Generation {
        Generation(self.control.words()[AT_GENERATION].load(Ordering::Relaxed))
    }
}

/// Maps the control page. A new or half-made one is completed in place: a
/// subscriber may have it mapped already, and would not notice a replacement.
fn open_control(path: &Path) -> Result<Page, DirError> {
    let file = dir::open_shared(path).map_err(io_error(path, "open"))?;
    let page = Page::map(&file, WORDS).map_err(io_error(path, "map"))?;
    let words = page.words();
    let problem = match words[AT_MAGIC].load(Ordering::Acquire) {
        0 => {
            words[AT_VERSION].store(VERSION, Ordering::Relaxed);
            // Release, and last: with the magic the rest of the page is valid.
            words[AT_MAGIC].store(MAGIC, Ordering::Release);
            return Ok(page);
        }
        MAGIC => match words[AT_VERSION].load(Ordering::Relaxed) {
            VERSION => return Ok(page),
            found => DirProblem::Version { found, expected: VERSION },
        },
        _ => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}
