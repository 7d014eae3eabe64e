//! The bytes that requests hold which are not stored yet, of all shards of the
//! process together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A bound on those bytes. Counted is what has arrived, not what was announced:
/// a slow producer holds no more than it has sent.
#[derive(Clone)]
pub(crate) struct Bodies {
    held: Arc<AtomicUsize>,
    max: usize,
}

impl Bodies {
    /// For at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { held: Arc::default(), max }
    }

    /// Bytes that all requests hold together.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// A request that holds nothing yet.
    pub(super) fn begin(&self) -> Held {
        Held { bodies: self.clone(), bytes: 0 }
    }
}

/// What one request holds; given back when it is dropped.
pub(super) struct Held {
    bodies: Bodies,
    bytes: usize,
}

impl Held {
    /// The request holds `bytes` by now, of which the first `FREE_BYTES` are every
    /// connection's own. False if all requests together would hold too much; then
    /// it holds what it held.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(FREE_BYTES);
        let more = wanted.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let grown = self.bodies.held.fetch_update(Relaxed, Relaxed, |held| {
            held.checked_add(more).filter(|held| *held <= self.bodies.max)
        });
        if grown.is_ok() {
            self.bytes = wanted;
        }
        grown.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Relaxed);
    }
}

/// Every connection has buffers of this size in any case; their number is
/// bounded by that of the connections.
const FREE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room_and_small_requests_need_none() {
        let bodies = Bodies::new(100);
        let (mut one, mut two, mut small) = (bodies.begin(), bodies.begin(), bodies.begin());
        assert!(one.grow(FREE_BYTES + 60) && one.grow(FREE_BYTES + 80));
        assert!(!two.grow(FREE_BYTES + 30) && two.grow(FREE_BYTES + 20));
        assert!(small.grow(FREE_BYTES) && !small.grow(FREE_BYTES + 1));
        drop(one);
        assert!(two.grow(FREE_BYTES + 100) && !small.grow(FREE_BYTES + 1));
        drop(two);
        assert_eq!(bodies.held(), 0);
    }
}
