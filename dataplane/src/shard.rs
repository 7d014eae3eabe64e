//! One shard: a thread that owns its connections, its log and the deliveries of
//! what is in it.
//!
//! Nothing in here is shared with another thread, except through the mailbox,
//! the table that is swapped between loop turns, and counters that others read.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use eagre_http1::Limits;
use eagre_snapshot::{Counter, Counters, Generation, Id, ShardStats};
use eagre_wal::{AppendError, Cursor, Lsn};

use crate::{
    clock,
    commit::CommitLog,
    config::Config,
    delivery::{
        exchange::ResponseLimits,
        lane::{Lane, LaneLimits},
        pool::Pool,
        timers::Timers,
        worker,
    },
    driver::Driver,
    envelope::{EVENT, Envelope},
    exit,
    graveyard::Graveyard,
    ingress::answer::Answers,
    intake::Scratch,
    metrics::{Dispatch, ShardMetrics},
    net,
    table::{Table, TriggerRoute},
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
    stats: RefCell<ShardStats>,
    low_marks: LowMarks,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) answers: Answers,
    pub(crate) log: CommitLog,
    pub(crate) graveyard: Graveyard,
    pub(crate) timers: Timers,
    pub(crate) pool: Pool,
    table: RefCell<Arc<Table>>,
    lanes: RefCell<HashMap<Id, Rc<Lane>>>,
    /// Durations of the requests to each broker.
    brokers: RefCell<HashMap<Id, Arc<Dispatch>>>,
    /// Every durable record below was offered to its lanes.
    fanned_out: Cell<Lsn>,
    /// Cursors of new lanes are not in the log yet: nothing may be accepted.
    cursors_owed: Cell<bool>,
    /// The position at which the cursors of idle lanes are renewed.
    sweep_at: Cell<Lsn>,
    /// Requests between their first byte and their answer.
    busy: Cell<usize>,
    draining: Cell<bool>,
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
    pub(crate) graveyard: Graveyard,
    pub(crate) pool: Pool,
}

impl Shard {
    /// A shard without routes.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { driver, config, address, metrics, stats, low_marks, log, graveyard, pool } = parts;
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
            graveyard,
            timers: Timers::default(),
            pool,
            table: RefCell::default(),
            lanes: RefCell::default(),
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
            self.log.append_cursors(self.now_ms())?;
            self.cursors_owed.set(false);
        }
        Ok(())
    }

    /// Puts a new configuration in force: from the next request on, and for
    /// every attempt that begins later.
    pub(crate) fn apply(self: &Rc<Self>, table: Arc<Table>) {
        let begun = Instant::now();
        let gone: Vec<Id> =
            self.lanes.borrow().keys().filter(|id| !table.triggers.contains_key(id)).copied().collect();
        for id in gone {
            if let Some(lane) = self.lanes.borrow_mut().remove(&id) {
                self.stats.borrow_mut().release(lane.route().stats_slot);
                lane.close();
            }
        }
        self.forget_cursors(&table);
        for (id, route) in &table.triggers {
            let known = self.lanes.borrow().get(id).cloned();
            match known {
                Some(lane) => lane.reconfigure(Arc::clone(route)),
                None => self.open_lane(*id, Arc::clone(route)),
            }
        }
        self.brokers.replace(
            table
                .brokers()
                .map(|route| &route.broker)
                .map(|broker| (broker.id, self.metrics.broker(&broker.namespace, &broker.name)))
                .collect(),
        );
        let generation = table.generation;
        self.metrics.applied(generation);
        *self.table.borrow_mut() = table;
        // A failure is repaid before the next event is accepted.
        let _ = self.may_accept();
        self.stats.borrow().applied(Generation(generation));
        tracing::debug!(generation, micros = begun.elapsed().as_micros() as u64, "configuration applied");
    }

    /// A trigger that is gone needs no place in the log; if it comes back, it
    /// starts anew.
    fn forget_cursors(&self, table: &Table) {
        for consumer in self.log.consumers() {
            if !table.triggers.contains_key(&Id(consumer)) {
                self.log.remove_cursor(consumer);
                self.cursors_owed.set(true);
            }
        }
    }

    fn open_lane(self: &Rc<Self>, id: Id, route: Arc<TriggerRoute>) {
        let stored = self.log.cursor(id.0);
        let cursor = stored.unwrap_or_else(|| {
            let cursor = Cursor { read: self.log.end(), pending: Vec::new() };
            self.log.update_cursor(id.0, cursor.clone());
            self.cursors_owed.set(true);
            cursor
        });
        let counters = self.counters(&route);
        let (namespace, name) = (&route.trigger.namespace, &route.trigger.name);
        let dispatch = self.metrics.trigger(namespace, name, route.broker_name());
        let lane = Rc::new(Lane::resume(route, cursor, self.lane_limits(), counters, dispatch));
        for (job, due_ms) in lane.recovered() {
            self.timers.add(due_ms, id, job);
        }
        self.lanes.borrow_mut().insert(id, Rc::clone(&lane));
        worker::kick(self, &lane);
    }

    fn counters(&self, route: &TriggerRoute) -> Counters {
        match self.stats.borrow_mut().claim(route.stats_slot, route.trigger.id) {
            Ok(counters) => counters,
            Err(error) => {
                tracing::error!("no shared memory for the counters of a trigger: {error}");
                exit::now(exit::OS_ERROR)
            }
        }
    }

    fn lane_limits(&self) -> LaneLimits {
        LaneLimits {
            parallelism: self.config.delivery.parallelism,
            queue_max: self.config.limits.queue_per_trigger,
            pending_max: self.config.limits.pending_per_trigger,
        }
    }

    /// Offers every event of a flush to the lanes it matched.
    pub(crate) fn fan_out(self: &Rc<Self>, flush_took: Duration) {
        let mut touched: Vec<Rc<Lane>> = Vec::new();
        let begin = self.fanned_out.get();
        let (mut at, mut events) = (begin, 0);
        while let Some(entry) = self.log.read(at) {
            at = entry.next;
            if entry.kind != EVENT {
                continue;
            }
            events += 1;
            let Ok(envelope) = Envelope::parse(&entry.body) else { continue };
            let lanes = self.lanes.borrow();
            for lane in envelope.matches().filter_map(|id| lanes.get(&id)) {
                lane.push(entry.lsn);
                if !touched.iter().any(|other| Rc::ptr_eq(other, lane)) {
                    touched.push(Rc::clone(lane));
                }
            }
        }
        let end = at.max(self.log.durable());
        self.fanned_out.set(end);
        self.metrics.flushed(events, end.0 - begin.0, flush_took);
        // Only now: a lane that reads the log itself must not overtake the loop
        // above.
        for lane in touched {
            worker::kick(self, &lane);
        }
    }

    /// Hands due retries back to their lanes, for as long as the shard runs.
    pub(crate) async fn run_timers(self: Rc<Self>) {
        let due = |id: Id, job| {
            let lane = self.lanes.borrow().get(&id).cloned();
            if let Some(lane) = lane {
                lane.push_due(job);
                worker::kick(&self, &lane);
            }
        };
        self.timers.run(clock::now_ms, due).await;
    }

    /// Stores progress, shows a heartbeat and tidies up, for as long as the
    /// shard runs.
    pub(crate) async fn run_housekeeping(self: Rc<Self>) {
        let mut reaped = Instant::now();
        loop {
            net::sleep(self.config.limits.cursor_flush_interval).await;
            self.store_cursors();
            self.publish_stats();
            if reaped.elapsed() > REAP_INTERVAL {
                self.pool.reap();
                reaped = Instant::now();
            }
        }
    }

    /// Puts the progress of every lane that moved into the log, and now and
    /// then that of the others, so that they do not hold old segments.
    pub(crate) fn store_cursors(&self) {
        let end = self.log.end();
        let sweep = end >= self.sweep_at.get();
        let mut changed = false;
        for lane in self.lanes.borrow().values() {
            if lane.take_changed() || sweep {
                self.log.update_cursor(lane.id.0, lane.cursor(self.fanned_out(), None));
                changed = true;
            }
        }
        if sweep {
            self.sweep_at.set(Lsn(end.0 + self.config.wal.segment_bytes / SWEEPS_PER_SEGMENT));
        }
        if changed && self.log.append_cursors(self.now_ms()).is_ok() {
            self.cursors_owed.set(false);
        }
    }

    fn publish_stats(&self) {
        self.stats.borrow().beat(self.now_ms());
        let mut low_marks = self.low_marks.lock().unwrap_or_else(PoisonError::into_inner);
        low_marks.clear();
        for lane in self.lanes.borrow().values() {
            low_marks.insert(lane.id, lane.oldest().unwrap_or(self.fanned_out()).0);
            lane.counters.set(Counter::InFlight, lane.in_flight() as u64);
            let lag_since = lane.oldest().and_then(|oldest| self.log.read(oldest)).map_or(0, |e| e.time_ms);
            lane.counters.set(Counter::LagEvents, lane.outstanding() as u64);
            lane.counters.set(Counter::LagSinceMs, lag_since);
        }
        let usage = self.log.usage();
        self.metrics.log_usage(usage.bytes, usage.max_bytes);
    }

    /// Ends the shard's work: answers what was begun, delivers nothing new,
    /// stores the progress. True if all of that was done before `deadline`.
    pub(crate) async fn drain(self: Rc<Self>, deadline: Instant) -> bool {
        self.draining.set(true);
        let in_time = loop {
            let in_flight: usize = self.lanes.borrow().values().map(|lane| lane.in_flight()).sum();
            if self.busy.get() == 0 && in_flight == 0 {
                break true;
            }
            if Instant::now() >= deadline {
                break false;
            }
            net::sleep(DRAIN_POLL).await;
        };
        for lane in self.lanes.borrow().values() {
            self.log.update_cursor(lane.id.0, lane.cursor(self.fanned_out(), None));
        }
        if self.log.append_cursors(self.now_ms()).is_ok() {
            let end = self.log.end();
            self.log.committed(Lsn(end.0.saturating_sub(1))).await;
        }
        in_time
    }
}

const REAP_INTERVAL: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Idle lanes renew their cursors this often per segment written, so that at
/// most a fraction of a segment is held for them.
const SWEEPS_PER_SEGMENT: u64 = 4;

/// A request that is under way.
pub(crate) struct Busy(Rc<Shard>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}
