//! A lane's part of its broker's backlog.
//!
//! Sources ascend in the backlog and are below everything that the lane has not
//! handed out of the shard's log. So reading the backlog first keeps the order.

use std::collections::VecDeque;

use eagre_snapshot::Id;
use eagre_wal::Lsn;

use crate::{
    backlog::{Backlog, MOVED, MovedEvent},
    envelope::Envelope,
    limits::delivery::SCAN_RECORDS,
};

/// What a lane has in the backlog and was not handed out.
pub(crate) struct Moved {
    /// Everything below was read.
    read: Lsn,
    /// Source and position of what was read.
    queue: VecDeque<(Lsn, Lsn)>,
    /// There may be more to read.
    behind: bool,
    /// Events with a source below were handed out before they were moved.
    handed_out: Lsn,
    /// Events are on their way here.
    arriving: bool,
}

impl Moved {
    /// Everything from `read` on is to be read.
    pub(crate) fn resume(read: Lsn) -> Self {
        Self { read, queue: VecDeque::new(), behind: true, handed_out: Lsn::ZERO, arriving: false }
    }

    /// Nothing is there yet.
    pub(crate) fn begin(end: Lsn) -> Self {
        Self { behind: false, ..Self::resume(end) }
    }

    /// Everything was read, so far.
    pub(crate) fn is_read(&self) -> bool {
        !self.behind && self.queue.is_empty()
    }

    /// Everything was read, and nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_read() && !self.arriving
    }

    /// The first position that was not handed out.
    pub(crate) fn unread(&self) -> Lsn {
        self.queue.front().map_or(self.read, |(_, at)| *at)
    }

    /// Events are on their way to `end`.
    pub(crate) fn expect(&mut self, end: Lsn) {
        if self.is_read() {
            self.read = end;
        }
        self.arriving = true;
    }

    /// They have arrived, and the lane has handed out everything in the shard's
    /// log below `unread`; or they do not arrive.
    pub(crate) fn arrive(&mut self, unread: Option<Lsn>) {
        self.arriving = false;
        if let Some(unread) = unread {
            if self.is_read() {
                self.handed_out = unread;
            }
            self.behind = true;
        }
    }

    /// The next event, source and position; reads a stretch of the backlog if
    /// none is queued. What is `unfinished` was handed out already.
    pub(crate) fn next(
        &mut self,
        backlog: &Backlog,
        trigger: Id,
        queue_max: usize,
        unfinished: impl Fn(Lsn) -> bool,
    ) -> Option<(Lsn, Lsn)> {
        if self.queue.is_empty() {
            self.read(backlog, trigger, queue_max, unfinished);
        }
        self.queue.pop_front()
    }

    fn read(&mut self, backlog: &Backlog, trigger: Id, queue_max: usize, unfinished: impl Fn(Lsn) -> bool) {
        for _ in 0..SCAN_RECORDS {
            if self.queue.len() == queue_max {
                return;
            }
            let Some(entry) = backlog.log.read(self.read) else {
                self.read = self.read.max(backlog.log.durable());
                self.behind = false;
                return;
            };
            self.read = entry.next;
            let Some(event) = MovedEvent::parse(&entry).filter(|_| entry.kind == MOVED) else { continue };
            let is_new = event.source >= self.handed_out && !unfinished(event.source);
            if is_new && Envelope::parse(&event.body).is_ok_and(|e| e.matches().any(|id| id == trigger)) {
                self.queue.push_back((event.source, entry.lsn));
            }
        }
    }
}
