//! The control plane's end: writes generations and announces them.
//!
//! Promise: a reader sees a generation announced only when its whole file is
//! there, and numbers only grow, whenever the publisher is killed. A publisher
//! that its directory was taken from says so.
//!
//! Owns: `control`, `snapshot-*` and `publisher.lock` of the directory.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use thiserror::Error;

use crate::Generation;
use crate::codec::{EncodeError, encode};
use crate::control::{
    AT_GENERATION, AT_MAGIC, AT_PUBLISHER, AT_VERSION, CONTROL, MAGIC, VERSION, WORDS, file_generation,
    file_name,
};
use crate::dir::{self, DirError, DirProblem, Identity, Lock, TEMPORARY_PREFIX, io_error};
use crate::limits::SNAPSHOTS_KEPT;
use crate::model::Snapshot;
use crate::page::Page;
use crate::validate::Invalid;
use eagre_lock::ATTEMPTS;

const LOCK: &str = "publisher.lock";

/// The one publisher of a directory.
#[derive(Debug)]
pub struct Publisher {
    dir: PathBuf,
    control: Page,
    /// Of the control page's file.
    identity: Identity,
    /// The highest number in use; may be above the announced one after a kill
    /// between writing a file and announcing it.
    last: u64,
    lock: Lock,
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
        let lock = dir::lock(dir, LOCK, ATTEMPTS)?;
        let (control, identity) = open_control(&dir.join(CONTROL))?;
        let names = dir::names(dir).map_err(io_error(dir, "list"))?;
        let on_disk = names.iter().filter_map(|name| file_generation(name.to_str()?)).max().unwrap_or(0);
        let announced = control.words()[AT_GENERATION].load(Ordering::Relaxed);
        dir::sweep(dir, |name| name.strip_prefix(TEMPORARY_PREFIX).and_then(file_generation).is_some());
        // For a predecessor that was killed between announcing and waking.
        control.ring();
        Ok(Publisher { dir: dir.to_owned(), control, identity, last: on_disk.max(announced), lock })
    }

    /// Validates, writes and announces `snapshot`; wakes the subscribers.
    ///
    /// After an error nothing has changed for them.
    pub fn publish(&mut self, snapshot: &Snapshot) -> Result<Generation, PublishError> {
        snapshot.validate()?;
        let number = self.last.checked_add(1).ok_or(PublishError::Exhausted)?;
        let bytes = encode(number, snapshot)?;
        dir::place(&self.dir, &file_name(number), 0o400, |mut file| file.write_all(&bytes))?;
        self.last = number;
        // Release: who loads this number finds the file.
        self.control.words()[AT_GENERATION].store(number, Ordering::Release);
        self.control.ring();
        let oldest_kept = number.saturating_sub(SNAPSHOTS_KEPT - 1);
        dir::sweep(&self.dir, |name| file_generation(name).is_some_and(|found| found < oldest_kept));
        Ok(self.generation())
    }

    /// Whether its directory, or what it keeps there, is gone or another one, so
    /// that nobody sees what it publishes. It is of no use then: drop it, and
    /// open another.
    pub fn is_displaced(&self) -> bool {
        Identity::at(&self.dir.join(CONTROL)) != Some(self.identity) || !self.lock.is_at(&self.dir.join(LOCK))
    }

    /// The generation in force; [`Generation::NONE`] before the first.
    pub fn generation(&self) -> Generation {
        let word = |index: usize| self.control.words()[index].load(Ordering::Relaxed);
        match word(AT_GENERATION) {
            0 => Generation::NONE,
            number => Generation { publisher: word(AT_PUBLISHER), number },
        }
    }
}

/// Maps the control page. A new or half-made one is completed in place: a
/// subscriber may have it mapped already, and would not notice a replacement.
fn open_control(path: &Path) -> Result<(Page, Identity), DirError> {
    let file = dir::open_shared(path).map_err(io_error(path, "open"))?;
    let identity = Identity::of(&file).map_err(io_error(path, "stat"))?;
    let page = Page::map(&file, WORDS).map_err(io_error(path, "map"))?;
    let words = page.words();
    if words[AT_PUBLISHER].load(Ordering::Relaxed) == 0 {
        words[AT_PUBLISHER].store(draw(), Ordering::Relaxed);
    }
    let problem = match words[AT_MAGIC].load(Ordering::Acquire) {
        0 => {
            words[AT_VERSION].store(VERSION, Ordering::Relaxed);
            // Release, and last: with the magic the rest of the page is valid.
            words[AT_MAGIC].store(MAGIC, Ordering::Release);
            return Ok((page, identity));
        }
        MAGIC => match words[AT_VERSION].load(Ordering::Relaxed) {
            VERSION => return Ok((page, identity)),
            found => DirProblem::Version { found, expected: VERSION },
        },
        _ => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}

/// A number that no other control page has; not 0.
fn draw() -> u64 {
    // Seeded by the kernel in each process, and never twice the same in one.
    RandomState::new().hash_one(SystemTime::now()).max(1)
}
