//! The state of one shard: a thread that owns its connections, its log and the
//! deliveries of what is in it.
//!
//! The stages of the path work on it: `ingress` and `delivery` through what is
//! here, `reconfigure`, `fanout` and `housekeeping` on the shard as a whole.
//! Nothing in here is shared with another thread, except through the mailbox,
//! the table that is swapped between loop turns, and counters that others read.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use eagre_http1::Limits;
use eagre_snapshot::{Id, ShardStats};
use eagre_wal::{AppendError, Fsync, Lsn};
use hashbrown::HashMap;

use crate::{
    backlogs::Backlogs,
    clock,
    commit::CommitLog,
    delivery::{
        exchange::ResponseLimits,
        lane::{Changes, Lane},
        pool::Pool,
        timers::Timers,
    },
    driver::Driver,
    graveyard::Graveyard,
    ingress::answer::Answers,
    intake::Scratch,
    metrics::{Dispatch, ShardMetrics},
    table::{BrokerRoute, Table},
    tuning::{Config, log_fsync},
    view::LowMarks,
};

/// The state of one shard.
pub(crate) struct Shard {
    pub(crate) driver: Driver,
    pub(crate) config: Arc<Config>,
    /// Where producers reach the broker, for the names of refused replies.
    pub(crate) address: SocketAddr,
    pub(crate) request_limits: Limits,
    pub(crate) response_limits: ResponseLimits,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) stats: RefCell<ShardStats>,
    pub(crate) low_marks: LowMarks,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) answers: Answers,
    pub(crate) log: CommitLog,
    pub(crate) backlogs: Backlogs,
    pub(crate) graveyard: Graveyard,
    pub(crate) timers: Timers,
    pub(crate) pool: Pool,
    pub(crate) table: RefCell<Arc<Table>>,
    pub(crate) lanes: RefCell<HashMap<Id, Rc<Lane>>>,
    pub(crate) changes: Changes,
    /// Durations of the requests to each broker.
    pub(crate) brokers: RefCell<HashMap<Id, Arc<Dispatch>>>,
    /// Every durable record below was offered to its lanes.
    pub(crate) fanned_out: Cell<Lsn>,
    /// Cursors of new lanes are not in the log yet: nothing may be accepted.
    pub(crate) cursors_owed: Cell<bool>,
    /// The position at which the cursors of idle lanes are renewed.
    pub(crate) sweep_at: Cell<Lsn>,
    /// Requests between their first byte and their answer.
    pub(crate) busy: Cell<usize>,
    pub(crate) draining: Cell<bool>,
}

/// What a shard is made of; it only assembles.
pub(crate) struct Parts {
    pub(crate) driver: Driver,
    pub(crate) config: Arc<Config>,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) stats: ShardStats,
    pub(crate) low_marks: LowMarks,
    pub(crate) log: CommitLog,
    pub(crate) backlogs: Backlogs,
    pub(crate) graveyard: Graveyard,
    pub(crate) pool: Pool,
}

impl Shard {
    /// A shard without routes.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { driver, config, address, metrics, stats, low_marks, log, backlogs, graveyard, pool } =
            parts;
        let durable = log.durable();
        Self {
            driver,
            address,
            request_limits: config.request_limits(),
            response_limits: ResponseLimits {
                http: config.response_limits(),
                body_bytes_max: config.delivery.response_body_bytes_max,
            },
            config,
            metrics,
            stats: RefCell::new(stats),
            low_marks,
            scratch: RefCell::default(),
            answers: Answers::default(),
            fanned_out: Cell::new(durable),
            sweep_at: Cell::new(log.end()),
            log,
            backlogs,
            graveyard,
            timers: Timers::default(),
            pool,
            table: RefCell::default(),
            lanes: RefCell::default(),
            changes: Changes::default(),
            brokers: RefCell::default(),
            cursors_owed: Cell::new(false),
            busy: Cell::new(0),
            draining: Cell::new(false),
        }
    }

    /// The configuration in force.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.borrow())
    }

    /// When an event of `broker` counts as stored.
    pub(crate) fn fsync(&self, broker: &BrokerRoute) -> Fsync {
        log_fsync(broker.broker.settings.fsync.unwrap_or(self.config.wal.fsync))
    }

    /// Bytes that the backlog of `broker` may hold on this shard.
    pub(crate) fn backlog_quota(&self, broker: &BrokerRoute) -> u64 {
        let wal = &self.config.wal;
        let quota = broker.broker.settings.backlog_bytes_max.unwrap_or(wal.backlog_bytes_max_per_broker);
        quota / self.config.runtime.shards as u64
    }

    /// Wall-clock milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    /// Every durable record below was offered to its lanes.
    pub(crate) fn fanned_out(&self) -> Lsn {
        self.fanned_out.get()
    }

    /// The shard accepts nothing new.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// A request to `broker` was answered.
    pub(crate) fn dispatched(&self, broker: Id, status: u16, took: Duration) {
        if let Some(dispatch) = self.brokers.borrow().get(&broker) {
            dispatch.record(Some(status), took);
        }
    }

    /// Counts a request in until the guard is dropped.
    pub(crate) fn begin_request(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(Rc::clone(self))
    }

    /// Refuses events while new triggers have no place in the log: an event
    /// accepted now would be lost for them if the process ended.
    pub(crate) fn may_accept(&self) -> Result<(), AppendError> {
        if self.cursors_owed.get() {
            self.log.append_cursors(self.now_ms(), log_fsync(self.config.wal.fsync))?;
            self.cursors_owed.set(false);
        }
        Ok(())
    }
}

/// A request that is under way.
pub(crate) struct Busy(Rc<Shard>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}
