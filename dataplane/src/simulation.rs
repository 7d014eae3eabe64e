//! The door for simulations: the shards of one process, wired as
//! [`process`](crate::process) wires them, on another world than this machine's.
//!
//! Promise: what runs behind this door is what the process runs, from
//! [`shard::start::run`](start::run) on, with the same table, the same mail and
//! the same reports. Absent are only what stands around the shards: threads,
//! signals, the admin port, and the thread that follows the control plane, whose
//! steps are [`Process::configure`] and [`Process::tell`].

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Instant,
};

use eagre_snapshot::{Generation, Id, SlotMap, Snapshot, StatsWriter};

use crate::{
    config::{
        follow::{self, Tables},
        table::Table,
    },
    ingress::{bodies::Bodies, census::Census},
    metrics::{LowMarks, ShardMetrics},
    runtime::{driver::Driver, net::Listener, resolve::Resolver},
    shard::{
        mail::{Mail, Post},
        start::{self, Report, Setup},
    },
    store::{self, InForce},
};
pub use crate::{
    runtime::world::{Entered, Listen, Local, Socket, World, enter},
    tuning::Config,
};

/// What the shards of a process are started with.
pub struct Parts {
    /// Every setting; what the tuning file's ranges forbid is allowed here.
    pub config: Config,
    /// Where the logs lie.
    pub data: PathBuf,
    /// Where producers reach the process.
    pub address: SocketAddr,
    /// What the shards report to.
    pub stats: StatsWriter,
    /// Connections of each shard to producers and to subscribers.
    pub connections_max: (usize, usize),
}

/// The shards of one process and what connects them.
pub struct Process {
    config: Arc<Config>,
    data: PathBuf,
    address: SocketAddr,
    shards: usize,
    connections_max: (usize, usize),
    stats: StatsWriter,
    post: Post,
    tables: Tables,
    census: Census,
    in_force: InForce,
    bodies: Bodies,
    resolver: Resolver,
    current: Arc<Table>,
    slots: SlotMap,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

/// What a process holds of what its settings bound.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Open connections to producers, of the shard that has most.
    pub producers: usize,
    /// Bytes of the bodies of requests under way, of all shards.
    pub bodies_bytes: usize,
}

/// What a shard tells its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its log is open and recovered.
    Opened,
    /// It takes connections.
    Serving,
    /// It has stopped; whether nothing was cut off.
    Drained {
        /// Nothing was.
        complete: bool,
    },
    /// It cannot go on.
    Failed {
        /// The code to exit with.
        code: u8,
        /// Why.
        text: String,
    },
}

impl Process {
    /// A process whose shards are not started; their number is that of the
    /// configuration.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, data, address, stats, connections_max } = parts;
        let shards = config.runtime.shards;
        let (sender, reports) = mpsc::channel();
        Self {
            post: Post::new(shards),
            tables: follow::no_table(),
            census: Census::new(shards),
            in_force: InForce::new(shards),
            bodies: Bodies::new(config.ingress.bodies_bytes_max as usize),
            resolver: Resolver::of_world(),
            current: Arc::default(),
            slots: SlotMap::new(),
            config: Arc::new(config),
            data,
            address,
            shards,
            connections_max,
            stats,
            sender,
            reports,
        }
    }

    /// The life of one shard, to be run once.
    ///
    /// # Panics
    /// It was asked for before.
    pub fn shard(&self, index: usize, listener: Box<dyn Listen>) -> impl Future<Output = ()> + 'static {
        start::run(Setup {
            index,
            shards: self.shards,
            driver: Driver::Epoll,
            config: Arc::clone(&self.config),
            address: self.address,
            listener: Listener::World(listener),
            data: self.data.clone(),
            metrics: Arc::new(ShardMetrics::new()),
            stats: self.stats.shard(index).expect("every shard takes its handle once"),
            low_marks: LowMarks::default(),
            tables: Arc::clone(&self.tables),
            post: self.post.clone(),
            census: self.census.clone(),
            resolver: self.resolver.clone(),
            bodies: self.bodies.clone(),
            in_force: self.in_force.clone(),
            connections_max: self.connections_max,
            reports: self.sender.clone(),
        })
    }

    /// Compiles a generation, which [`tell`](Self::tell) then makes known.
    ///
    /// # Errors
    /// It is refused, and the one before stays.
    pub fn configure(&mut self, generation: Generation, snapshot: Snapshot) -> Result<(), String> {
        let kept: std::collections::BTreeSet<Id> = snapshot.triggers.iter().map(|t| t.id).collect();
        self.slots.retain(|id| kept.contains(&id));
        let compiled = Table::compile(generation, snapshot, &self.current, &mut self.slots);
        let table = compiled.map_err(|error| {
            self.stats.refuse(generation, &error.to_string());
            error.to_string()
        })?;
        self.current = Arc::new(table);
        self.tables.store(Arc::clone(&self.current));
        Ok(())
    }

    /// Tells a shard that there is a new table; false if its mailbox is full.
    #[must_use]
    pub fn tell(&self, shard: usize) -> bool {
        self.post.send(shard, Mail::Table).is_ok()
    }

    /// Asks a shard to stop by `deadline`; false if its mailbox is full.
    #[must_use]
    pub fn drain(&self, shard: usize, deadline: Instant) -> bool {
        self.post.send(shard, Mail::Drain(deadline)).is_ok()
    }

    /// What the shards hold now.
    #[must_use]
    pub fn held(&self) -> Held {
        let producers = (0..self.shards).map(|shard| self.census.of(shard));
        Held { producers: producers.max().unwrap_or_default(), bodies_bytes: self.bodies.held() }
    }

    /// What the shards have told since it was asked.
    pub fn told(&self) -> impl Iterator<Item = Told> {
        self.reports.try_iter().map(|report| match report {
            Report::Opened => Told::Opened,
            Report::Serving => Told::Serving,
            Report::Drained { complete } => Told::Drained { complete },
            Report::Failed { code, text } => Told::Failed { code, text },
        })
    }
}

/// Where shard `index` keeps its log.
#[must_use]
pub fn shard_directory(data: &Path, index: usize) -> PathBuf {
    store::shard_directory(data, index)
}
