//! Counters, gauges and histograms with one writer and any number of readers.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A number that only grows. Only one thread may add to it: addition is a load and a
/// store, so that no bus lock is taken.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that is set.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicU64);

impl Gauge {
    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of Knative's durations (contract 5.1), in nanoseconds.
pub(super) const DISPATCH_NS: &[u64; 14] = &[
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// Upper bounds of a log flush, in nanoseconds: a good disk takes tens of microseconds,
/// a bad one tens of milliseconds.
pub(super) const FLUSH_NS: &[u64; 14] = &[
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

/// Upper bounds of how late a shard comes to what is due, nanoseconds.
pub(super) const LATENESS_NS: &[u64; 14] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    150_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    50_000_000,
    250_000_000,
    1_000_000_000,
];

/// Upper bounds of the records of one flush.
pub(super) const FLUSH_RECORDS: &[u64; 14] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

const BOUNDS: usize = DISPATCH_NS.len();

/// A histogram of fixed buckets, written by one thread.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [u64; BOUNDS],
    /// Observations up to each bound and above the one before; the last has no bound.
    buckets: [Counter; BOUNDS + 1],
    sum: Counter,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self { bounds, buckets: Default::default(), sum: Counter::default() }
    }

    /// Counts one observation, in the unit of the bounds.
    pub(super) fn observe(&self, value: u64) {
        self.buckets[self.bounds.partition_point(|bound| *bound < value)].add(1);
        self.sum.add(value);
    }

    pub(super) fn read(&self) -> Reading {
        let buckets = std::array::from_fn(|i| self.buckets[i].get());
        Reading { bounds: self.bounds, buckets, sum: self.sum.get() }
    }
}

/// What a histogram held when it was read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub bounds: &'static [u64; BOUNDS],
    pub buckets: [u64; BOUNDS + 1],
    pub sum: u64,
}

impl Reading {
    /// Adds another reading of the same bounds.
    pub(super) fn merge(&mut self, other: &Reading) {
        debug_assert!(std::ptr::eq(self.bounds, other.bounds));
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }
}

/// Durations by response status: a histogram for each status seen, up to
/// [`Dispatch::STATUSES_MAX`] of them; further ones share one, so that no peer can grow
/// it. Written by one thread.
#[derive(Debug, Default)]
pub struct Dispatch {
    by_status: [OnceLock<Box<(u16, Histogram)>>; Dispatch::STATUSES_MAX],
    others: OnceLock<Box<Histogram>>,
}

impl Dispatch {
    /// Statuses told apart. More than the ingress answers.
    pub const STATUSES_MAX: usize = 20;

    /// The status of an exchange without a response.
    pub(super) const NO_RESPONSE: u16 = 0;
    /// Stands for the statuses beyond [`Dispatch::STATUSES_MAX`].
    pub(super) const OTHERS: u16 = u16::MAX;

    /// Counts one exchange; `status` is `None` where no response came.
    pub fn record(&self, status: Option<u16>, took: Duration) {
        let status = status.unwrap_or(Self::NO_RESPONSE);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        for slot in &self.by_status {
            let (of, histogram) = &**slot.get_or_init(|| Box::new((status, Histogram::new(DISPATCH_NS))));
            if *of == status {
                return histogram.observe(ns);
            }
        }
        self.others.get_or_init(|| Box::new(Histogram::new(DISPATCH_NS))).observe(ns);
    }

    /// Every status seen, with its durations.
    pub(super) fn read(&self) -> impl Iterator<Item = (u16, Reading)> {
        let known = self.by_status.iter().map_while(OnceLock::get).map(|slot| (slot.0, slot.1.read()));
        known.chain(self.others.get().map(|histogram| (Self::OTHERS, histogram.read())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::new(FLUSH_RECORDS);
        for value in [0, 1, 2, 3, 4, 8192, 8193] {
            histogram.observe(value);
        }
        let read = histogram.read();
        assert_eq!(read.buckets[..3], [2, 1, 2]);
        assert_eq!(read.buckets[BOUNDS - 1..], [1, 1]);
        assert_eq!(read.sum, 16_395);
    }

    #[test]
    fn a_subscriber_cannot_grow_the_number_of_series() {
        let dispatch = Dispatch::default();
        for status in 200..400 {
            dispatch.record(Some(status), Duration::from_millis(1));
        }
        dispatch.record(Some(200), Duration::from_millis(1));
        let read: Vec<_> = dispatch.read().collect();
        assert_eq!(read.len(), Dispatch::STATUSES_MAX + 1);
        assert_eq!(read[0].1.buckets[0], 2);
        assert_eq!(read.last().unwrap().0, Dispatch::OTHERS);
        assert_eq!(read.last().unwrap().1.buckets[0], 200 - Dispatch::STATUSES_MAX as u64);
    }
}
