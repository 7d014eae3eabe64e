//! Positions. Each says by its type which log it belongs to: one of a backlog
//! can never be stored, compared or read as one of the shard's log.

use std::fmt;

use eagre_snapshot::Id;
use eagre_wal::Lsn;

/// A position in the shard's log. That of an event is the event's identity on
/// the shard for as long as a trigger needs it, also when it was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Offset(pub(super) Lsn);

impl Offset {
    /// As a number, for displays.
    pub(crate) fn get(self) -> u64 {
        self.0.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position in the backlog of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BacklogPosition {
    pub(super) broker: Id,
    pub(super) at: Lsn,
}

impl BacklogPosition {
    /// Behind what lies here.
    pub(crate) fn after(self) -> Self {
        Self { at: self.at + 1, ..self }
    }

    /// Whose backlog it is.
    pub(crate) fn broker(self) -> Id {
        self.broker
    }
}

impl fmt::Display for BacklogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of backlog {}", self.at, self.broker)
    }
}
