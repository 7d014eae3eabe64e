//! Who has how many connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crossbeam::utils::CachePadded;

/// Open connections of every shard. Counts steer and never decide: a stale one
/// costs some balance.
#[derive(Clone)]
pub(crate) struct Census(Arc<[CachePadded<AtomicUsize>]>);

impl Census {
    /// Nothing open on any of `shards`.
    pub(crate) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| CachePadded::default()).collect())
    }

    /// One more on `shard`.
    pub(super) fn enter(&self, shard: usize) -> Member {
        self.0[shard].fetch_add(1, Relaxed);
        Member(self.clone(), shard)
    }

    /// The shard that should serve a connection accepted by `shard`.
    pub(super) fn choose(&self, shard: usize) -> usize {
        let load = |index: usize| self.0[index].load(Relaxed);
        let least = (0..self.0.len()).min_by_key(|index| load(*index)).unwrap_or(shard);
        if load(least) < load(shard) { least } else { shard }
    }

    /// Open connections of one shard.
    pub(crate) fn of(&self, shard: usize) -> usize {
        self.0[shard].load(Relaxed)
    }
}

/// One open connection in the count.
pub(crate) struct Member(Census, usize);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.0[self.1].fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_are_spread_evenly_wherever_they_arrive() {
        let census = Census::new(3);
        let mut members = Vec::new();
        for _ in 0..7 {
            let chosen = census.choose(0);
            members.push(census.enter(chosen));
        }
        let mut loads: Vec<_> = (0..3).map(|index| census.of(index)).collect();
        loads.sort_unstable();
        assert_eq!(loads, [2, 2, 3]);
        members.clear();
        assert_eq!((0..3).map(|index| census.of(index)).sum::<usize>(), 0);
    }
}
