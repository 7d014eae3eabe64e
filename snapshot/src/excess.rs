//! Limits on a snapshot as a whole, and which broker or trigger exceeds them.

use thiserror::Error;

use crate::codec;
use crate::limits::{BROKERS_MAX, SNAPSHOT_BYTES_MAX, TRIGGERS_MAX};
use crate::model::Snapshot;

/// A limit on the whole, exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("one configuration has at most {max} {what}")]
pub struct Excess {
    /// The limit.
    pub max: usize,
    /// Of what.
    pub what: &'static str,
    /// The first that is too much.
    pub first: Member,
}

/// A broker or trigger, by its place in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Of [`Snapshot::brokers`].
    Broker(usize),
    /// Of [`Snapshot::triggers`].
    Trigger(usize),
}

impl Snapshot {
    /// The first limit on the whole that it exceeds. Costs as much as encoding it.
    pub fn excess(&self) -> Option<Excess> {
        self.excess_of_count().or_else(|| self.excess_of_bytes())
    }

    pub(crate) fn excess_of_count(&self) -> Option<Excess> {
        if self.brokers.len() > BROKERS_MAX {
            Some(Excess { max: BROKERS_MAX, what: "brokers", first: Member::Broker(BROKERS_MAX) })
        } else if self.triggers.len() > TRIGGERS_MAX {
            Some(Excess { max: TRIGGERS_MAX, what: "triggers", first: Member::Trigger(TRIGGERS_MAX) })
        } else {
            None
        }
    }

    pub(crate) fn excess_of_bytes(&self) -> Option<Excess> {
        let first = codec::first_beyond(self, SNAPSHOT_BYTES_MAX)?;
        Some(Excess { max: SNAPSHOT_BYTES_MAX, what: "bytes of brokers and triggers", first })
    }
}
