//! The backlogs of one shard: opened at the start where they are, made when they
//! are first needed, removed when they are done, and bounded together.
//!
//! Owns their directory.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc};

use eagre_snapshot::Id;
use eagre_wal::{OpenError, Options};

use super::{
    backlog::Backlog,
    layout::{self, BACKLOGS, Settings},
};
use crate::{
    limits::wal::MOVE_BYTES,
    runtime::{disk, task},
};

/// The backlogs of one shard.
pub(super) struct Backlogs {
    directory: PathBuf,
    options: Options,
    /// In order, so that what is done to all of them has one order.
    by_broker: RefCell<BTreeMap<Id, Rc<Backlog>>>,
}

impl Backlogs {
    /// Those that are there; the directory need not exist. Waits for the disk.
    pub(super) fn open(settings: &Settings) -> Result<Self, OpenError> {
        let directory = settings.directory.join(BACKLOGS);
        let backlogs = Self { directory, options: settings.backlog(), by_broker: RefCell::default() };
        let names = disk::list(&backlogs.directory).map_err(|source| OpenError::Io {
            path: backlogs.directory.clone(),
            doing: "list the backlogs",
            source,
        })?;
        for name in names {
            match u64::from_str_radix(&name, 16) {
                Ok(id) if Id(id).to_string() == name => {
                    let log = layout::open(&backlogs.log_directory(Id(id)), backlogs.options.clone())?;
                    backlogs.insert(Backlog::new(Id(id), log));
                }
                _ => tracing::warn!(file = name, "not a backlog; it is left alone"),
            }
        }
        Ok(backlogs)
    }

    /// Begins to flush them.
    pub(super) fn start(&self) {
        self.all().iter().for_each(|backlog| backlog.log.start(|_| {}));
    }

    /// The backlog of `broker`, if it has one.
    pub(super) fn get(&self, broker: Id) -> Option<Rc<Backlog>> {
        self.by_broker.borrow().get(&broker).cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Rc<Backlog>> {
        self.by_broker.borrow().values().cloned().collect()
    }

    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_broker.borrow().is_empty()
    }

    /// The backlog of `broker`, made if need be; none if that fails, or if there is no
    /// room for one more: a stretch of the log may hold events of any number of brokers.
    pub(super) async fn get_or_make(&self, broker: Id) -> Option<Rc<Backlog>> {
        if let Some(backlog) = self.get(broker) {
            return Some(backlog);
        }
        if !self.have_room_for(SEGMENTS_OF_ONE) {
            tracing::debug!(broker = %broker, "there is no room for one more backlog");
            return None;
        }
        let (directory, options) = (self.log_directory(broker), self.options.clone());
        match task::blocking(move || layout::open(&directory, options)).await {
            Ok(Ok(log)) => {
                let backlog = self.insert(Backlog::new(broker, log));
                backlog.log.start(|_| {});
                Some(backlog)
            }
            Ok(Err(error)) => {
                tracing::error!("cannot make a backlog: {error}");
                None
            }
            Err(error) => {
                tracing::warn!("cannot make a backlog now: no thread for it: {error}");
                None
            }
        }
    }

    /// Removes a backlog that is done, from the disk as well.
    pub(super) fn remove(&self, backlog: &Backlog) {
        self.by_broker.borrow_mut().remove(&backlog.broker);
        backlog.log.close();
    }

    /// Where the backlog of `broker` lies.
    pub(super) fn log_directory(&self, broker: Id) -> PathBuf {
        self.directory.join(broker.to_string())
    }

    /// There is room for more in the backlogs taken together.
    pub(super) fn have_room(&self) -> bool {
        self.have_room_for(1)
    }

    fn have_room_for(&self, segments: u64) -> bool {
        self.bytes() + segments * self.options.segment_bytes <= self.options.max_bytes
    }

    /// Bytes of events that are taken in at once: some milliseconds of work, and
    /// no more than fits a segment of them with every frame.
    pub(super) fn piece_bytes(&self) -> u64 {
        MOVE_BYTES.min(self.options.segment_bytes / 4)
    }

    /// Bytes of disk that the backlogs take.
    pub(super) fn bytes(&self) -> u64 {
        self.by_broker.borrow().values().map(|backlog| backlog.log.usage().bytes).sum()
    }

    /// Bytes of disk that they may take.
    pub(super) fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }

    /// `broker` may have no further event before its triggers have caught up.
    pub(super) fn is_over_quota(&self, broker: Id) -> bool {
        self.by_broker.borrow().get(&broker).is_some_and(|backlog| backlog.is_over_quota())
    }

    fn insert(&self, backlog: Backlog) -> Rc<Backlog> {
        let backlog = Rc::new(backlog);
        self.by_broker.borrow_mut().insert(backlog.broker, Rc::clone(&backlog));
        backlog
    }
}

/// Of a backlog that is new: the one it writes, and the one that stands ready.
const SEGMENTS_OF_ONE: u64 = 2;
