//! Ingress: bytes in, an answer out.
//!
//! A connection belongs to one shard from its accept to its close. Its requests
//! are read, judged and answered one after another; the answer to an accepted
//! event waits for the store, and only [`answer`] writes a 202.
//!
//! Owns producers' connections and their number, the bytes of requests that are
//! not stored yet, and who of several large requests is worked on. Its bounds are
//! its own: whatever producers do, deliveries and the log have what they need.
//!
//! Deliberately absent: everything about subscribers. The last thing that
//! ingress knows of an event is that it is stored.

pub(crate) mod census;
pub(crate) mod listener;
mod idle;
mod connection;
pub(crate) mod bodies;
mod turnstile;
mod request;
mod route;
mod admission;
mod reason;
mod answer;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use eagre_http1::Limits;
use eagre_snapshot::Id;

use self::{answer::Answers, bodies::Bodies, idle::Idle, turnstile::Turnstile};
use crate::{
    config::{Routes, table::Table},
    metrics::{Dispatch, ShardMetrics},
    runtime::{driver::Driver, map::Map, notify::Notify},
    store::{Scratch, Store},
    tuning,
};

/// What the connections of a shard share.
pub(crate) struct Ingress {
    store: Rc<Store>,
    routes: Rc<Routes>,
    metrics: Arc<ShardMetrics>,
    scratch: Rc<RefCell<Scratch>>,
    driver: Driver,
    settings: tuning::Ingress,
    request_limits: Limits,
    /// Connections it may have, by the process's descriptors.
    connections_max: usize,
    answers: Answers,
    bodies: Bodies,
    turnstile: Turnstile,
    idle: Idle,
    /// A connection has ended, and its place is free.
    vacancy: Notify,
    /// Durations of the requests to each broker.
    dispatches: RefCell<Map<Id, Arc<Dispatch>>>,
    /// Requests between their first byte and their answer.
    busy: Cell<usize>,
    draining: Cell<bool>,
}

/// What an ingress is made of; it only assembles.
pub(crate) struct Parts {
    pub(crate) store: Rc<Store>,
    pub(crate) routes: Rc<Routes>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) scratch: Rc<RefCell<Scratch>>,
    pub(crate) config: Arc<tuning::Config>,
    pub(crate) driver: Driver,
    pub(crate) connections_max: usize,
    pub(crate) bodies: Bodies,
}

impl Ingress {
    /// Without connections.
    pub(crate) fn new(parts: Parts) -> Rc<Self> {
        let Parts { store, routes, metrics, scratch, config, driver, connections_max, bodies } = parts;
        Rc::new(Self {
            store,
            routes,
            metrics,
            scratch,
            driver,
            settings: config.ingress.clone(),
            request_limits: config.request_limits(),
            connections_max,
            answers: Answers::default(),
            bodies,
            turnstile: Turnstile::default(),
            idle: Idle::default(),
            vacancy: Notify::default(),
            dispatches: RefCell::default(),
            busy: Cell::new(0),
            draining: Cell::new(false),
        })
    }

    /// A configuration is in force.
    pub(crate) fn apply(&self, table: &Table) {
        let brokers = table.brokers().map(|route| &route.broker);
        let dispatches = brokers.map(|b| (b.id, self.metrics.broker(&b.namespace, &b.name)));
        self.dispatches.replace(dispatches.collect());
    }

    /// From now on nothing is accepted.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
    }

    /// Requests between their first byte and their answer.
    pub(crate) fn busy(&self) -> usize {
        self.busy.get()
    }

    /// A request to `broker` was answered.
    fn dispatched(&self, broker: Id, status: u16, took: Duration) {
        if let Some(dispatch) = self.dispatches.borrow().get(&broker) {
            dispatch.record(Some(status), took);
        }
    }

    /// Counts a request in until the guard is dropped.
    fn begin_request(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(Rc::clone(self))
    }
}

/// A request that is under way.
struct Busy(Rc<Ingress>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}
