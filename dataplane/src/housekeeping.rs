//! What a shard does beside the path of events: due retries, stored progress,
//! statistics, and the end.

use std::{
    rc::Rc,
    sync::PoisonError,
    time::{Duration, Instant},
};

use eagre_snapshot::{Counter, Id};
use eagre_wal::Lsn;

use crate::{
    clock,
    delivery::{lane::Lane, worker},
    net,
    shard::Shard,
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
        self.metrics.log_usage(usage.bytes, usage.max_bytes);
        let frees = || self.low_mark() >= Lsn(usage.first.0 + self.config.wal.segment_bytes);
        let sweep = usage.end >= self.sweep_at.get() || (usage.shortage.is_some() && frees());
        if sweep {
            self.update_every_cursor();
            self.sweep_at.set(Lsn(usage.end.0 + self.config.wal.segment_bytes));
        }
        let changed = std::mem::take(&mut *self.changes.borrow_mut());
        let lanes = self.lanes.borrow();
        for lane in changed.iter().filter_map(|id| lanes.get(id)) {
            lane.seen();
            self.log.update_cursor(lane.id.0, lane.cursor(self.fanned_out(), None));
            self.publish_gauges(lane);
        }
        // What does not fit now is stored with a later call; until then a
        // restart delivers again what was delivered meanwhile.
        let moved = sweep || !changed.is_empty();
        if moved && self.log.append_cursors(self.now_ms()).is_ok() {
            self.cursors_owed.set(false);
        }
    }

    /// Every event below is finished for every trigger.
    fn low_mark(&self) -> Lsn {
        let lanes = self.lanes.borrow();
        lanes.values().filter_map(|lane| lane.oldest()).min().unwrap_or(self.fanned_out())
    }

    fn update_every_cursor(&self) {
        for lane in self.lanes.borrow().values() {
            self.log.update_cursor(lane.id.0, lane.cursor(self.fanned_out(), None));
        }
    }

    fn publish_gauges(&self, lane: &Lane) {
        let oldest = lane.oldest();
        let lag_since_ms = oldest.and_then(|oldest| self.log.read(oldest)).map_or(0, |entry| entry.time_ms);
        lane.counters.set(Counter::InFlight, lane.in_flight() as u64);
        lane.counters.set(Counter::LagEvents, lane.outstanding() as u64);
        lane.counters.set(Counter::LagSinceMs, lag_since_ms);
        let mut low_marks = self.low_marks.lock().unwrap_or_else(PoisonError::into_inner);
        low_marks.insert(lane.id, oldest.unwrap_or(self.fanned_out()).0);
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
        if self.log.append_cursors(self.now_ms()).is_ok() {
            self.log.all_committed(self.config.wal.fsync).await;
        }
        in_time
    }
}

const REAP_INTERVAL: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(5);
