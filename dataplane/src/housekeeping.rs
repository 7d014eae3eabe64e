//! What a shard does beside the path of events: due retries, stored progress,
//! statistics, and the end.

use std::{
    rc::Rc,
    sync::PoisonError,
    time::{Duration, Instant},
};

use eagre_snapshot::{Counter, Id};
use eagre_wal::{Fsync, Lsn};
use hashbrown::HashMap;

use crate::{
    backlog::{self, Backlog, MovedEvent},
    clock,
    delivery::{lane::Lane, worker},
    metrics::BacklogRow,
    net,
    shard::Shard,
    tuning::log_fsync,
};

impl Shard {
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
            self.record_progress();
            self.stats.borrow().beat(self.now_ms());
            if reaped.elapsed() > REAP_INTERVAL {
                self.pool.reap();
                reaped = Instant::now();
            }
        }
    }

    /// Puts the progress of every lane that moved into the log, and now and
    /// then that of the others, so that they do not hold old segments.
    fn record_progress(&self) {
        let usage = self.log.usage();
        self.metrics.log_usage(&usage);
        let frees = || self.low_mark() >= Lsn(usage.first.0 + self.config.wal.segment_bytes);
        let sweep = usage.end >= self.sweep_at.get() || (usage.shortage.is_some() && frees());
        let is_stored = self.store_progress(sweep);
        self.tend_backlogs(is_stored);
    }

    /// Puts the progress of every lane that moved into the log, or of all. What
    /// does not fit now is stored with a later call, and the answer is no; until
    /// then a restart delivers again what was delivered meanwhile.
    pub(crate) fn store_progress(&self, of_all: bool) -> bool {
        let changed = std::mem::take(&mut *self.changes.borrow_mut());
        if of_all {
            self.update_every_cursor();
            self.sweep_at.set(Lsn(self.log.end().0 + self.config.wal.segment_bytes));
        }
        let lanes = self.lanes.borrow();
        for lane in changed.iter().filter_map(|id| lanes.get(id)) {
            lane.seen();
            self.update_cursors(lane);
            self.publish_gauges(lane);
        }
        let is_stored = self.log.append_cursors(self.now_ms(), log_fsync(self.config.wal.fsync)).is_ok();
        if is_stored {
            self.cursors_owed.set(false);
        }
        is_stored
    }

    fn update_cursors(&self, lane: &Lane) {
        self.log.update_cursor(lane.id.0, lane.cursor(self.fanned_out(), None));
        lane.retire_moved();
        match lane.moved_cursor(None) {
            Some(cursor) => self.log.update_cursor_elsewhere(backlog::consumer(lane.id), cursor),
            None => self.log.remove_cursor(backlog::consumer(lane.id)),
        }
    }

    fn update_every_cursor(&self) {
        for lane in self.lanes.borrow().values() {
            self.update_cursors(lane);
        }
    }

    /// Every event below is finished for every trigger, or moved.
    pub(crate) fn low_mark(&self) -> Lsn {
        let lanes = self.lanes.borrow();
        lanes.values().filter_map(|lane| lane.oldest()).min().unwrap_or(self.fanned_out())
    }

    /// Lets backlogs go of what their triggers have read, and judges each
    /// against its quota.
    fn tend_backlogs(&self, progress_is_stored: bool) {
        self.metrics.backlog_usage(self.backlogs.bytes(), self.backlogs.max_bytes());
        let backlogs = self.backlogs.all();
        if backlogs.is_empty() {
            return;
        }
        if progress_is_stored {
            self.release_backlogs(&backlogs);
        }
        let table = self.table();
        let rows = table.brokers().filter_map(|route| {
            let backlog = self.backlogs.get(route.broker.id)?;
            let max_bytes = self.backlog_quota(route);
            let (used_bytes, over_quota) = backlog.judge(max_bytes);
            let (namespace, name) = (route.broker.namespace.clone(), route.broker.name.clone());
            Some(BacklogRow { namespace, name, used_bytes, max_bytes, over_quota })
        });
        self.metrics.set_backlogs(rows.collect());
    }

    fn release_backlogs(&self, backlogs: &[(Id, Rc<Backlog>)]) {
        let mut low_of: HashMap<Id, Lsn> = HashMap::new();
        for lane in self.lanes.borrow().values() {
            if let Some(cursor) = lane.moved_cursor(None) {
                let low = low_of.entry(lane.route().trigger.broker).or_insert(Lsn::MAX);
                *low = cursor.low().min(*low);
            }
        }
        let positions = (self.log.end(), self.log.durable_as(Fsync::Always));
        for (broker, backlog) in backlogs {
            let low = low_of.get(broker).copied().unwrap_or(backlog.end());
            backlog.release(low, positions);
        }
    }

    fn publish_gauges(&self, lane: &Lane) {
        let (oldest, since_ms) = self.oldest_of(lane);
        lane.counters.set(Counter::InFlight, lane.in_flight() as u64);
        lane.counters.set(Counter::LagEvents, lane.outstanding() as u64);
        lane.counters.set(Counter::LagSinceMs, since_ms);
        let mut low_marks = self.low_marks.lock().unwrap_or_else(PoisonError::into_inner);
        low_marks.insert(lane.id, oldest.unwrap_or(self.fanned_out()).0);
    }

    /// The oldest event that a lane has not finished, and when it was accepted.
    fn oldest_of(&self, lane: &Lane) -> (Option<Lsn>, u64) {
        let moved = lane.moved_cursor(None).and_then(|cursor| {
            let entry = self.backlogs.get(lane.route().trigger.broker)?.log.read(cursor.low())?;
            MovedEvent::parse(&entry)
        });
        if let Some(event) = moved {
            return (Some(event.source), event.time_ms);
        }
        let oldest = lane.oldest();
        (oldest, oldest.and_then(|oldest| self.log.read(oldest)).map_or(0, |entry| entry.time_ms))
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
        self.update_every_cursor();
        if self.log.append_cursors(self.now_ms(), log_fsync(self.config.wal.fsync)).is_ok() {
            self.log.all_committed(log_fsync(self.config.wal.fsync)).await;
        }
        in_time
    }
}

const REAP_INTERVAL: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(5);
