//! A lane's part of one broker's backlog.
//!
//! Events ascend in the backlog and are below everything that the lane has not
//! handed out of the shard's log. So reading the backlog first keeps the order.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::ControlFlow,
};

use eagre_snapshot::Id;

use crate::{
    canary::{Canary, planted},
    store::{BacklogPosition, Budget, Location, Offset, Pending, Store},
};

/// What a lane has in a backlog and was not handed out.
pub(super) struct Moved {
    /// Everything below was read.
    read: BacklogPosition,
    /// What was read, each event with where it lies.
    queue: VecDeque<(Offset, BacklogPosition)>,
    /// There may be more to read.
    behind: bool,
    /// Events behind `read` that were handed out before they were moved.
    handed_out: BTreeSet<Offset>,
    /// Events are on their way here.
    arriving: bool,
}

impl Moved {
    /// Everything from `read` on is to be read, but for what is `pending`.
    pub(super) fn resume(read: BacklogPosition, pending: &[Pending]) -> Self {
        let lies_ahead = |pending: &&Pending| {
            pending.location.moved.is_some_and(|at| at.broker() == read.broker() && at >= read)
        };
        let handed_out = pending.iter().filter(lies_ahead).map(|pending| pending.location.offset).collect();
        Self { read, queue: VecDeque::new(), behind: true, handed_out, arriving: false }
    }

    /// Nothing is there yet.
    pub(super) fn begin(end: BacklogPosition) -> Self {
        Self { behind: false, ..Self::resume(end, &[]) }
    }

    /// Everything was read, so far.
    pub(super) fn is_read(&self) -> bool {
        !self.behind && self.queue.is_empty()
    }

    /// Everything was read, and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.is_read() && !self.arriving
    }

    /// Events that were read and not handed out.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The first position that was not handed out.
    pub(super) fn unread(&self) -> BacklogPosition {
        self.queue.front().map_or(self.read, |(_, at)| *at)
    }

    /// Events are on their way to `end`.
    pub(super) fn expect(&mut self, end: BacklogPosition) {
        if self.is_read() {
            self.read = end;
        }
        self.arriving = true;
    }

    /// They have arrived, ascending, and the lane has handed out everything in the
    /// shard's log below `unread`. What was handed out before it was moved is not
    /// handed out again; where everything before was read, neither after a restart.
    pub(super) fn arrive(&mut self, events: &[(Offset, BacklogPosition)], unread: Offset) {
        self.arriving = false;
        let known = events.partition_point(|(offset, _)| *offset < unread);
        let known = if planted(Canary::MovedAnew) { 0 } else { known };
        let (known, new) = events.split_at(known);
        if !self.is_read() {
            self.handed_out.extend(known.iter().map(|(offset, _)| *offset));
        } else if let Some((_, last)) = known.last() {
            self.read = last.after();
        }
        self.behind |= !new.is_empty();
    }

    /// They do not arrive.
    pub(super) fn stay(&mut self) {
        self.arriving = false;
    }

    /// The next event; reads a stretch of the backlog if none is queued.
    pub(super) fn next(&mut self, store: &Store, trigger: Id, queue_max: usize) -> Option<Location> {
        if self.queue.is_empty() {
            self.read(store, trigger, queue_max);
        }
        self.queue.pop_front().map(|(offset, at)| Location { offset, moved: Some(at) })
    }

    fn read(&mut self, store: &Store, trigger: Id, queue_max: usize) {
        let (queue, handed_out) = (&mut self.queue, &mut self.handed_out);
        let to = store.durable_in(self.read.broker()).unwrap_or(self.read);
        let scanned = store.scan_backlog(self.read, to, &mut Budget::turn(), |event, at| {
            if !handed_out.remove(&event.offset) && event.is_for(trigger) {
                if queue.len() == queue_max {
                    return ControlFlow::Break(());
                }
                queue.push_back((event.offset, at));
            }
            ControlFlow::Continue(())
        });
        self.read = scanned.next;
        self.behind = !scanned.at_end;
    }
}
