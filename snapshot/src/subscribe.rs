//! The data plane's end: notices new generations and loads them.
//!
//! Promise: what [`Subscriber::load`] returns is one whole, checksummed and
//! validated generation, newer than the one before. Nothing it finds in the
//! directory makes it panic; what it refuses changes nothing.
//!
//! Owns nothing in the directory and writes nothing there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::Generation;
use crate::codec::{DecodeError, decode};
use crate::control::{AT_GENERATION, AT_MAGIC, AT_VERSION, CONTROL, MAGIC, VERSION, WORDS, file_name};
use crate::dir::{self, DirError, DirProblem, io_error};
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::model::Snapshot;
use crate::page::{RemotePage, Words, map_immutable};
use crate::validate::Invalid;

/// How often a subscriber looks whether the publisher has been there yet. Only
/// before the first start of a publisher; afterwards a futex wakes it.
const ATTACH_INTERVAL: Duration = Duration::from_millis(20);

/// How often one load follows a publisher that replaces what it is opening.
const CHASES_MAX: usize = 64;

/// A reader of a directory.
#[derive(Debug)]
pub struct Subscriber {
    dir: PathBuf,
    /// Empty until the publisher has made the page.
    control: OnceLock<RemotePage>,
    /// The newest generation that was loaded, or refused for good.
    settled: Generation,
}

/// A generation that was not loaded. The one before it stays in force.
#[derive(Debug, Error)]
#[error("snapshot {generation} refused: {reason}")]
pub struct Refused {
    /// Which.
    pub generation: Generation,
    /// Why.
    pub reason: Reason,
}

/// Why a generation was refused.
#[derive(Debug, Error)]
pub enum Reason {
    /// It could not be opened or mapped. Worth another try: the next
    /// [`Subscriber::load`] makes it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Longer than any publisher writes.
    #[error("file of {0} bytes is over the limit of {SNAPSHOT_BYTES_MAX}")]
    TooLarge(u64),
    /// Not what was written.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another generation under this name.
    #[error("the file holds generation {0}")]
    Mislabelled(Generation),
    /// Whole, but contradicting itself.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Subscriber {
    /// Opens `dir`, creating it with mode 0700 if it is missing: either plane
    /// may start first.
    pub fn open(dir: &Path) -> Result<Subscriber, DirError> {
        dir::open_private(dir)?;
        let control = match attach(&dir.join(CONTROL))? {
            Some(view) => OnceLock::from(view),
            None => OnceLock::new(),
        };
        Ok(Subscriber { dir: dir.to_owned(), control, settled: Generation::NONE })
    }

    /// The generation in force: one atomic load. [`Generation::NONE`] before
    /// the first.
    pub fn generation(&self) -> Generation {
        let announced = self.control().and_then(|control| control.load(AT_GENERATION));
        announced.map_or(Generation::NONE, Generation)
    }

    /// Loads the newest generation; `None` if it is the one loaded (or refused)
    /// last.
    ///
    /// A refused generation is reported once, unless the reason may pass
    /// ([`Reason::Io`]).
    pub fn load(&mut self) -> Result<Option<(Generation, Snapshot)>, Refused> {
        let mut chases = 0;
        loop {
            let generation = self.generation();
            if generation <= self.settled {
                return Ok(None);
            }
            let reason = match self.read(generation) {
                Ok(snapshot) => {
                    self.settled = generation;
                    return Ok(Some((generation, snapshot)));
                }
                Err(reason) => reason,
            };
            if matches!(reason, Reason::Io(_)) {
                // Removed because there are newer ones by now?
                if self.generation() > generation && chases < CHASES_MAX {
                    chases += 1;
                    continue;
                }
            } else {
                self.settled = generation;
            }
            return Err(Refused { generation, reason });
        }
    }

    /// Sleeps until there is a generation newer than `seen`, at most `timeout`.
    /// To be called where blocking is fine, not on a shard.
    pub fn wait(&self, seen: Generation, timeout: Duration) {
        let started = Instant::now();
        loop {
            // Before the generation is looked at: if the bell rings in between, the sleep returns.
            let bell = self.control().map(|control| (control, control.rings()));
            if self.generation() > seen {
                return;
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            match bell {
                Some((control, rings)) => control.sleep(rings, left),
                None => std::thread::sleep(left.min(ATTACH_INTERVAL)),
            }
        }
    }

    /// The control page, attached as soon as it is there.
    fn control(&self) -> Option<&RemotePage> {
        if self.control.get().is_none() {
            // A page that cannot be used yet may be mended by the publisher that comes.
            if let Ok(Some(view)) = attach(&self.dir.join(CONTROL)) {
                let _ = self.control.set(view);
            }
        }
        self.control.get()
    }

    fn read(&self, generation: Generation) -> Result<Snapshot, Reason> {
        let file = dir::open_read(&self.dir.join(file_name(generation.0)))?;
        let bytes = file.metadata()?.len();
        if bytes > SNAPSHOT_BYTES_MAX as u64 {
            return Err(Reason::TooLarge(bytes));
        }
        let (labelled, snapshot) = decode(&map_immutable(&file)?)?;
        if labelled != generation {
            return Err(Reason::Mislabelled(labelled));
        }
        snapshot.validate()?;
        Ok(snapshot)
    }
}

/// Maps the control page; `None` if there is none yet, or one half made.
fn attach(path: &Path) -> Result<Option<RemotePage>, DirError> {
    let file = match dir::open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, "open")(error)),
    };
    let view = match RemotePage::map(&file, WORDS) {
        Ok(view) => view,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(io_error(path, "map")(error)),
    };
    let problem = match view.load(AT_MAGIC) {
        None | Some(0) => return Ok(None),
        Some(MAGIC) => match view.load(AT_VERSION) {
            Some(VERSION) => return Ok(Some(view)),
            found => DirProblem::Version { found: found.unwrap_or(0), expected: VERSION },
        },
        Some(_) => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}
