//! What is to be handed out next of the shard's log.

use std::collections::VecDeque;

use crate::store::{BacklogPosition, Offset};

/// Positions in the order of the log. When it is full it remembers where it fell
/// behind, and the log is read from there: memory stays bounded whatever the
/// backlog.
pub(super) struct Queue {
    offsets: VecDeque<Offset>,
    max: usize,
    /// Everything from here on is still to be read from the log.
    behind: Option<Offset>,
    /// Nothing below is for this lane, though it may be for an earlier one of the
    /// same trigger.
    begin: Offset,
}

impl Queue {
    /// Everything from `read` on is to be read from the log.
    pub(super) fn behind(read: Offset, max: usize) -> Self {
        Self { offsets: VecDeque::new(), max, behind: Some(read), begin: read }
    }

    /// An event that became durable.
    pub(super) fn push(&mut self, offset: Offset) {
        if offset >= self.begin && self.behind.is_none() && !self.try_push(offset) {
            self.behind = Some(offset);
        }
    }

    /// An event that was read from the log; false if there is no room for it.
    pub(super) fn try_push(&mut self, offset: Offset) -> bool {
        let has_room = self.offsets.len() < self.max;
        if has_room {
            self.offsets.push_back(offset);
        }
        has_room
    }

    /// The next event.
    pub(super) fn pop(&mut self) -> Option<Offset> {
        self.offsets.pop_front()
    }

    /// Where the log is to be read, if nothing is queued.
    pub(super) fn wants(&self) -> Option<Offset> {
        self.behind.filter(|_| self.offsets.is_empty())
    }

    /// The log was read up to here, or to its end.
    pub(super) fn has_read(&mut self, to: Option<Offset>) {
        self.behind = to;
    }

    /// Some of the log is still to be read.
    pub(super) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// The first position that is queued or to be read, if there is one.
    pub(super) fn first(&self) -> Option<Offset> {
        self.offsets.front().copied().or(self.behind)
    }

    /// The first position that was not handed out, of a log that was fanned out up
    /// to a position.
    pub(super) fn unread(&self, fanned_out: Offset) -> Offset {
        self.first().unwrap_or(fanned_out.max(self.begin))
    }

    /// These are to be handed out of a backlog. Ascending, as all that is queued.
    pub(super) fn hand_over(&mut self, moved: &[(Offset, BacklogPosition)]) {
        self.offsets.retain(|offset| moved.binary_search_by_key(offset, |(moved, _)| *moved).is_err());
    }

    /// Nothing below `end` is to be handed out. True if that changed anything.
    pub(super) fn leave(&mut self, end: Offset) -> bool {
        let left = self.offsets.partition_point(|offset| *offset < end);
        let changes = left > 0 || self.behind.is_some_and(|behind| behind < end);
        self.offsets.drain(..left);
        self.behind = self.behind.map(|behind| behind.max(end));
        changes
    }

    /// Number of queued positions.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Nothing is to be handed out any more.
    pub(super) fn clear(&mut self) {
        self.offsets.clear();
        self.behind = None;
    }
}
