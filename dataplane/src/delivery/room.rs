//! What the lanes of a shard share.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use eagre_snapshot::Id;

use super::{ResponseLimits, pool::Pool, timers::Timers};
use crate::{
    config::Routes,
    metrics::ShardMetrics,
    store::{Offset, Scratch, Store},
    tuning,
};

/// Bounds of one lane.
#[derive(Clone, Copy)]
pub(crate) struct LaneLimits {
    /// Requests in flight at once.
    pub(crate) parallelism: usize,
    /// Positions queued in memory.
    pub(crate) queue_max: usize,
    /// Events handed out and not finished, most of them waiting for a retry.
    pub(crate) pending_max: usize,
}

/// What the lanes of a shard share.
pub(crate) struct Room {
    pub(crate) store: Rc<Store>,
    pub(crate) routes: Rc<Routes>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) pool: Pool,
    pub(crate) scratch: Rc<RefCell<Scratch>>,
    pub(crate) settings: tuning::Delivery,
    pub(crate) limits: LaneLimits,
    pub(crate) response_limits: ResponseLimits,
    /// Where producers reach the broker, for the names of refused replies.
    pub(crate) address: SocketAddr,
    pub(super) timers: Timers,
    /// The lanes that changed since someone looked: with thousands of triggers
    /// only few move at a time.
    pub(super) changed: RefCell<Vec<Id>>,
    /// Every durable event below was offered to its lanes.
    pub(super) fanned_out: Cell<Offset>,
    pub(super) draining: Cell<bool>,
}

/// What a room is made of; it only assembles.
pub(crate) struct Parts {
    pub(crate) store: Rc<Store>,
    pub(crate) routes: Rc<Routes>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) pool: Pool,
    pub(crate) scratch: Rc<RefCell<Scratch>>,
    pub(crate) config: Arc<tuning::Config>,
    pub(crate) address: SocketAddr,
}

impl Room {
    /// A room without lanes.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { store, routes, metrics, pool, scratch, config, address } = parts;
        let (settings, limits) = (config.delivery.clone(), config.limits.clone());
        let fanned_out = Cell::new(store.durable());
        Self {
            store,
            routes,
            metrics,
            pool,
            scratch,
            limits: LaneLimits {
                parallelism: settings.parallelism,
                queue_max: limits.queue_per_trigger,
                pending_max: limits.pending_per_trigger,
            },
            response_limits: ResponseLimits {
                http: config.response_limits(),
                body_bytes_max: settings.response_body_bytes_max,
            },
            settings,
            address,
            timers: Timers::default(),
            changed: RefCell::default(),
            fanned_out,
            draining: Cell::new(false),
        }
    }

    /// Nothing new is delivered.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }
}
