//! The one way a configuration leaves the control plane.
//!
//! Promise: what equals the generation in force is not published again, also
//! not after a restart; after an error the generation in force is what it was.
//! Where the snapshot folder is removed or replaced, what was in force is
//! published again into the new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eagre_snapshot::{DirError, Generation, PublishError, Publisher, Snapshot, Subscriber};
use tracing::warn;

/// The snapshot folder and what is in force there.
#[derive(Debug)]
pub struct Publication {
    dir: PathBuf,
    /// `None` while the folder cannot be opened again.
    publisher: Option<Publisher>,
    in_force: Option<Arc<Snapshot>>,
    /// Another version wrote it: it may say more than could be read.
    is_foreign: bool,
}

impl Publication {
    /// Opens the folder; a generation found there stays in force.
    pub fn open(dir: &Path) -> Result<Publication, DirError> {
        let publisher = Publisher::open(dir)?;
        let mut subscriber = Subscriber::open(dir)?;
        let in_force = match subscriber.load() {
            Ok(found) => found.map(|(_, snapshot)| Arc::new(snapshot)),
            Err(refused) => {
                warn!("{refused}; it will be replaced");
                None
            }
        };
        let is_foreign = !subscriber.is_of_this_version();
        Ok(Publication { dir: dir.to_owned(), publisher: Some(publisher), in_force, is_foreign })
    }

    /// What is in force; `None` if nothing is, or nothing that can be read.
    pub fn in_force(&self) -> Option<Arc<Snapshot>> {
        self.in_force.clone()
    }

    /// The generation in force; `None` if there is none, or an unreadable one.
    pub fn generation(&self) -> Option<Generation> {
        self.in_force.as_ref().and(self.publisher.as_ref()).map(Publisher::generation)
    }

    /// Publishes `snapshot` unless it is in force already; the new generation.
    pub fn offer(&mut self, snapshot: &Snapshot) -> Result<Option<Generation>, PublishError> {
        if self.in_force.as_deref() == Some(snapshot) && !self.is_foreign {
            return Ok(None);
        }
        let generation = publisher(&mut self.publisher, &self.dir)?.publish(snapshot)?;
        self.in_force = Some(Arc::new(snapshot.clone()));
        self.is_foreign = false;
        Ok(Some(generation))
    }

    /// Looks whether the folder is still the one that was opened, and publishes
    /// what is in force again where it is not; the new generation, and what it
    /// holds. To be called now and then, also after an error.
    pub fn keep(&mut self) -> Result<Option<(Generation, &Snapshot)>, PublishError> {
        if self.publisher.as_ref().is_some_and(|publisher| !publisher.is_displaced()) {
            return Ok(None);
        }
        // Before the next is opened: the lock may be left where other files are gone.
        self.publisher = None;
        let opened = publisher(&mut self.publisher, &self.dir)?;
        let Some(snapshot) = &self.in_force else { return Ok(None) };
        match opened.publish(snapshot) {
            Ok(generation) => Ok(Some((generation, snapshot))),
            Err(error) => {
                self.publisher = None;
                Err(error)
            }
        }
    }
}

/// The publisher, opened if there is none.
fn publisher<'p>(held: &'p mut Option<Publisher>, dir: &Path) -> Result<&'p mut Publisher, DirError> {
    match held {
        Some(publisher) => Ok(publisher),
        None => Ok(held.insert(Publisher::open(dir)?)),
    }
}
