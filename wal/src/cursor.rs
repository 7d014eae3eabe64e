//! Cursors: where each consumer of the log stands.
//!
//! The table lives in memory and in the log: every segment begins with a
//! CHECKPOINT of all cursors, and behind it CURSORS and PROGRESS records tell what
//! changed since (`body`). So the last segment alone tells them all. What is
//! written, and what is compared for it, is in proportion to what changed.
//!
//! A consumer is registered before it makes progress, and forgotten when it is
//! gone: progress of one that is not registered is refused, so that what comes
//! late brings nobody back. It stands here, or *elsewhere*, in another log of the
//! owner's: then it is kept here so that it changes together with others, and
//! holds nothing of this log. A consumer never changes from one to the other.
//!
//! What cursors may take of a segment is bounded. Where the entries of
//! unfinished records exceed it, the highest are left out and `read` is set
//! back to the lowest of those: after a crash they are handed out again, which
//! at-least-once delivery allows, and none is lost.

mod body;
mod consumer;

use std::collections::{BTreeMap, BTreeSet};

use self::consumer::Consumer;
pub(crate) use self::{
    body::{CURSOR_BYTES, DoNotFit, Malformed, PENDING_BYTES, Statement},
    consumer::Told,
};
use crate::{
    canary::{Canary, planted},
    error::ConsumerError,
    lsn::Lsn,
    record::Kind,
    recover::Clamped,
};

/// Which log the positions of a consumer belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This one. The consumer holds the segments that it is not done with.
    Here,
    /// Another one of the owner's, of which this one knows nothing.
    Elsewhere,
}

/// A record that was handed out and is not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The record.
    pub lsn: Lsn,
    /// Attempts that were made.
    pub attempts: u16,
    /// When the next attempt is due, by the owner's clock.
    pub due_ms: u64,
    /// What the owner makes of it; the log does not look at it.
    pub note: u32,
}

/// Where a consumer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Every record below has been handed out.
    pub read: Lsn,
    /// Those of them that are not finished; ascending, where the log gives it.
    pub pending: Vec<Pending>,
}

impl Cursor {
    /// Every record below is finished.
    #[must_use]
    pub fn low(&self) -> Lsn {
        self.pending.iter().map(|pending| pending.lsn).fold(self.read, Lsn::min)
    }
}

/// How a cursor changes.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Which log the positions belong to: the one that the consumer was registered
    /// with.
    pub place: Place,
    /// Every record below has been handed out now.
    pub read: Lsn,
    /// Entries of unfinished records that are new, or not as they were.
    pub changed: &'a [Pending],
    /// Records that are finished. Those that were not pending change nothing.
    pub finished: &'a [Lsn],
}

/// All cursors of a log.
#[derive(Clone, Debug, Default)]
pub struct Cursors {
    table: BTreeMap<u64, Consumer>,
    /// The low marks of those that stand here.
    lows: BTreeSet<(Lsn, u64)>,
    /// Consumers that changed, or went, since the log was told.
    changed: BTreeSet<u64>,
}

impl Cursors {
    /// The cursor of a consumer.
    #[must_use]
    pub fn get(&self, consumer: u64) -> Option<Cursor> {
        self.table.get(&consumer).map(Consumer::cursor)
    }

    /// Where a consumer stands.
    #[must_use]
    pub fn place(&self, consumer: u64) -> Option<Place> {
        self.table.get(&consumer).map(|consumer| consumer.place)
    }

    /// Every consumer, in ascending order.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = u64> {
        self.table.keys().copied()
    }

    /// Every consumer with its cursor, in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, Cursor)> {
        self.table.iter().map(|(id, consumer)| (*id, consumer.cursor()))
    }

    /// Number of consumers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// There is no consumer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Every record of this log below is finished for every consumer; without
    /// consumers, every record is.
    #[must_use]
    pub fn low(&self) -> Lsn {
        self.lows.first().map_or(Lsn::MAX, |(low, _)| *low)
    }

    /// Every record of this log below is finished for a consumer.
    pub(crate) fn low_of(&self, consumer: u64) -> Lsn {
        self.table.get(&consumer).and_then(Consumer::low_here).unwrap_or(Lsn::MAX)
    }

    pub(crate) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(crate) fn register(&mut self, id: u64, place: Place, cursor: &Cursor) -> Result<(), ConsumerError> {
        if self.table.contains_key(&id) {
            return Err(ConsumerError::AlreadyRegistered(id));
        }
        self.insert(id, Consumer::new(place, cursor));
        self.changed.insert(id);
        Ok(())
    }

    pub(crate) fn forget(&mut self, id: u64) {
        if self.remove(id) {
            self.changed.insert(id);
        }
    }

    /// The consumer is registered, and with this place.
    pub(crate) fn admits(&self, id: u64, place: Place) -> Result<(), ConsumerError> {
        match self.place(id) {
            Some(registered) if registered == place => Ok(()),
            Some(registered) => Err(ConsumerError::OtherPlace { consumer: id, registered }),
            None => Err(ConsumerError::UnknownConsumer(id)),
        }
    }

    /// Changes a cursor, which may be as it was already.
    pub(crate) fn advance(&mut self, id: u64, progress: &Progress<'_>) -> Result<(), ConsumerError> {
        if planted(Canary::ForgottenComesBack) && !self.table.contains_key(&id) {
            self.register(id, progress.place, &Cursor::default())?;
        }
        self.admits(id, progress.place)?;
        if self.change(id, |consumer| consumer.advance(progress)) {
            self.changed.insert(id);
        }
        Ok(())
    }

    /// Gives a consumer another cursor, which may be the one it had.
    pub(crate) fn replace(&mut self, id: u64, place: Place, cursor: &Cursor) -> Result<(), ConsumerError> {
        self.admits(id, place)?;
        if self.change(id, |consumer| consumer.replace(cursor)) {
            self.changed.insert(id);
        }
        Ok(())
    }

    /// Forgets unfinished records of this log that are not there any more.
    pub(crate) fn retain_pending(&mut self, is_there: impl Fn(Lsn) -> bool) {
        for consumer in self.table.values_mut().filter(|consumer| consumer.place == Place::Here) {
            consumer.pending.retain(|lsn, _| is_there(*lsn));
            consumer.told = None;
        }
        self.lows =
            self.table.iter().filter_map(|(id, consumer)| Some((consumer.low_here()?, *id))).collect();
    }

    /// Moves every cursor that stands outside of `first..=end` to the edge, and
    /// tells which.
    pub(crate) fn clamp(&mut self, first: Lsn, end: Lsn) -> Vec<Clamped> {
        let outside = |(id, consumer): (&u64, &Consumer)| {
            let low = consumer.low_here()?;
            let from = if consumer.read > end { consumer.read } else { low };
            (from < first || from > end).then_some((*id, from))
        };
        let outside: Vec<_> = self.table.iter().filter_map(outside).collect();
        for (id, _) in &outside {
            self.change(*id, |consumer| consumer.clamp(first, end));
            self.changed.insert(*id);
        }
        let clamped = |(consumer, from): (u64, Lsn)| Clamped { consumer, from, to: from.clamp(first, end) };
        outside.into_iter().map(clamped).collect()
    }

    /// A CHECKPOINT of at most so many bytes, frame included.
    pub(crate) fn tell_all(&self, bytes_max: u64) -> Result<Statement, DoNotFit> {
        let all: Vec<_> = self.table.iter().map(|(id, consumer)| (*id, consumer)).collect();
        let mut checkpoint = body::whole(Kind::CHECKPOINT, &[], &all, bytes_max)?;
        if planted(Canary::CheckpointEmpty) {
            checkpoint.body = vec![0; 8];
        }
        Ok(checkpoint)
    }

    /// Records that tell of every consumer that changed or went.
    pub(crate) fn tell_changed(&self, bytes_max: u64) -> Result<Vec<Statement>, DoNotFit> {
        self.tell(&self.changed, bytes_max)
    }

    /// Records of at most so many bytes, frames included, that tell of these
    /// consumers.
    pub(crate) fn tell(&self, ids: &BTreeSet<u64>, bytes_max: u64) -> Result<Vec<Statement>, DoNotFit> {
        let (mut removed, mut all, mut whole, mut deltas) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            let Some(consumer) = self.table.get(id) else {
                removed.push(*id);
                continue;
            };
            all.push((*id, consumer));
            match consumer.delta() {
                Some(delta) if delta.bytes() < consumer.whole_bytes(usize::MAX) => deltas.push((*id, delta)),
                _ => whole.push((*id, consumer)),
            }
        }
        let mut statements = Vec::new();
        if !(removed.is_empty() && whole.is_empty()) {
            statements.push(body::whole(Kind::CURSORS, &removed, &whole, u64::MAX)?);
        }
        if !deltas.is_empty() {
            statements.push(body::deltas(&deltas));
        }
        if statements.iter().map(Statement::bytes).sum::<u64>() <= bytes_max {
            return Ok(statements);
        }
        Ok(vec![body::whole(Kind::CURSORS, &removed, &all, bytes_max)?])
    }

    /// Bytes, frames included, that it takes at least to tell of so many consumers.
    pub(crate) const fn bytes_to_tell_min(consumers: usize) -> u64 {
        body::whole_bytes_min(consumers as u64, 0)
    }

    /// Bytes, frames included, that it takes at most to tell of this progress.
    pub(crate) fn bytes_to_tell(&self, progress: &[(u64, Progress<'_>)]) -> u64 {
        let of = |(id, progress): &(u64, Progress<'_>)| {
            self.table.get(id).map_or(0, |consumer| consumer.bytes_to_tell(progress))
        };
        body::EMPTY_STATEMENTS_BYTES + progress.iter().map(of).sum::<u64>()
    }

    /// The statement is in the log, at `at`.
    pub(crate) fn told(&mut self, statement: &Statement, at: Lsn) {
        if statement.kind == Kind::CHECKPOINT {
            // Those that are gone are told by their absence.
            self.changed.clear();
        }
        for (id, below) in &statement.consumers {
            self.changed.remove(id);
            if let Some(consumer) = self.table.get_mut(id) {
                let below = if planted(Canary::CutCountsAsWhole) { Lsn::MAX } else { *below };
                consumer.told = Some(Told { at, below });
                consumer.changed.clear();
            }
        }
    }

    /// Takes over what a record of the log tells, which lies at `at`.
    pub(crate) fn apply(&mut self, kind: Kind, at: Lsn, body: &[u8]) -> Result<(), Malformed> {
        match kind {
            Kind::CHECKPOINT | Kind::CURSORS => body::apply_whole(self, at, body),
            Kind::PROGRESS => body::apply_deltas(self, at, body),
            _ => Ok(()),
        }
    }

    fn insert(&mut self, id: u64, consumer: Consumer) {
        self.remove(id);
        self.lows.extend(consumer.low_here().map(|low| (low, id)));
        self.table.insert(id, consumer);
    }

    fn remove(&mut self, id: u64) -> bool {
        let removed = self.table.remove(&id);
        if let Some(low) = removed.as_ref().and_then(Consumer::low_here) {
            self.lows.remove(&(low, id));
        }
        removed.is_some()
    }

    /// Changes a consumer that is there and says what `change` does.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Consumer) -> bool) -> bool {
        let Some(consumer) = self.table.get_mut(&id) else { return false };
        let before = consumer.low_here();
        let is_changed = change(consumer);
        let after = consumer.low_here();
        if before != after {
            before.map(|low| self.lows.remove(&(low, id)));
            self.lows.extend(after.map(|low| (low, id)));
        }
        is_changed
    }
}
