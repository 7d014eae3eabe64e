//! Follows the control plane: every new generation is checked and compiled on a
//! thread of its own, then handed to the shards.
//!
//! A generation that is refused leaves the one before in force and is reported
//! on the stats page. So does a snapshot directory that is gone or another one:
//! the data plane makes its own files there again, and goes on with whatever is
//! published there.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use eagre_snapshot::{
    DirError, Generation, LoadError, LoadProblem, SlotMap, Snapshot, StatsWriter, Subscriber, Swap,
};

use super::table::Table;

/// The table in force, for shards and admin.
pub(crate) type Tables = Arc<Swap<Table>>;

/// An empty table, before the first generation.
pub(crate) fn no_table() -> Tables {
    Arc::new(Swap::new(Arc::new(Table::default())))
}

/// What the process does at the follower's word.
pub(crate) struct Hooks {
    /// There is a new table for the shards.
    pub(crate) tell_shards: Box<dyn Fn() + Send>,
    /// Sees to it that the process is announced in the directory, if it is to be.
    pub(crate) keep_announced: Box<dyn Fn() -> Result<(), String> + Send>,
}

/// What the configuration thread works with.
pub(crate) struct Follower {
    subscriber: Subscriber,
    stats: StatsWriter,
    hooks: Hooks,
    slots: SlotMap,
    current: Arc<Table>,
    tables: Tables,
    triggers_max: usize,
    /// The last refusal: one that is tried again is told once.
    refused: Option<(Generation, String)>,
    /// What is wrong with the directory, as told.
    directory_problem: Option<String>,
}

/// What one turn came to.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Something was loaded, or tried.
    Loaded,
    /// Nothing was new; whether the wait ended before its time.
    Waited { woken: bool },
}

impl Follower {
    /// Will follow the snapshots in `directory`.
    pub(crate) fn new(
        directory: &Path,
        stats: StatsWriter,
        hooks: Hooks,
        tables: Tables,
        triggers_max: usize,
    ) -> Result<Self, DirError> {
        Ok(Self {
            subscriber: Subscriber::open(directory)?,
            stats,
            hooks,
            slots: SlotMap::new(),
            current: Arc::default(),
            tables,
            triggers_max,
            refused: None,
            directory_problem: None,
        })
    }

    /// Starts the thread; it ends once `stop` is set.
    pub(crate) fn start(mut self, stop: Arc<AtomicBool>) {
        let run = move || {
            while !stop.load(Relaxed) {
                self.turn();
            }
        };
        thread::Builder::new()
            .name("eagre-config".into())
            .spawn(run)
            .expect("the system refuses a thread at start");
    }

    fn turn(&mut self) -> Turn {
        self.keep_directory();
        match self.subscriber.load() {
            Ok(Some((generation, snapshot))) => self.take(generation, snapshot),
            Ok(None) => return Turn::Waited { woken: self.subscriber.wait(WAIT) },
            Err(LoadError { generation, reason }) => {
                self.refuse(generation, &reason.to_string());
                // Worth another try, though not at once.
                if matches!(reason, LoadProblem::Io(_)) {
                    thread::sleep(RETRY_PAUSE);
                }
            }
        }
        Turn::Loaded
    }

    /// Sees to it that the path leads to what this data plane reports, and that
    /// the control page found there is the one it reads.
    fn keep_directory(&mut self) {
        let number = self.current.generation.number;
        match self.follow_path() {
            Ok((made, other)) => {
                self.directory_problem = None;
                if made {
                    tracing::warn!(
                        "the snapshot directory was removed or replaced: its files are made again"
                    );
                }
                if other {
                    tracing::warn!(
                        "another control page: generation {number} stays in force until one is published there"
                    );
                }
            }
            Err(problem) if self.directory_problem.as_ref() != Some(&problem) => {
                tracing::error!(
                    "the snapshot directory cannot be used, generation {number} stays in force: {problem}"
                );
                self.directory_problem = Some(problem);
            }
            Err(_) => {}
        }
    }

    /// Whether files of this data plane had to be made again, and whether there
    /// is another control page.
    fn follow_path(&mut self) -> Result<(bool, bool), String> {
        let made = self.stats.follow().map_err(|error| error.to_string())?;
        (self.hooks.keep_announced)()?;
        let other = self.subscriber.follow().map_err(|error| error.to_string())?;
        Ok((made, other))
    }

    fn take(&mut self, generation: Generation, snapshot: Snapshot) {
        let (brokers, triggers) = (snapshot.brokers.len(), snapshot.triggers.len());
        let max = self.triggers_max;
        if triggers > max {
            let reason = format!(
                "{triggers} triggers, and the cursors of {max} have room in a segment of the log; raise wal.segment_bytes"
            );
            return self.refuse(generation, &reason);
        }
        // Of a generation that is refused, nothing stays.
        let mut slots = self.slots.clone();
        let kept: HashSet<_> = snapshot.triggers.iter().map(|trigger| trigger.id).collect();
        slots.retain(|id| kept.contains(&id));
        match Table::compile(generation, snapshot, &self.current, &mut slots) {
            Ok(table) => {
                self.slots = slots;
                self.put_in_force(Arc::new(table));
                tracing::info!(generation = generation.number, brokers, triggers, "configuration compiled");
            }
            Err(error) => self.refuse(generation, &error.to_string()),
        }
    }

    fn put_in_force(&mut self, table: Arc<Table>) {
        self.current = Arc::clone(&table);
        self.tables.store(table);
        (self.hooks.tell_shards)();
    }

    fn refuse(&mut self, generation: Generation, reason: &str) {
        let refused = Some((generation, reason.to_owned()));
        if self.refused != refused {
            tracing::error!(
                generation = generation.number,
                "configuration refused, the one before stays: {reason}"
            );
            self.stats.refuse(generation, reason);
            self.refused = refused;
        }
    }
}

/// How soon a request to stop is noticed, and a directory that was replaced.
const WAIT: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use eagre_snapshot::{Broker, Endpoint, Id, Publisher, StatsReader, Trigger};

    use super::*;

    struct Setup {
        dir: tempfile::TempDir,
        publisher: Publisher,
        follower: Follower,
    }

    impl Setup {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("run");
            let stats = StatsWriter::create(&path, 1, 1).unwrap();
            let hooks = Hooks { tell_shards: Box::new(|| {}), keep_announced: Box::new(|| Ok(())) };
            let follower = Follower::new(&path, stats, hooks, no_table(), 1).unwrap();
            Self { publisher: Publisher::open(&path).unwrap(), dir, follower }
        }

        /// Publishes as many triggers.
        fn publish(&mut self, triggers: u64) -> Generation {
            let broker = Broker { id: Id(1), namespace: "n".into(), name: "b".into(), ..Broker::default() };
            let trigger = |number: u64| Trigger {
                id: Id(1 + number),
                broker: broker.id,
                namespace: "n".into(),
                name: format!("t{number}"),
                subscriber: Endpoint::parse("http://h/").unwrap(),
                ..Trigger::default()
            };
            let triggers = (1..=triggers).map(trigger).collect();
            let snapshot = Snapshot { brokers: vec![broker.clone()], triggers, ..Snapshot::default() };
            self.publisher.publish(&snapshot).unwrap()
        }

        fn refused(&self) -> Option<Generation> {
            let stats = StatsReader::open(&self.dir.path().join("run")).unwrap().read().unwrap().unwrap();
            stats.refused.map(|refusal| refusal.generation)
        }
    }

    #[test]
    fn a_refused_generation_is_loaded_once_and_then_waited_out() {
        let mut setup = Setup::new();
        setup.publish(1);
        assert_eq!(setup.follower.turn(), Turn::Loaded);
        // Refused when it is compiled; and when it is read.
        let too_many = setup.publish(2);
        assert_eq!(setup.follower.turn(), Turn::Loaded);
        assert_eq!(setup.refused(), Some(too_many));
        assert_eq!(setup.follower.turn(), Turn::Waited { woken: false });
        let damaged = setup.publish(1);
        let file = setup.dir.path().join("run/snapshot-3");
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, b"EAGRSNAP").unwrap();
        assert_eq!(setup.follower.turn(), Turn::Loaded);
        assert_eq!(setup.refused(), Some(damaged));
        for _ in 0..2 {
            assert_eq!(setup.follower.turn(), Turn::Waited { woken: false }, "nothing new to wake up for");
        }
        assert_eq!(setup.follower.current.generation.number, 1);
        let good = setup.publish(1);
        assert_eq!(setup.follower.turn(), Turn::Loaded);
        assert_eq!(setup.follower.current.generation, good);
    }

    #[test]
    fn what_is_published_in_a_directory_that_is_made_again_comes_into_force() {
        let mut setup = Setup::new();
        for _ in 0..3 {
            setup.publish(1);
        }
        setup.follower.turn();
        let path = setup.dir.path().join("run");
        std::fs::remove_dir_all(&path).unwrap();
        assert_eq!(setup.follower.turn(), Turn::Waited { woken: false });
        assert_eq!(setup.follower.current.generation.number, 3, "until there is another");
        setup.publisher = Publisher::open(&path).unwrap();
        let first = setup.publish(1);
        assert_eq!(setup.follower.turn(), Turn::Loaded);
        assert_eq!((setup.follower.current.generation, first.number), (first, 1));
    }
}
