//! What became of a published generation, as the data plane reports it.
//!
//! Each generation gets one answer: active on all shards, or refused. The stats
//! page is looked at only while an answer is due, often at first, so that the
//! time it took is worth printing.

use std::time::{Duration, Instant};

use eagre_snapshot::{Generation, Stats, StatsReader};
use tracing::debug;

use crate::limits::{STATUS_INTERVAL, STATUS_INTERVAL_MIN};

/// Follows one generation at a time, the newest.
#[derive(Debug)]
pub struct Status {
    reader: StatsReader,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    generation: Generation,
    brokers: usize,
    triggers: usize,
    published: Instant,
    pause: Duration,
    next_look: Instant,
}

/// The data plane's answer to a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every shard works with it.
    Active {
        /// Which.
        generation: Generation,
        /// Shards that do.
        shards: usize,
        /// Brokers in it.
        brokers: usize,
        /// Triggers in it.
        triggers: usize,
        /// Time from publishing to noticing.
        took: Duration,
    },
    /// The data plane keeps the one before.
    Refused {
        /// Which.
        generation: Generation,
        /// Why, in the data plane's words.
        reason: String,
    },
}

impl Status {
    /// Will read the stats page with `reader`.
    pub fn new(reader: StatsReader) -> Status {
        Status { reader, pending: None }
    }

    /// From now on follows `generation`.
    pub fn published(&mut self, generation: Generation, brokers: usize, triggers: usize, now: Instant) {
        self.pending = Some(Pending {
            generation,
            brokers,
            triggers,
            published: now,
            pause: STATUS_INTERVAL_MIN,
            next_look: now + STATUS_INTERVAL_MIN,
        });
    }

    /// When to call [`Status::look`] next, if an answer is due.
    pub fn next_look(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.next_look)
    }

    /// Looks at the stats page if it is time; the answer, once.
    pub fn look(&mut self, now: Instant) -> Option<Answer> {
        let pending = self.pending.as_mut().filter(|pending| pending.next_look <= now)?;
        pending.pause = (pending.pause * 2).min(STATUS_INTERVAL);
        pending.next_look = now + pending.pause;
        let stats = match self.reader.read_shards() {
            Ok(stats) => stats?,
            Err(error) => {
                // A data plane that is just starting or gone; the next look will tell.
                debug!("stats page: {error}");
                return None;
            }
        };
        let answer = pending.answer(&stats, now)?;
        self.pending = None;
        Some(answer)
    }
}

impl Pending {
    fn answer(&self, stats: &Stats, now: Instant) -> Option<Answer> {
        let Pending { generation, brokers, triggers, .. } = *self;
        if stats.has_applied(generation) {
            let (shards, took) = (stats.shards.len(), now - self.published);
            return Some(Answer::Active { generation, shards, brokers, triggers, took });
        }
        let refusal = stats.refused.as_ref().filter(|refusal| refusal.generation == generation)?;
        Some(Answer::Refused { generation, reason: refusal.reason.clone() })
    }
}
