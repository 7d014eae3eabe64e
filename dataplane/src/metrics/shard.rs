//! The numbers of one shard.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::instrument::{Counter, Dispatch, FLUSH_NS, FLUSH_RECORDS, Gauge, Histogram, LATENESS_NS};

/// What one shard counts. Its own thread writes, anyone reads. Aligned so that no two
/// shards share a cache line, nor the pair of lines that is fetched together.
#[derive(Debug)]
#[repr(align(128))]
pub struct ShardMetrics {
    pub(super) requests: Dispatch,
    pub(super) events: Counter,
    pub(super) bytes: Counter,
    pub(super) refused: [Counter; Refused::ALL.len()],
    pub(super) opened: Counter,
    pub(super) closed: Counter,
    pub(super) accept_pauses: Counter,
    pub(super) delivery_pauses: Counter,
    pub(super) given_up_triggers: Counter,
    pub(super) given_up_events: Counter,
    pub(super) ignored_replies: [Counter; IgnoredReply::ALL.len()],
    pub(super) flush_duration: Histogram,
    pub(super) flush_records: Histogram,
    pub(super) lateness: Histogram,
    pub(super) flush_bytes: Counter,
    pub(super) log_used_bytes: Gauge,
    pub(super) log_max_bytes: Gauge,
    pub(super) log_retained_bytes: Gauge,
    pub(super) backlog_used_bytes: Gauge,
    pub(super) backlog_max_bytes: Gauge,
    pub(super) moved_events: Counter,
    pub(super) moved_bytes: Counter,
    backlogs: Mutex<Vec<BacklogRow>>,
    pub(super) generation: Gauge,
    pub(super) brokers: Series,
    pub(super) triggers: Series,
}

/// The backlog of one broker on one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BacklogRow {
    /// Namespace of the broker.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Bytes of events that its triggers still need.
    pub used_bytes: u64,
    /// Bytes they may have.
    pub max_bytes: u64,
    /// It has more, and the broker answers 429.
    pub over_quota: bool,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request is not HTTP as we take it, or came too slowly (400, 408, 411, 414, 431,
    /// 501, 505).
    Http,
    /// Another method than POST (405).
    Method,
    /// No such broker (404).
    UnknownBroker,
    /// What came is not a valid CloudEvent (400).
    InvalidEvent,
    /// The body is over the limit (413).
    TooLarge,
    /// The time to live is used up.
    TtlExhausted,
    /// The log has no room (503).
    Full,
    /// Requests that are not stored yet hold all the memory they may (503).
    BodiesFull,
    /// The broker's backlog is over its quota (429).
    OverQuota,
    /// The process is about to stop (503).
    Draining,
}

impl Refused {
    pub(super) const ALL: [(Refused, &'static str); 10] = [
        (Refused::Http, "http"),
        (Refused::Method, "method"),
        (Refused::UnknownBroker, "unknown_broker"),
        (Refused::InvalidEvent, "invalid_event"),
        (Refused::TooLarge, "too_large"),
        (Refused::TtlExhausted, "ttl_exhausted"),
        (Refused::Full, "full"),
        (Refused::BodiesFull, "bodies_full"),
        (Refused::OverQuota, "over_quota"),
        (Refused::Draining, "draining"),
    ];
}

/// Why a subscriber's response was not taken as a reply (contract 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredReply {
    /// An event, but in a 202.
    Accepted,
    /// A body that does not claim to be an event.
    NotAnEvent,
}

impl IgnoredReply {
    pub(super) const ALL: [(IgnoredReply, &'static str); 2] =
        [(IgnoredReply::Accepted, "accepted"), (IgnoredReply::NotAnEvent, "not_an_event")];
}

// The discriminants are the positions in the tables above.
const _: () = {
    let mut i = 0;
    while i < Refused::ALL.len() {
        assert!(Refused::ALL[i].0 as usize == i);
        i += 1;
    }
    assert!(IgnoredReply::ALL[0].0 as usize == 0 && IgnoredReply::ALL[1].0 as usize == 1);
};

impl Default for ShardMetrics {
    fn default() -> Self {
        Self {
            requests: Dispatch::default(),
            events: Counter::default(),
            bytes: Counter::default(),
            refused: Default::default(),
            opened: Counter::default(),
            closed: Counter::default(),
            accept_pauses: Counter::default(),
            delivery_pauses: Counter::default(),
            given_up_triggers: Counter::default(),
            given_up_events: Counter::default(),
            ignored_replies: Default::default(),
            flush_duration: Histogram::new(FLUSH_NS),
            flush_records: Histogram::new(FLUSH_RECORDS),
            lateness: Histogram::new(LATENESS_NS),
            flush_bytes: Counter::default(),
            log_used_bytes: Gauge::default(),
            log_max_bytes: Gauge::default(),
            log_retained_bytes: Gauge::default(),
            backlog_used_bytes: Gauge::default(),
            backlog_max_bytes: Gauge::default(),
            moved_events: Counter::default(),
            moved_bytes: Counter::default(),
            backlogs: Mutex::default(),
            generation: Gauge::default(),
            brokers: Series::default(),
            triggers: Series::default(),
        }
    }
}

impl ShardMetrics {
    /// All numbers at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A producer's connection was accepted.
    pub fn connection_opened(&self) {
        self.opened.add(1);
    }

    /// A producer's connection ended.
    pub fn connection_closed(&self) {
        self.closed.add(1);
    }

    /// Accepting paused: the shard has all the connections it may have, or the process
    /// all the descriptors. Who comes next waits in the kernel's queue.
    pub fn accept_paused(&self) {
        self.accept_pauses.add(1);
    }

    /// A request was answered with `status`, `took` after its first byte.
    pub fn answered(&self, status: u16, took: Duration) {
        self.requests.record(Some(status), took);
    }

    /// `events` events of a request with a body of `body_bytes` were acknowledged.
    pub fn accepted(&self, events: u64, body_bytes: u64) {
        self.events.add(events);
        self.bytes.add(body_bytes);
    }

    /// A request was refused.
    pub fn refused(&self, reason: Refused) {
        self.refused[reason as usize].add(1);
    }

    /// A subscriber's response had a body that was passed over.
    pub fn reply_ignored(&self, reason: IgnoredReply) {
        self.ignored_replies[reason as usize].add(1);
    }

    /// A flush of the log ended: `records` of `bytes` together were written and synced.
    pub fn flushed(&self, records: u64, bytes: u64, took: Duration) {
        self.flush_duration.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.flush_records.observe(records);
        self.flush_bytes.add(bytes);
    }

    /// The shard came so late to what was due.
    pub fn was_late(&self, lateness: Duration) {
        self.lateness.observe(u64::try_from(lateness.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The log takes `used_bytes` of the `max_bytes` it may, `retained_bytes` of them
    /// for readers of the past.
    pub fn log_usage(&self, used_bytes: u64, max_bytes: u64, retained_bytes: u64) {
        self.log_used_bytes.set(used_bytes);
        self.log_max_bytes.set(max_bytes);
        self.log_retained_bytes.set(retained_bytes);
    }

    /// A delivery waits for something that this process is short of.
    pub fn delivery_paused(&self) {
        self.delivery_pauses.add(1);
    }

    /// What a trigger that is gone for good was owed, `events` at least.
    pub fn gave_up(&self, events: u64) {
        self.given_up_triggers.add(1);
        self.given_up_events.add(events);
    }

    /// The backlogs take `used_bytes` of the `max_bytes` they may.
    pub fn backlog_usage(&self, used_bytes: u64, max_bytes: u64) {
        self.backlog_used_bytes.set(used_bytes);
        self.backlog_max_bytes.set(max_bytes);
    }

    /// The backlog of each broker that has one.
    pub fn set_backlogs(&self, rows: Vec<BacklogRow>) {
        *self.backlogs.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// What [`set_backlogs`](Self::set_backlogs) said last.
    pub fn backlogs(&self) -> Vec<BacklogRow> {
        self.backlogs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events were moved from the log to a backlog.
    pub fn moved(&self, events: u64, bytes: u64) {
        self.moved_events.add(events);
        self.moved_bytes.add(bytes);
    }

    /// The shard works by snapshot `generation`.
    pub fn applied(&self, generation: u64) {
        self.generation.set(generation);
    }

    /// The durations of requests to one broker on this shard. Kept by the route; the
    /// series ends when the last holder lets go.
    pub fn broker(&self, namespace: &str, name: &str) -> Arc<Dispatch> {
        self.brokers.of(Subject { namespace: namespace.into(), name: name.into(), broker: name.into() })
    }

    /// The durations of one trigger's attempts on this shard. `broker` is in the
    /// trigger's namespace.
    pub fn trigger(&self, namespace: &str, name: &str, broker: &str) -> Arc<Dispatch> {
        self.triggers.of(Subject { namespace: namespace.into(), name: name.into(), broker: broker.into() })
    }
}

/// Whose durations a series holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub broker: Box<str>,
}

/// The series of a shard's brokers or triggers. The lock is taken when routes change
/// and at a scrape, never to count.
#[derive(Debug, Default)]
pub(super) struct Series(Mutex<Subjects>);

#[derive(Debug, Default)]
struct Subjects {
    by_subject: BTreeMap<Subject, Arc<Dispatch>>,
    /// At this many series those without a holder are dropped.
    prune_at: usize,
}

/// Below this many series nothing is dropped.
const PRUNE_MIN: usize = 64;

impl Series {
    fn of(&self, subject: Subject) -> Arc<Dispatch> {
        let mut subjects = self.lock();
        if subjects.by_subject.len() >= subjects.prune_at.max(PRUNE_MIN) {
            subjects.by_subject.retain(|_, dispatch| Arc::strong_count(dispatch) > 1);
            subjects.prune_at = 2 * subjects.by_subject.len();
        }
        Arc::clone(subjects.by_subject.entry(subject).or_default())
    }

    /// The series that somebody still holds.
    pub(super) fn held(&self) -> Vec<(Subject, Arc<Dispatch>)> {
        let subjects = self.lock();
        let held = subjects.by_subject.iter().filter(|(_, dispatch)| Arc::strong_count(dispatch) > 1);
        held.map(|(subject, dispatch)| (subject.clone(), Arc::clone(dispatch))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Subjects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_without_a_holder_end() {
        let metrics = ShardMetrics::new();
        let kept = metrics.trigger("default", "kept", "default");
        for i in 0..10 * PRUNE_MIN {
            drop(metrics.trigger("default", &format!("gone-{i}"), "default"));
        }
        assert_eq!(metrics.triggers.held().len(), 1);
        assert!(metrics.triggers.lock().by_subject.len() <= PRUNE_MIN);
        assert!(Arc::ptr_eq(&kept, &metrics.trigger("default", "kept", "default")));
    }
}
