//! What goes in: accepted events and replies.

use eagre_wal::{AppendError, Full, Kind};

use super::{Progress, Scratch, Store, Stored, envelope::EVENT};
use crate::{
    canary::{Canary, planted},
    config::table::BrokerRoute,
    runtime::time::unix_ms,
};
use eagre_snapshot::Id;

/// Why nothing is taken in now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRoom {
    /// What the broker's triggers still need fills its backlog.
    #[error("the broker's backlog is full")]
    OverQuota,
    /// The log, or the disk under it, is full; it passes by itself.
    #[error(transparent)]
    Full(AppendError),
    /// A segment is being made, or the process is short of what one takes; it
    /// passes in a moment.
    #[error(transparent)]
    NotNow(AppendError),
    /// It never fits.
    #[error(transparent)]
    TooLarge(AppendError),
}

impl NoRoom {
    /// Contract 1.2 and design section 5, for posted events and replies alike.
    pub(crate) const OVER_QUOTA: u16 = 429;
    pub(crate) const FULL: u16 = 503;
    pub(crate) const TOO_LARGE: u16 = 413;

    /// The status that tells of it.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::OverQuota => Self::OVER_QUOTA,
            Self::Full(_) | Self::NotNow(_) => Self::FULL,
            Self::TooLarge(_) => Self::TOO_LARGE,
        }
    }
}

impl From<AppendError> for NoRoom {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::TooLarge { .. } => Self::TooLarge(error),
            AppendError::Full(Full::Preparing | Full::Pending | Full::NoResources(_)) => Self::NotNow(error),
            _ => Self::Full(error),
        }
    }
}

/// The right to append events of one broker, given when there was room.
pub(crate) struct Acceptance<'s> {
    store: &'s Store,
    broker: &'s BrokerRoute,
}

impl Store {
    /// Whether events of `broker` may be taken in. Replies are not asked: to
    /// refuse them would keep those triggers behind that have to catch up.
    pub(crate) fn accept<'s>(&'s self, broker: &'s BrokerRoute) -> Result<Acceptance<'s>, NoRoom> {
        if self.backlogs.is_over_quota(broker.broker.id) {
            return Err(NoRoom::OverQuota);
        }
        // What room is left is for what leads to more room.
        if let Some(shortage) = self.log.shortage() {
            return Err(AppendError::from(shortage).into());
        }
        self.repay_cursors()?;
        Ok(Acceptance { store: self, broker })
    }

    /// Appends a reply, in `scratch` and `body`, together with the progress of the
    /// trigger whose delivery led to it: after a crash both are there, or neither.
    /// A trigger that is gone has no progress; its reply is an event all the same.
    pub(crate) fn append_reply(
        &self,
        scratch: &mut Scratch,
        broker: &BrokerRoute,
        body: &[u8],
        trigger: Id,
        progress: &Progress,
    ) -> Result<Stored, NoRoom> {
        let fsync = self.fsync(broker);
        let parts = scratch.judged(broker, body);
        let Ok(consumers) = self.parts_of(trigger, progress) else {
            return Ok(self.log.append(EVENT, unix_ms(), fsync, &parts)?);
        };
        let consumers: Vec<_> = consumers.iter().map(|part| (part.consumer, part.progress())).collect();
        Ok(self.log.append_with_progress(unix_ms(), fsync, &consumers, (EVENT, &parts))?)
    }

    /// Resolves when it is durable as its broker wants it. There is no failure to
    /// report: if it cannot become durable, the process ends.
    pub(crate) async fn stored(&self, stored: Stored) {
        if planted(Canary::AckAtOnce) {
            return;
        }
        self.log.committed(stored).await;
    }
}

impl Acceptance<'_> {
    /// Puts the event in `scratch` and `body` into the next batch.
    pub(crate) fn append(self, scratch: &mut Scratch, body: &[u8]) -> Result<Stored, NoRoom> {
        let fsync = self.store.fsync(self.broker);
        let parts = scratch.judged(self.broker, body);
        Ok(self.store.log.append(EVENT, unix_ms(), fsync, &parts)?)
    }

    /// Puts rendered events into the next batch, all or none, and gives the last;
    /// `None` if there are none.
    pub(crate) fn append_batch(self, records: &[Vec<u8>]) -> Result<Option<Stored>, NoRoom> {
        if records.is_empty() {
            if planted(Canary::EmptyBatchWaits) {
                return Ok(Some(Stored { lsn: eagre_wal::Lsn::MAX, fsync: self.store.fsync(self.broker) }));
            }
            return Ok(None);
        }
        let parts: Vec<[&[u8]; 1]> = records.iter().map(|record| [record.as_slice()]).collect();
        let group: Vec<(Kind, &[&[u8]])> = parts.iter().map(|parts| (EVENT, &parts[..])).collect();
        Ok(Some(self.store.log.append_group(unix_ms(), self.store.fsync(self.broker), &group)?))
    }
}
