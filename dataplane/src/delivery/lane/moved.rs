//! A lane's part of one broker's backlog.
//!
//! Events ascend in the backlog and are below everything that the lane has not
//! handed out of the shard's log. So reading the backlog first keeps the order.

use std::{collections::VecDeque, ops::ControlFlow};

use eagre_snapshot::Id;

use crate::store::{BacklogPosition, Budget, Location, Offset, Store};

/// What a lane has in a backlog and was not handed out.
pub(super) struct Moved {
    /// Everything below was read.
    read: BacklogPosition,
    /// What was read, each event with where it lies.
    queue: VecDeque<(Offset, BacklogPosition)>,
    /// There may be more to read.
    behind: bool,
    /// Events are on their way here.
    arriving: bool,
}

impl Moved {
    /// Everything from `read` on is to be read.
    pub(super) fn resume(read: BacklogPosition) -> Self {
        Self { read, queue: VecDeque::new(), behind: true, arriving: false }
    }

    /// Nothing is there yet.
    pub(super) fn begin(end: BacklogPosition) -> Self {
        Self { behind: false, ..Self::resume(end) }
    }

    /// Everything was read, so far.
    pub(super) fn is_read(&self) -> bool {
        !self.behind && self.queue.is_empty()
    }

    /// Everything was read, and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.is_read() && !self.arriving
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
    /// read again, nor after a restart: that part of it is behind what was read.
    pub(super) fn arrive(&mut self, events: &[(Offset, BacklogPosition)], unread: Offset) {
        self.arriving = false;
        let handed_out = events.partition_point(|(offset, _)| *offset < unread);
        if self.is_read()
            && let Some((_, last)) = events[..handed_out].last()
        {
            self.read = last.after();
        }
        self.behind |= handed_out < events.len();
    }

    /// They do not arrive.
    pub(super) fn stay(&mut self) {
        self.arriving = false;
    }

    /// The next event; reads a stretch of the backlog if none is queued. What is
    /// `unfinished` was handed out already.
    pub(super) fn next(
        &mut self,
        store: &Store,
        trigger: Id,
        queue_max: usize,
        unfinished: impl Fn(Offset) -> bool,
    ) -> Option<Location> {
        if self.queue.is_empty() {
            self.read(store, trigger, queue_max, unfinished);
        }
        self.queue.pop_front().map(|(offset, at)| Location { offset, moved: Some(at) })
    }

    fn read(&mut self, store: &Store, trigger: Id, queue_max: usize, unfinished: impl Fn(Offset) -> bool) {
        let queue = &mut self.queue;
        let to = store.durable_in(self.read.broker()).unwrap_or(self.read);
        let scanned = store.scan_backlog(self.read, to, &mut Budget::turn(), |event, at| {
            if !unfinished(event.offset) && event.is_for(trigger) {
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
