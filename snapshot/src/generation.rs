//! Numbering of snapshots.

use std::fmt;

/// A published snapshot: whose, and its number there.
///
/// A publisher is a directory's control page, for as long as that is the same:
/// it survives restarts of the control plane. Numbers only grow with one
/// publisher, and tell nothing about those of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Drawn at random when the control page is made; 0 where it is not told.
    pub publisher: u64,
    /// 1 is the first, 0 is "none yet".
    pub number: u64,
}

impl Generation {
    /// Before the first snapshot.
    pub const NONE: Generation = Generation { publisher: 0, number: 0 };

    /// Whether whoever is at this one need not wait for `other` any more: it is
    /// the same, or a later one of the same publisher.
    pub fn has_reached(self, other: Generation) -> bool {
        let same = self.publisher == other.publisher || self.publisher == 0 || other.publisher == 0;
        same && self.number >= other.number
    }
}

/// The number alone: there is one publisher at a time.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
