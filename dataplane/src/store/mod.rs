//! The store: what a shard remembers, in terms of events, triggers and brokers.
//!
//! Ingress and delivery meet here and nowhere else: an event goes in with the
//! verdict of whom it is for, comes out to those, and is held until each of them
//! is done with it. Behind this port lie three kinds of log: the shard's own, the
//! backlogs of brokers whose triggers are far behind, and the dead letters. They
//! are opened, flushed and laid out in one way, and nothing outside of this
//! module knows of segments, maps, cursors or their positions, so that the same
//! port can be served by a log on another engine.
//!
//! Promises:
//! - What [`stored`](Store::stored) has said of an event is true after any crash
//!   that its broker's durability covers.
//! - An event with the progress that led to it is one step.
//! - Nothing is released before it is known who needs it: no segment, backlog,
//!   progress or dead letter goes before a configuration is in force on every
//!   shard of the process.
//! - A record that is damaged, or that another version wrote, is never passed
//!   over: the process ends with its own code.
//!
//! Deliberately absent: who matches (the configuration knows), deliveries and
//! their order (`delivery`).

mod position;
mod budget;
mod layout;
mod envelope;
mod moved;
mod event;
mod intake;
mod commit;
mod append;
mod read;
mod progress;
mod backlog;
mod backlogs;
mod make_room;
mod release;
mod dead_letters;
pub mod contents;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use eagre_snapshot::Id;
use eagre_wal::{Fsync, OpenError, Place};

pub(crate) use self::{
    append::NoRoom,
    backlog::Left,
    budget::Budget,
    commit::Stored,
    dead_letters::{Kept, Reason},
    event::{Location, StoredEvent},
    intake::Scratch,
    layout::{Settings, shard_directory, triggers_max},
    position::{BacklogPosition, Offset},
    progress::{Pending, Progress, Resumption},
};
use self::{backlogs::Backlogs, commit::CommitLog, dead_letters::DeadLetters};
use crate::{
    canary::{Canary, planted},
    config::table::BrokerRoute,
    metrics::ShardMetrics,
    runtime::{exit, map::Map, notify::Notify},
};

/// The store of one shard.
pub(crate) struct Store {
    settings: Settings,
    log: Rc<CommitLog>,
    backlogs: Backlogs,
    dead_letters: DeadLetters,
    registered: RefCell<Map<Id, ()>>,
    /// Progress of new triggers is not in the log yet: nothing may be accepted.
    owed: Cell<bool>,
    in_force: InForce,
    /// Events have become durable.
    advanced: Rc<Notify>,
    /// A backlog is being removed.
    removing: Cell<bool>,
    /// The end of the log when the progress of all triggers was recorded last.
    swept_at: Cell<u64>,
}

impl Store {
    /// Opens and recovers everything. Waits for the disk.
    pub(crate) fn open(settings: Settings, in_force: InForce) -> Result<Self, OpenError> {
        let log = layout::open(&settings.directory, settings.log.clone())?;
        let store = Self {
            backlogs: Backlogs::open(&settings)?,
            dead_letters: DeadLetters::new(&settings),
            settings,
            log: Rc::new(CommitLog::new(log)),
            registered: RefCell::default(),
            owed: Cell::new(false),
            in_force,
            advanced: Rc::default(),
            removing: Cell::new(false),
            swept_at: Cell::new(0),
        };
        store.recorded_all();
        store.find_readers();
        Ok(store)
    }

    /// Begins to flush what is appended.
    pub(crate) fn start(&self, metrics: &Arc<ShardMetrics>) {
        let (metrics, advanced) = (Arc::clone(metrics), Rc::clone(&self.advanced));
        self.log.start(move |flushed| {
            metrics.flushed(flushed.records, flushed.bytes, flushed.took);
            advanced.notify();
        });
        self.backlogs.start();
    }

    /// When an event of `broker` counts as stored.
    fn fsync(&self, broker: &BrokerRoute) -> Fsync {
        broker.broker.settings.fsync.map_or(self.settings.fsync, layout::durability)
    }

    /// Keeps an event that no sink took, durably.
    pub(crate) async fn keep_dead_letter(
        &self,
        trigger: Id,
        reason: &Reason<'_>,
        event: &StoredEvent,
    ) -> Kept {
        self.dead_letters.keep(trigger, reason, event).await
    }

    /// For each backlog, who has something in it. What triggers have read of a
    /// backlog that is not there is damage.
    fn find_readers(&self) {
        for consumer in self.log.consumers_in(Place::Elsewhere) {
            let reader = self.backlogs.all().into_iter().find_map(|backlog| {
                let trigger = Id(backlog::consumer(Id(consumer), backlog.broker));
                self.log.place(trigger.0).map(|_| (backlog, trigger))
            });
            let Some((backlog, trigger)) = reader else {
                tracing::error!(
                    directory = %self.settings.directory.display(),
                    "a trigger has events in a backlog, and that is missing, stopping; restore the directory's \
                     `backlog` from a copy"
                );
                exit::now(exit::DAMAGE)
            };
            backlog.readers.borrow_mut().insert(trigger);
        }
    }
}

/// How many shards of the process have a configuration in force. Until it is all
/// of them, nobody knows who needs what.
#[derive(Clone)]
pub(crate) struct InForce {
    missing: Arc<AtomicUsize>,
}

impl InForce {
    /// On none of `shards`.
    pub(crate) fn new(shards: usize) -> Self {
        Self { missing: Arc::new(AtomicUsize::new(shards)) }
    }

    /// One more shard has its first configuration.
    pub(crate) fn add(&self) {
        self.missing.fetch_sub(1, Ordering::Relaxed);
    }

    fn everywhere(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0 || planted(Canary::ReleaseBeforeConfiguration)
    }
}
