//! Cleaning the log: what only triggers still need that are far behind is moved
//! out of the oldest segment, so that the segment can go.
//!
//! It begins when the log is nearly full, and moves a piece at a time: choose,
//! copy to the brokers' backlogs, wait until that is durable, and only then
//! change what the lanes hold. Deliveries go on meanwhile. After a crash in
//! between, the last event in a backlog tells what was moved (`store::backlog`).

use std::{collections::BTreeMap, ops::ControlFlow, rc::Rc};

use eagre_snapshot::Id;

use super::{Dispatcher, lane::Lane};
use crate::{
    limits::wal::MOVE_PAUSE,
    runtime::{task, time},
    store::{Budget, Left, Offset, StoredEvent},
};

/// A piece of the log, and what is left to do in it, by broker.
struct Piece {
    end: Offset,
    left: BTreeMap<Id, Vec<Left>>,
}

impl Dispatcher {
    /// Keeps a part of the log free, for as long as the shard runs.
    pub(super) async fn run_cleaning(self: Rc<Self>) {
        loop {
            time::sleep(MOVE_PAUSE).await;
            while let Some(end) = self.room.store.to_free(|| self.low_mark()) {
                // What was not fanned out yet would be handed out from both logs.
                let waits = self.room.is_draining() || end > self.room.fanned_out.get();
                if waits || !self.clean(end).await {
                    break;
                }
            }
        }
    }

    /// Moves everything below `end` that is still needed. False if that is not
    /// possible now.
    async fn clean(self: &Rc<Self>, end: Offset) -> bool {
        let mut at = self.low_mark();
        while at < end {
            let piece = self.piece(at, end);
            // What is not in it was finished. Should that end with a reply that is
            // not on the disk yet, a crash would find neither the reply nor, where
            // the backlog says that everything below is there, the event.
            self.room.store.settle_log().await;
            for (broker, left) in &piece.left {
                if !self.move_to_backlog(*broker, left).await {
                    return false;
                }
            }
            for lane in self.lanes.borrow().values() {
                lane.leave(piece.end);
            }
            at = piece.end;
            task::next_turn().await;
        }
        // The segment goes once this is on the disk.
        self.record(true, |view| view.publish());
        self.room.store.store_progress() && self.low_mark() >= end
    }

    /// What is left to do in the next piece of the log: a turn's worth.
    fn piece(&self, begin: Offset, end: Offset) -> Piece {
        let (mut left, mut bytes) = (BTreeMap::<Id, Vec<Left>>::new(), 0);
        let bytes_max = self.room.store.piece_bytes();
        let scanned = self.room.store.scan(begin, end, &mut Budget::turn(), |event| {
            let triggers = self.who_needs(&event);
            if !triggers.is_empty() {
                let more = bytes + event.bytes().len();
                if bytes > 0 && more > bytes_max {
                    return ControlFlow::Break(());
                }
                bytes = more;
                left.entry(event.broker()).or_default().push(Left { event, triggers });
            }
            ControlFlow::Continue(())
        });
        Piece { end: scanned.next, left }
    }

    fn who_needs(&self, event: &StoredEvent) -> Vec<Id> {
        if self.room.store.is_moved(event) {
            return Vec::new();
        }
        let lanes = self.lanes.borrow();
        let needs = |id: &Id| lanes.get(id).is_some_and(|lane| lane.needs(event.offset));
        event.matches().filter(needs).collect()
    }

    async fn move_to_backlog(self: &Rc<Self>, broker: Id, left: &[Left]) -> bool {
        let Some(destination) = self.room.store.destination(broker).await else { return false };
        let lanes = self.lanes_of(left);
        let end = destination.end();
        let newcomers: Vec<Id> =
            lanes.iter().filter(|lane| lane.expect_moved(end)).map(|lane| lane.id).collect();
        let moved = self.room.store.move_to(destination, &newcomers, left).await;
        lanes.iter().for_each(|lane| lane.moved(broker, moved.as_deref()));
        if moved.is_some() {
            let bytes = left.iter().map(|left| left.event.bytes().len() as u64).sum();
            self.room.metrics.moved(left.len() as u64, bytes);
        }
        moved.is_some()
    }

    fn lanes_of(&self, left: &[Left]) -> Vec<Rc<Lane>> {
        let mut ids: Vec<Id> = left.iter().flat_map(|left| left.triggers.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let lanes = self.lanes.borrow();
        ids.iter().filter_map(|id| lanes.get(id).cloned()).collect()
    }
}
