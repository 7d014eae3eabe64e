//! What a shard does beside the path of events: progress is stored, what is done
//! is released, figures are shown.

use std::{rc::Rc, sync::PoisonError, time::Duration};

use super::Shard;
use crate::{delivery::LaneView, metrics::BacklogRow, runtime::time};

impl Shard {
    /// For as long as the shard runs.
    pub(super) async fn run_housekeeping(self: Rc<Self>) {
        let mut reap_at = time::now() + REAP_INTERVAL;
        loop {
            time::sleep(self.config.limits.cursor_flush_interval).await;
            self.store_progress(false);
            self.show_usage();
            self.close_expired();
            if time::now() >= reap_at {
                self.dispatcher.reap();
                reap_at = time::now() + REAP_INTERVAL;
            }
        }
    }

    /// Stores the progress of the lanes that moved, and now and then that of the
    /// others, so that they do not hold old segments. Then lets go of what is
    /// done.
    pub(super) fn store_progress(&self, of_all: bool) {
        let of_all = of_all || self.store.wants_all_progress(|| self.dispatcher.low_mark());
        self.dispatcher.record(of_all, |lane| self.show(&lane));
        if self.store.store_progress() {
            self.store.release_backlogs(|| self.dispatcher.read_mark());
        }
    }

    pub(super) fn close_expired(&self) {
        self.dispatcher.close_expired(|trigger| {
            self.low_marks.lock().unwrap_or_else(PoisonError::into_inner).remove(&trigger);
        });
    }

    fn show(&self, lane: &LaneView) {
        lane.publish();
        let mut low_marks = self.low_marks.lock().unwrap_or_else(PoisonError::into_inner);
        low_marks.insert(lane.trigger, lane.low_mark.get());
    }

    fn show_usage(&self) {
        let usage = self.store.usage();
        self.metrics.log_usage(usage.log_bytes, usage.log_bytes_max, usage.retained_bytes);
        self.metrics.backlog_usage(usage.backlogs_bytes, usage.backlogs_bytes_max);
        let table = self.routes.table();
        let rows = self.store.judge_backlogs(&table).into_iter().map(|usage| BacklogRow {
            namespace: usage.broker.broker.namespace.clone(),
            name: usage.broker.broker.name.clone(),
            used_bytes: usage.used_bytes,
            max_bytes: usage.max_bytes,
            over_quota: usage.over_quota,
        });
        self.metrics.set_backlogs(rows.collect());
    }
}

const REAP_INTERVAL: Duration = Duration::from_secs(10);
