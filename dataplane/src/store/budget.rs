//! What one turn of the shard's loop may read.

use crate::canary::{Canary, planted};

/// Work that is left for this turn. Every reader of logs takes from one, so that
/// nobody waits long for a neighbour's work, whatever the size of its events.
#[derive(Debug)]
pub(crate) struct Budget {
    records: usize,
    bytes: usize,
}

impl Budget {
    /// A turn's worth: a millisecond or so, at the worst.
    pub(crate) fn turn() -> Self {
        #[cfg(feature = "simulation")]
        if let Some(world) = crate::runtime::world::current() {
            let (records, bytes) = world.turn_budget();
            return Self { records, bytes };
        }
        Self { records: crate::limits::store::TURN_RECORDS, bytes: crate::limits::store::TURN_BYTES }
    }

    /// Takes one record of `bytes`. The last one may exceed what is left: the
    /// largest event is read in one turn, too.
    pub(super) fn take(&mut self, bytes: usize) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Nothing more in this turn.
    pub(crate) fn is_spent(&self) -> bool {
        (self.records == 0 || self.bytes == 0) && !planted(Canary::TurnUnbounded)
    }
}
