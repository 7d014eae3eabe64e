//! Letting go: what nobody needs any more, once it is known who there is.

use std::rc::Rc;

use eagre_snapshot::Id;
use eagre_wal::{Cursor, Fsync};

use super::{Offset, Store, backlog::Backlog};
use crate::{
    canary::{Canary, planted},
    config::table::{BrokerRoute, Table},
    runtime::{disk, task},
};

/// What the log and the backlogs take of the disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) log_bytes: u64,
    pub(crate) log_bytes_max: u64,
    /// Of the log, kept for readers of the past.
    pub(crate) retained_bytes: u64,
    pub(crate) backlogs_bytes: u64,
    pub(crate) backlogs_bytes_max: u64,
}

/// The backlog of one broker.
pub(crate) struct BacklogUsage<'t> {
    pub(crate) broker: &'t BrokerRoute,
    pub(crate) used_bytes: u64,
    pub(crate) max_bytes: u64,
    pub(crate) over_quota: bool,
}

impl Store {
    /// What is taken of the disk.
    pub(crate) fn usage(&self) -> Usage {
        let log = self.log.usage();
        Usage {
            log_bytes: log.bytes,
            log_bytes_max: log.max_bytes,
            retained_bytes: log.retained_bytes,
            backlogs_bytes: self.backlogs.bytes(),
            backlogs_bytes_max: self.backlogs.max_bytes(),
        }
    }

    /// Progress of idle triggers holds the log: they are done with everything
    /// below `low_mark`, and their stored progress does not say so. True once a
    /// segment, or while space is short.
    pub(crate) fn wants_all_progress(&self, low_mark: impl FnOnce() -> Offset) -> bool {
        let usage = self.log.usage();
        let segment_bytes = self.settings.log.segment_bytes;
        let frees = || low_mark().0.0 >= usage.first.0 + segment_bytes;
        usage.end.0 >= self.swept_at.get() + segment_bytes || (usage.shortage.is_some() && frees())
    }

    /// The progress of every trigger was recorded.
    pub(crate) fn recorded_all(&self) {
        self.swept_at.set(self.log.end().0);
    }

    /// Lets the backlogs go of what their triggers have finished, after progress
    /// was stored. Every lane has read the shard's log up to `read_mark`.
    pub(crate) fn release_backlogs(self: &Rc<Self>, read_mark: impl Fn() -> Offset) {
        if !self.in_force.everywhere() {
            return;
        }
        let positions = (self.log.end(), self.log.durable_as(Fsync::Always));
        for backlog in self.backlogs.all() {
            let mut low = None;
            backlog.readers.borrow_mut().retain(|reader| {
                let is_known = self.is_registered(*reader) || !planted(Canary::ReleaseBeforeConfiguration);
                let cursor = self.backlog_cursor(&backlog, *reader).filter(|_| is_known);
                low = low.into_iter().chain(cursor.as_ref().map(Cursor::low)).min();
                cursor.is_some()
            });
            let is_registered = |trigger| self.is_registered(trigger) || planted(Canary::StrangersForgotten);
            backlog.release(low, positions, is_registered);
            // That it was moved is told by the backlog: who reads it in the shard's log
            // later would take it for not yet delivered.
            if backlog.is_done(positions)
                && backlog.has_taken_nothing_from(read_mark())
                && self.unregistered().is_empty()
            {
                self.retire(&backlog);
            }
        }
        // What stands behind the progress may have asked for less than the disk: then
        // nobody else has it synced.
        let (_, synced) = positions;
        let waits = self.backlogs.all().iter().any(|backlog| backlog.waits_for_more_than(synced));
        if waits && !planted(Canary::QuotaForGood) {
            _ = self.log.sync();
        }
    }

    /// Compares what the backlog of each broker holds with its quota.
    pub(crate) fn judge_backlogs<'t>(&self, table: &'t Table) -> Vec<BacklogUsage<'t>> {
        if self.backlogs.is_empty() {
            return Vec::new();
        }
        let judged = table.brokers().filter_map(|broker| {
            let backlog = self.backlogs.get(broker.broker.id)?;
            let max_bytes = self.quota(broker);
            let (used_bytes, over_quota) = backlog.judge(max_bytes);
            Some(BacklogUsage { broker, used_bytes, max_bytes, over_quota })
        });
        judged.collect()
    }

    /// Everything that was appended to the shard's log is on the disk, whatever
    /// durability it asked for.
    pub(crate) async fn settle_log(&self) {
        self.log.settled().await;
    }

    /// The same of everything that was appended.
    pub(crate) async fn settle(&self) {
        if planted(Canary::StopWithoutSync) {
            return;
        }
        self.settle_log().await;
        for backlog in self.backlogs.all() {
            backlog.log.settled().await;
        }
        self.dead_letters.settled().await;
    }

    /// Bytes that the backlog of `broker` may hold on this shard.
    fn quota(&self, broker: &BrokerRoute) -> u64 {
        let quota = broker.broker.settings.backlog_bytes_max;
        quota.unwrap_or(self.settings.backlog_bytes_max_per_broker) / self.settings.shards
    }

    /// Removes a backlog that nobody needs.
    fn retire(self: &Rc<Self>, backlog: &Rc<Backlog>) {
        let broker = backlog.broker;
        self.backlogs.remove(backlog);
        self.removing.set(true);
        let (store, log) = (Rc::clone(self), Rc::clone(&backlog.log));
        task::spawn(async move {
            store.remove_log(broker, log).await;
            store.removing.set(false);
        });
    }

    async fn remove_log(&self, broker: Id, mut log: Rc<super::commit::CommitLog>) {
        // Its flush ends by itself, and a task that holds the backlog lets go with
        // its turn.
        let log = loop {
            match Rc::try_unwrap(log) {
                Ok(log) => break log,
                Err(held) => log = held,
            }
            task::next_turn().await;
        };
        let directory = self.backlogs.log_directory(broker);
        let log = log.into_inner();
        let removed = task::blocking(move || {
            drop(log);
            disk::remove_log(&directory)
        });
        let failure = match removed.await {
            Ok(Ok(())) => return tracing::debug!(%broker, "a backlog that is done was removed"),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(%broker, "a backlog that is done stays until the next start: {failure}");
    }
}
