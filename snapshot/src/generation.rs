//! Numbering of snapshots.

use std::fmt;

/// The number of a published snapshot: 1 is the first, 0 is "none yet". It
/// only grows, also across restarts of the publisher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

impl Generation {
    /// Before the first snapshot.
    pub const NONE: Generation = Generation(0);
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
