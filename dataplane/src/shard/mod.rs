//! A shard: one thread with its own connections, its own store and its own
//! deliveries.
//!
//! Here the rooms of the path are wired together, and what concerns all of them
//! is done: the configuration put in force ([`apply`]), progress stored and
//! figures shown ([`housekeeping`]), the end ([`drain`]). No room reaches through
//! this one into another. Nothing of a shard is shared with another thread,
//! except through the mailbox, the table that is swapped between loop turns, and
//! counters that others read.

pub(crate) mod start;
pub(crate) mod mail;
mod apply;
mod housekeeping;
mod heartbeat;
mod drain;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use eagre_snapshot::ShardStats;

use crate::{
    config::Routes,
    delivery::{self, Dispatcher, Pool, Room},
    ingress::{self, Ingress, bodies::Bodies},
    metrics::{LowMarks, ShardMetrics},
    runtime::{driver::Driver, resolve::Resolver},
    store::{InForce, Scratch, Store},
    tuning::Config,
};

/// The rooms of one shard.
pub(crate) struct Shard {
    config: Arc<Config>,
    store: Rc<Store>,
    ingress: Rc<Ingress>,
    dispatcher: Rc<Dispatcher>,
    routes: Rc<Routes>,
    metrics: Arc<ShardMetrics>,
    stats: RefCell<ShardStats>,
    low_marks: LowMarks,
    in_force: InForce,
}

/// What a shard is made of, beside its store.
pub(crate) struct Parts {
    pub(crate) driver: Driver,
    pub(crate) config: Arc<Config>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) stats: ShardStats,
    pub(crate) low_marks: LowMarks,
    pub(crate) resolver: Resolver,
    pub(crate) bodies: Bodies,
    pub(crate) in_force: InForce,
    /// Connections to producers and to subscribers, by the process's descriptors.
    pub(crate) connections_max: (usize, usize),
}

impl Shard {
    /// The rooms around `store`, wired.
    pub(crate) fn new(store: Store, parts: Parts) -> Rc<Self> {
        let Parts { driver, config, address, metrics, stats, low_marks, resolver, bodies, in_force, .. } =
            parts;
        let (connections_max, subscribers_max) = parts.connections_max;
        let (store, routes) = (Rc::new(store), Rc::<Routes>::default());
        // Events pass through one set of buffers, one after another.
        let scratch = Rc::<RefCell<Scratch>>::default();
        let ingress = Ingress::new(ingress::Parts {
            store: Rc::clone(&store),
            routes: Rc::clone(&routes),
            metrics: Arc::clone(&metrics),
            scratch: Rc::clone(&scratch),
            config: Arc::clone(&config),
            driver,
            connections_max,
            bodies,
        });
        let delivery = &config.delivery;
        let pool = Pool::new(subscribers_max, delivery.connect_timeout, delivery.idle_connection, resolver);
        let dispatcher = Dispatcher::new(Room::new(delivery::Parts {
            store: Rc::clone(&store),
            routes: Rc::clone(&routes),
            metrics: Arc::clone(&metrics),
            pool,
            scratch,
            config: Arc::clone(&config),
            address,
        }));
        let stats = RefCell::new(stats);
        Rc::new(Self { config, store, ingress, dispatcher, routes, metrics, stats, low_marks, in_force })
    }
}
