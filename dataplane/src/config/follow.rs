//! Follows the control plane: every new generation is checked and compiled on a
//! thread of its own, then handed to the shards.
//!
//! A generation that is refused leaves the one before in force and is reported
//! on the stats page.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use eagre_snapshot::{DirError, Generation, SlotMap, Snapshot, StatsWriter, Subscriber, Swap};

use super::table::Table;

/// The table in force, for shards and admin.
pub(crate) type Tables = Arc<Swap<Table>>;

/// An empty table, before the first generation.
pub(crate) fn no_table() -> Tables {
    Arc::new(Swap::new(Generation::NONE, Arc::new(Table::default())))
}

/// Starts following the snapshots in `directory` until `stop` is set.
pub(crate) fn start(
    directory: &Path,
    stats: StatsWriter,
    tables: Tables,
    tell_shards: impl Fn() + Send + 'static,
    triggers_max: usize,
    stop: Arc<AtomicBool>,
) -> Result<thread::JoinHandle<()>, DirError> {
    let subscriber = Subscriber::open(directory)?;
    let mut follower = Follower {
        subscriber,
        stats,
        slots: SlotMap::new(),
        current: Arc::default(),
        tables,
        tell_shards: Box::new(tell_shards),
        triggers_max,
    };
    let run = move || {
        while !stop.load(Relaxed) {
            follower.turn();
        }
    };
    Ok(thread::Builder::new()
        .name("eagre-config".into())
        .spawn(run)
        .expect("the system refuses a thread at start"))
}

struct Follower {
    subscriber: Subscriber,
    stats: StatsWriter,
    slots: SlotMap,
    current: Arc<Table>,
    tables: Tables,
    /// There is a new table.
    tell_shards: Box<dyn Fn() + Send>,
    triggers_max: usize,
}

impl Follower {
    fn turn(&mut self) {
        match self.subscriber.load() {
            Ok(Some((generation, snapshot))) => self.take(generation, snapshot),
            Ok(None) => self.subscriber.wait(Generation(self.current.generation), WAIT),
            Err(refused) => {
                self.refuse(refused.generation, &refused.reason.to_string());
                thread::sleep(REFUSED_PAUSE);
            }
        }
    }

    fn take(&mut self, generation: Generation, snapshot: Snapshot) {
        let (brokers, triggers) = (snapshot.brokers.len(), snapshot.triggers.len());
        if triggers > self.triggers_max {
            let max = self.triggers_max;
            let reason = format!(
                "{triggers} triggers, and the cursors of {max} have room in a segment of the log; raise wal.segment_bytes"
            );
            return self.refuse(generation, &reason);
        }
        let kept: std::collections::HashSet<_> = snapshot.triggers.iter().map(|t| t.id).collect();
        self.slots.retain(|id| kept.contains(&id));
        match Table::compile(generation.0, snapshot, &self.current, &mut self.slots) {
            Ok(table) => {
                self.current = Arc::new(table);
                self.tables.store(generation, Arc::clone(&self.current));
                tracing::info!(generation = generation.0, brokers, triggers, "configuration compiled");
                (self.tell_shards)();
            }
            Err(error) => self.refuse(generation, &error.to_string()),
        }
    }

    fn refuse(&mut self, generation: Generation, reason: &str) {
        tracing::error!(generation = generation.0, "configuration refused, the one before stays: {reason}");
        self.stats.refuse(generation, reason);
    }
}

/// How soon a request to stop is noticed.
const WAIT: Duration = Duration::from_millis(200);
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
