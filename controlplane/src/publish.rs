//! The one way a configuration leaves the control plane.
//!
//! Promise: what equals the generation in force is not published again, also
//! not after a restart; after an error the generation in force is what it was.

use std::path::Path;

use eagre_snapshot::{DirError, Generation, PublishError, Publisher, Snapshot, Subscriber};
use tracing::warn;

/// The snapshot folder and what is in force there.
#[derive(Debug)]
pub struct Publication {
    publisher: Publisher,
    in_force: Option<Snapshot>,
}

impl Publication {
    /// Opens the folder; a generation found there stays in force.
    pub fn open(dir: &Path) -> Result<Publication, DirError> {
        let publisher = Publisher::open(dir)?;
        let in_force = match Subscriber::open(dir)?.load() {
            Ok(found) => found.map(|(_, snapshot)| snapshot),
            Err(refused) => {
                warn!("{refused}; it will be replaced");
                None
            }
        };
        Ok(Publication { publisher, in_force })
    }

    /// The generation in force; `None` if there is none, or an unreadable one.
    pub fn generation(&self) -> Option<Generation> {
        self.in_force.as_ref().map(|_| self.publisher.generation())
    }

    /// Publishes `snapshot` unless it is in force already; the new generation.
    pub fn offer(&mut self, snapshot: &Snapshot) -> Result<Option<Generation>, PublishError> {
        if self.in_force.as_ref() == Some(snapshot) {
            return Ok(None);
        }
        let generation = self.publisher.publish(snapshot)?;
        self.in_force = Some(snapshot.clone());
        Ok(Some(generation))
    }
}
