//! One consumer, and what of its cursor the log has yet to be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cursor, Pending, Place, Progress,
    body::{CURSOR_BYTES, DELTA_BYTES, PENDING_BYTES},
};
use crate::lsn::Lsn;

/// What the newest record that speaks of a consumer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where the record lies.
    pub at: Lsn,
    /// It tells all that is below here, and counts as unread what lies beyond.
    pub below: Lsn,
}

/// What changed since then.
#[derive(Debug)]
pub(super) struct Delta {
    pub told: Told,
    pub read: Lsn,
    pub changed: Vec<Pending>,
    pub finished: Vec<Lsn>,
}

impl Delta {
    pub(super) fn bytes(&self) -> u64 {
        DELTA_BYTES + PENDING_BYTES * self.changed.len() as u64 + 8 * self.finished.len() as u64
    }
}

#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub place: Place,
    pub read: Lsn,
    pub pending: BTreeMap<Lsn, Pending>,
    /// `None`: the log is to be told everything.
    pub told: Option<Told>,
    /// Records whose entry came, changed or went since.
    pub changed: BTreeSet<Lsn>,
}

impl Consumer {
    pub(super) fn new(place: Place, cursor: &Cursor) -> Self {
        let pending = cursor.pending.iter().map(|pending| (pending.lsn, *pending)).collect();
        Self { place, read: cursor.read, pending, told: None, changed: BTreeSet::new() }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor { read: self.read, pending: self.pending.values().copied().collect() }
    }

    pub(super) fn low(&self) -> Lsn {
        self.pending.first_key_value().map_or(self.read, |(lsn, _)| self.read.min(*lsn))
    }

    /// The low mark, if it is one of this log.
    pub(super) fn low_here(&self) -> Option<Lsn> {
        (self.place == Place::Here).then(|| self.low())
    }

    /// Takes over progress; whether it changed anything.
    pub(super) fn advance(&mut self, progress: &Progress<'_>) -> bool {
        let mut is_changed = std::mem::replace(&mut self.read, progress.read) != progress.read;
        for pending in progress.changed {
            if self.pending.insert(pending.lsn, *pending) != Some(*pending) {
                self.changed.insert(pending.lsn);
                is_changed = true;
            }
        }
        for lsn in progress.finished {
            if self.pending.remove(lsn).is_some() {
                self.changed.insert(*lsn);
                is_changed = true;
            }
        }
        // Beyond that, to tell everything is shorter: so the set is bounded.
        if self.told.is_none() || self.changed.len() > 3 * self.pending.len() {
            self.told = None;
            self.changed.clear();
        }
        is_changed
    }

    /// Takes over another cursor; whether it is another.
    pub(super) fn replace(&mut self, cursor: &Cursor) -> bool {
        let kept: BTreeSet<_> = cursor.pending.iter().map(|pending| pending.lsn).collect();
        let finished: Vec<_> = self.pending.keys().filter(|lsn| !kept.contains(lsn)).copied().collect();
        self.advance(&Progress {
            place: self.place,
            read: cursor.read,
            changed: &cursor.pending,
            finished: &finished,
        })
    }

    /// Moves the cursor into `first..=end`.
    pub(super) fn clamp(&mut self, first: Lsn, end: Lsn) -> bool {
        self.pending.retain(|lsn, _| (first..end).contains(lsn));
        self.read = self.read.clamp(first, end);
        self.told = None;
        self.changed.clear();
        true
    }

    /// What changed, if the log can be told that. Once nothing is left of what it
    /// was told before of a cursor that was cut off, it is told more.
    pub(super) fn delta(&self) -> Option<Delta> {
        let told = self.told.filter(|told| self.low() < told.below)?;
        let (mut changed, mut finished) = (Vec::new(), Vec::new());
        for lsn in self.changed.range(..told.below) {
            match self.pending.get(lsn) {
                Some(pending) => changed.push(*pending),
                None => finished.push(*lsn),
            }
        }
        Some(Delta { told, read: self.read.min(told.below), changed, finished })
    }

    /// Bytes of the whole cursor with so many unfinished records at most.
    pub(super) fn whole_bytes(&self, pending_max: usize) -> u64 {
        CURSOR_BYTES + PENDING_BYTES * self.pending.len().min(pending_max) as u64
    }

    /// Where a cursor of so many unfinished records is cut off.
    pub(super) fn below(&self, pending_max: usize) -> Lsn {
        if self.pending.len() <= pending_max {
            return Lsn::MAX;
        }
        self.pending.keys().nth(pending_max).map_or(Lsn::MAX, |first_left_out| self.read.min(*first_left_out))
    }

    /// Bytes that it takes at most to tell of the cursor after this progress.
    pub(super) fn bytes_to_tell(&self, progress: &Progress<'_>) -> u64 {
        let (changed, finished) = (progress.changed.len(), progress.finished.len());
        let delta = DELTA_BYTES + PENDING_BYTES * (self.changed.len() + changed + finished) as u64;
        let whole = CURSOR_BYTES + PENDING_BYTES * (self.pending.len() + changed) as u64;
        delta.max(whole)
    }
}
