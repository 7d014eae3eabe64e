//! Which object's status is written next, and when.
//!
//! Promise: an object is written by one request at a time; after a failure it waits,
//! longer each time, and after one that tells of an overloaded or failing API server
//! everything waits; so whatever the API server does, there is no hot loop. Pure: times
//! come in.
//!
//! What is written is not here: it is decided when the turn comes, from what is known
//! then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::index::{Key, Kind};
use crate::limits::{WRITE_DELAY_MAX, WRITE_DELAY_MIN, WRITES_IN_FLIGHT_MAX, WRITES_PER_SECOND};

/// An object.
pub type ObjectKey = (Kind, Key);

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, or there is nothing to write any more.
    Done,
    /// Another write came first, or a deletion; that will be heard of.
    Conflict,
    /// This object cannot be written like that.
    Refused,
    /// The API server cannot do it now; it may say for how long.
    Busy(Option<Duration>),
}

/// The queue.
#[derive(Debug, Default)]
pub struct Writes {
    /// In the order in which they came.
    queue: BTreeMap<u64, ObjectKey>,
    queued: HashMap<ObjectKey, u64>,
    next: u64,
    in_flight: HashSet<ObjectKey>,
    /// Failures in a row, and until when to leave it alone.
    failures: HashMap<ObjectKey, (u32, Instant)>,
    /// The same for all together.
    pause: Option<(u32, Instant)>,
    /// When the allowed rate is used up, this is in the future.
    paced: Option<Instant>,
}

impl Writes {
    /// An object differs from what it should be.
    pub fn add(&mut self, key: ObjectKey) {
        if !self.queued.contains_key(&key) {
            self.queued.insert(key.clone(), self.next);
            self.queue.insert(self.next, key);
            self.next += 1;
        }
    }

    /// It does not any more.
    pub fn remove(&mut self, key: &ObjectKey) {
        if let Some(place) = self.queued.remove(key) {
            self.queue.remove(&place);
        }
        if !self.in_flight.contains(key) {
            self.failures.remove(key);
        }
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// The next one whose turn it is; it is in flight from now on.
    pub fn next(&mut self, now: Instant) -> Option<ObjectKey> {
        if self.in_flight.len() >= WRITES_IN_FLIGHT_MAX || self.pause.is_some_and(|(_, until)| until > now) {
            return None;
        }
        if self.paced.is_some_and(|paced| paced > now + BURST) {
            return None;
        }
        let due = |key: &ObjectKey| {
            !self.in_flight.contains(key) && self.failures.get(key).is_none_or(|(_, until)| *until <= now)
        };
        let (place, key) =
            self.queue.iter().find(|(_, key)| due(key)).map(|(place, key)| (*place, key.clone()))?;
        self.queue.remove(&place);
        self.queued.remove(&key);
        self.in_flight.insert(key.clone());
        self.paced = Some(self.paced.map_or(now, |paced| paced.max(now)) + INTERVAL);
        Some(key)
    }

    /// A write has ended; `jitter` is random, from 0 to 1.
    pub fn done(&mut self, key: &ObjectKey, outcome: Outcome, jitter: f64, now: Instant) {
        self.in_flight.remove(key);
        let mut fail = || {
            let (count, until) = self.failures.entry(key.clone()).or_insert((0, now));
            *until = now + delay(*count, jitter);
            *count += 1;
        };
        match outcome {
            Outcome::Done => {
                self.failures.remove(key);
                self.pause = None;
            }
            Outcome::Conflict | Outcome::Refused => {
                fail();
                self.pause = None;
            }
            Outcome::Busy(told) => {
                fail();
                let (count, until) = self.pause.get_or_insert((0, now));
                // Many in flight tell of the same trouble: counted once.
                if *until <= now {
                    *until = now + delay(*count, jitter).max(told.unwrap_or_default().min(WRITE_DELAY_MAX));
                    *count += 1;
                }
            }
        }
    }

    /// When to ask for the next, if time alone will bring it.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        if self.in_flight.len() >= WRITES_IN_FLIGHT_MAX {
            return None;
        }
        let mut waiting = self.queue.values().filter(|key| !self.in_flight.contains(*key));
        let until = |key: &ObjectKey| self.failures.get(key).map(|(_, until)| *until);
        // Mostly the first has not failed, and there is nothing to look for.
        let first = match waiting.clone().any(|key| until(key).is_none()) {
            true => now,
            false => waiting.by_ref().filter_map(until).min()?,
        };
        let pause = self.pause.map_or(now, |(_, until)| until);
        let paced = self.paced.and_then(|paced| paced.checked_sub(BURST)).unwrap_or(now);
        Some(first.max(pause).max(paced))
    }
}

/// Between two writes, on average.
const INTERVAL: Duration = Duration::from_micros(1_000_000 / WRITES_PER_SECOND as u64);
/// How far the writes of a burst may be ahead of that.
const BURST: Duration = Duration::from_secs(1);

/// Doubles with each failure; between half of it and the whole.
fn delay(failures: u32, jitter: f64) -> Duration {
    let whole = (WRITE_DELAY_MIN * 2_u32.saturating_pow(failures.min(16))).min(WRITE_DELAY_MAX);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        (Kind::Trigger, ("ns".to_owned(), name.to_owned()))
    }

    #[test]
    fn an_object_is_written_once_at_a_time_and_again_if_it_changed_meanwhile() {
        let now = Instant::now();
        let mut writes = Writes::default();
        writes.add(key("a"));
        writes.add(key("a"));
        assert_eq!(writes.next(now), Some(key("a")));
        writes.add(key("a"));
        assert_eq!(writes.next(now), None);
        assert_eq!(writes.wake_at(now), None);
        writes.done(&key("a"), Outcome::Done, 0.0, now);
        assert_eq!(writes.next(now), Some(key("a")));
        writes.done(&key("a"), Outcome::Done, 0.0, now);
        assert!(writes.is_idle());
    }

    #[test]
    fn what_fails_waits_longer_each_time_and_others_go_on() {
        let mut now = Instant::now();
        let mut writes = Writes::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            writes.add(key("a"));
            assert_eq!(writes.next(now), Some(key("a")));
            writes.done(&key("a"), Outcome::Conflict, 1.0, now);
            writes.add(key("a"));
            writes.add(key("b"));
            assert_eq!(writes.next(now), Some(key("b")));
            writes.done(&key("b"), Outcome::Done, 1.0, now);
            let wake = writes.wake_at(now).unwrap();
            waits.push(wake - now);
            now = wake;
        }
        assert_eq!(waits[0], WRITE_DELAY_MIN);
        assert!(waits.is_sorted() && waits[11] == WRITE_DELAY_MAX, "{waits:?}");
    }

    #[test]
    fn an_api_server_that_is_busy_is_left_alone_by_all() {
        let now = Instant::now();
        let mut writes = Writes::default();
        ["a", "b", "c"].into_iter().for_each(|name| writes.add(key(name)));
        assert_eq!(writes.next(now), Some(key("a")));
        assert_eq!(writes.next(now), Some(key("b")));
        let told = Some(Duration::from_secs(7));
        writes.done(&key("a"), Outcome::Busy(told), 0.5, now);
        writes.done(&key("b"), Outcome::Busy(None), 0.5, now);
        assert_eq!(writes.next(now), None);
        assert_eq!(writes.wake_at(now), Some(now + Duration::from_secs(7)));
        assert_eq!(writes.next(now + Duration::from_secs(7)), Some(key("c")));
    }

    #[test]
    fn writes_keep_to_their_rate() {
        let start = Instant::now();
        let mut now = start;
        let mut writes = Writes::default();
        let total = 5 * WRITES_PER_SECOND as usize;
        (0..total).for_each(|n| writes.add(key(&n.to_string())));
        let mut written = 0;
        while let Some(wake) = writes.wake_at(now) {
            now = now.max(wake);
            while let Some(next) = writes.next(now) {
                written += 1;
                writes.done(&next, Outcome::Done, 0.0, now);
            }
        }
        assert_eq!(written, total);
        let took = now - start;
        assert!(took >= Duration::from_millis(3_900) && took <= Duration::from_secs(5), "{took:?}");
    }
}
