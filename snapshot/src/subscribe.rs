//! The data plane's end: notices new generations and loads them.
//!
//! Promise: what [`Subscriber::load`] returns is one whole, checksummed and
//! validated generation, newer than the one before or of another publisher.
//! Nothing it finds in the directory makes it panic; what it refuses changes
//! nothing. It follows the path: where the directory is removed and made again,
//! it goes on with what is published there.
//!
//! Owns nothing in the directory and writes nothing there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::Generation;
use crate::codec::{DecodeError, decode, is_of_this_version};
use crate::control::{
    AT_GENERATION, AT_MAGIC, AT_PUBLISHER, AT_VERSION, CONTROL, MAGIC, VERSION, WORDS, file_name,
};
use crate::dir::{self, DirError, DirProblem, Identity, io_error};
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::model::Snapshot;
use crate::page::{RemotePage, Words, map_immutable};
use crate::validate::Invalid;

/// How often a subscriber looks whether the publisher has been there yet. Only
/// before the first start of a publisher; afterwards a futex wakes it.
const ATTACH_INTERVAL: Duration = Duration::from_millis(20);

/// How often it looks whether the control page is still the one it has mapped:
/// nobody rings the bell of a page that was removed.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

/// How often one load follows a publisher that replaces what it is opening.
const CHASES_MAX: usize = 64;

/// A reader of a directory.
#[derive(Debug)]
pub struct Subscriber {
    dir: PathBuf,
    /// `None` until a publisher has made the page.
    control: Option<Control>,
    /// The newest generation that was loaded, or refused for good.
    settled: Generation,
    /// Whether this very version wrote what was loaded last.
    is_of_this_version: bool,
}

/// The control page that is mapped.
#[derive(Debug)]
struct Control {
    page: RemotePage,
    identity: Identity,
}

/// A generation that was not loaded. The one before it stays in force.
#[derive(Debug, Error)]
#[error("snapshot {generation} refused: {reason}")]
pub struct LoadError {
    /// Which.
    pub generation: Generation,
    /// Why.
    pub reason: LoadProblem,
}

/// Why a generation was refused.
#[derive(Debug, Error)]
pub enum LoadProblem {
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
    Mislabelled(u64),
    /// Whole, but contradicting itself.
    #[error(transparent)]
    Invalid(#[from] Box<Invalid>),
}

impl Subscriber {
    /// Opens `dir`, creating it with mode 0700 if it is missing: either plane
    /// may start first.
    pub fn open(dir: &Path) -> Result<Subscriber, DirError> {
        dir::open_private(dir)?;
        let control = attach(&dir.join(CONTROL))?;
        Ok(Subscriber { dir: dir.to_owned(), control, settled: Generation::NONE, is_of_this_version: false })
    }

    /// The generation in force, as of the last look at the directory: two
    /// atomic loads. [`Generation::NONE`] before the first.
    pub fn generation(&self) -> Generation {
        let Some(Control { page, .. }) = &self.control else { return Generation::NONE };
        match (page.load(AT_PUBLISHER), page.load(AT_GENERATION)) {
            (_, None | Some(0)) => Generation::NONE,
            (publisher, Some(number)) => Generation { publisher: publisher.unwrap_or(0), number },
        }
    }

    /// Looks whether another control page has taken the place of the one that is
    /// mapped, and goes on with that; true if so. While there is none, the old
    /// one stays.
    pub fn follow(&mut self) -> Result<bool, DirError> {
        let path = self.dir.join(CONTROL);
        let found = Identity::at(&path);
        let known = self.control.as_ref().map(|control| control.identity);
        if found.is_none() || found == known {
            return Ok(false);
        }
        dir::check_private(&self.dir)?;
        // Half made, or gone again: the next look will tell.
        let Some(control) = attach(&path)? else { return Ok(false) };
        self.control = Some(control);
        Ok(known.is_some())
    }

    /// Loads the newest generation; `None` if it is the one loaded (or refused)
    /// last.
    ///
    /// A refused generation is reported once, unless the reason may pass
    /// ([`LoadProblem::Io`]).
    pub fn load(&mut self) -> Result<Option<(Generation, Snapshot)>, LoadError> {
        // Whoever wants to hear of a directory that cannot be followed asks for it.
        let _ = self.follow();
        let mut chases = 0;
        loop {
            let generation = self.generation();
            if !self.is_news(generation) {
                return Ok(None);
            }
            let reason = match self.read(generation) {
                Ok(snapshot) => {
                    self.settled = generation;
                    return Ok(Some((generation, snapshot)));
                }
                Err(reason) => reason,
            };
            if matches!(reason, LoadProblem::Io(_)) {
                // Removed because there are newer ones by now?
                if self.generation() != generation && chases < CHASES_MAX {
                    chases += 1;
                    continue;
                }
            } else {
                self.settled = generation;
            }
            return Err(LoadError { generation, reason });
        }
    }

    /// Whether what was loaded last was written by this very version of the format;
    /// another may have said more, or less, than was read.
    pub fn is_of_this_version(&self) -> bool {
        self.is_of_this_version
    }

    /// Sleeps until there is a generation that [`Subscriber::load`] has neither
    /// loaded nor refused for good, at most `timeout`; whether there is one. To be
    /// called where blocking is fine, not on a shard.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let started = Instant::now();
        loop {
            let _ = self.follow();
            // Before the generation is looked at: if the bell rings in between, the sleep returns.
            let bell = self.control.as_ref().map(|control| (&control.page, control.page.rings()));
            if self.is_news(self.generation()) {
                return true;
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            match bell {
                Some((page, rings)) => page.sleep(rings, left.min(FOLLOW_INTERVAL)),
                None => std::thread::sleep(left.min(ATTACH_INTERVAL)),
            }
        }
    }

    fn is_news(&self, generation: Generation) -> bool {
        generation != Generation::NONE && !self.settled.has_reached(generation)
    }

    fn read(&mut self, generation: Generation) -> Result<Snapshot, LoadProblem> {
        let file = dir::open_read(&self.dir.join(file_name(generation.number)))?;
        let bytes = file.metadata()?.len();
        if bytes > SNAPSHOT_BYTES_MAX as u64 {
            return Err(LoadProblem::TooLarge(bytes));
        }
        let file = map_immutable(&file)?;
        let (labelled, snapshot) = decode(&file)?;
        if labelled != generation.number {
            return Err(LoadProblem::Mislabelled(labelled));
        }
        snapshot.validate().map_err(Box::new)?;
        self.is_of_this_version = is_of_this_version(&file);
        Ok(snapshot)
    }
}

/// Maps the control page; `None` if there is none yet, or one half made.
fn attach(path: &Path) -> Result<Option<Control>, DirError> {
    let file = match dir::open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, "open")(error)),
    };
    let identity = Identity::of(&file).map_err(io_error(path, "stat"))?;
    let page = match RemotePage::map(&file, WORDS) {
        Ok(page) => page,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(io_error(path, "map")(error)),
    };
    let problem = match page.load(AT_MAGIC) {
        None | Some(0) => return Ok(None),
        Some(MAGIC) => match page.load(AT_VERSION) {
            Some(VERSION) => return Ok(Some(Control { page, identity })),
            found => DirProblem::Version { found: found.unwrap_or(0), expected: VERSION },
        },
        Some(_) => DirProblem::Magic,
    };
    Err(DirError { path: path.to_owned(), problem })
}
