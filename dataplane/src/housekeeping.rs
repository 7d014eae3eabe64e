//! What a shard does beside the path of events: due retries, stored progress,
//! statistics, and the end.

use std::{
    rc::Rc,
    sync::PoisonError,
    time::{Duration, Instant},
};

use eagre_snapshot::{Counter, Id};
use eagre_wal::Lsn;

use crate::{clock, delivery::worker, net, shard::Shard};

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
        let (mut reaped, mut published) = (Instant::now(), Instant::now());
        loop {
            net::sleep(self.config.limits.cursor_flush_interval).await;
            self.store_cursors();
            if published.elapsed() > STATS_INTERVAL {
                self.publish_stats();
                published = Instant::now();
            }
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

/// Gauges are renewed this often: with 10,000 triggers one round takes about a
/// millisecond.
const STATS_INTERVAL: Duration = Duration::from_millis(200);
const REAP_INTERVAL: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Idle lanes renew their cursors this often per segment written, so that at
/// most a fraction of a segment is held for them.
const SWEEPS_PER_SEGMENT: u64 = 4;
