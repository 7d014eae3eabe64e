//! Cleaning the log: what only triggers still need that are far behind is moved
//! out of the oldest segment, so that the segment can go.
//!
//! It begins when the log is nearly full, and moves a piece at a time: choose,
//! copy to the brokers' backlogs, wait until that is durable, and only then
//! change what the lanes hold. Deliveries go on meanwhile. After a crash in
//! between, the last source in a backlog tells what was moved (`backlog`).

use std::{collections::HashMap, rc::Rc, time::Duration};

use eagre_snapshot::Id;
use eagre_wal::{AppendError, Entry, Lsn};

use crate::{
    backlog::{Backlog, Left},
    commit::Stored,
    delivery::{lane::Lane, worker},
    envelope::{EVENT, Envelope},
    limits::wal::{FREE_PART, MOVE_PAUSE, MOVE_RECORDS},
    net,
    shard::Shard,
};

/// A piece of the log, and what is left to do in it.
struct Piece {
    end: Lsn,
    left: HashMap<Id, Vec<Left>>,
}

impl Shard {
    /// Keeps a part of the log free, for as long as the shard runs.
    pub(crate) async fn run_cleaning(self: Rc<Self>) {
        loop {
            net::sleep(MOVE_PAUSE).await;
            while let Some(segment_end) = self.segment_to_free() {
                if !self.clean(segment_end).await {
                    break;
                }
            }
        }
    }

    /// The end of the oldest segment, if the log needs its space and a trigger
    /// still needs what is in it.
    fn segment_to_free(&self) -> Option<Lsn> {
        let usage = self.log.usage();
        let free = usage.max_bytes.saturating_sub(usage.bytes - usage.retained_bytes);
        if free >= (usage.max_bytes / FREE_PART).max(self.config.wal.segment_bytes) {
            return None;
        }
        let end = self.log.oldest_end()?;
        (self.low_mark() < end && !self.draining.get() && self.backlogs.have_room()).then_some(end)
    }

    /// Moves everything below `end` that is still needed. False if that is not
    /// possible now.
    async fn clean(self: &Rc<Self>, end: Lsn) -> bool {
        let mut at = self.low_mark();
        while at < end {
            let piece = self.piece(at, end);
            for (broker, left) in &piece.left {
                if !self.move_to_backlog(*broker, left).await {
                    return false;
                }
            }
            for lane in self.lanes.borrow().values() {
                lane.leave(piece.end);
            }
            at = piece.end;
            // The others of the shard come in between.
            net::sleep(PIECE_PAUSE).await;
        }
        // The segment goes once this is on the disk.
        self.store_progress(true) && self.low_mark() >= end
    }

    /// What is left to do in the next piece of the log.
    fn piece(&self, begin: Lsn, end: Lsn) -> Piece {
        let mut piece = Piece { end: begin, left: HashMap::new() };
        let mut bytes = 0;
        for _ in 0..MOVE_RECORDS {
            let Some(entry) = self.log.read(piece.end).filter(|entry| entry.lsn < end) else {
                piece.end = end;
                break;
            };
            let next = entry.next;
            if let Some((broker, left)) = self.left(entry) {
                // With its frame.
                let more = bytes + (next.0 - left.entry.lsn.0);
                if bytes > 0 && more > self.backlogs.piece_bytes() {
                    break;
                }
                bytes = more;
                piece.left.entry(broker).or_default().push(left);
            }
            piece.end = next;
        }
        piece
    }

    /// The event with the triggers that still need it, if there are any.
    fn left(&self, entry: Entry) -> Option<(Id, Left)> {
        let envelope = Envelope::parse(&entry.body).ok().filter(|_| entry.kind == EVENT)?;
        let lanes = self.lanes.borrow();
        let needs = |id: &Id| lanes.get(id).is_some_and(|lane| lane.needs(entry.lsn, self.fanned_out()));
        let triggers: Vec<Id> = envelope.matches().filter(needs).collect();
        let broker = envelope.broker();
        (!triggers.is_empty()).then_some((broker, Left { entry, triggers }))
    }

    async fn move_to_backlog(self: &Rc<Self>, broker: Id, left: &[Left]) -> bool {
        let Some(backlog) = self.backlogs.get_or_make(broker).await else { return false };
        let lanes = self.lanes_of(left);
        let moved = self.copy(&lanes, &backlog, broker, left).await;
        match &moved {
            Some(events) => {
                let bytes = left.iter().map(|left| left.entry.body.len() as u64).sum();
                self.metrics.moved(left.len() as u64, bytes);
                for lane in &lanes {
                    lane.moved(events, self.fanned_out());
                    worker::kick(self, lane);
                }
            }
            None => lanes.iter().for_each(|lane| lane.nothing_moved()),
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

    /// Copies the events durably, and gives the source and the place of each.
    async fn copy(
        &self,
        lanes: &[Rc<Lane>],
        backlog: &Backlog,
        broker: Id,
        left: &[Left],
    ) -> Option<Vec<(Lsn, Lsn)>> {
        let end = backlog.log.end();
        let newcomers = lanes.iter().filter(|lane| lane.expect_moved(end)).map(|lane| lane.id);
        let newcomers: Vec<Id> = newcomers.collect();
        let (begin, stored) = append(backlog, broker, &newcomers, left).await?;
        backlog.log.committed(stored).await;
        let mut at = begin;
        let mut events = Vec::with_capacity(left.len());
        for left in left {
            let entry = backlog.log.read(at)?;
            at = entry.next;
            events.push((left.entry.lsn, entry.lsn));
        }
        Some(events)
    }
}

/// Appends to the backlog, and waits while it makes room.
async fn append(backlog: &Backlog, broker: Id, newcomers: &[Id], left: &[Left]) -> Option<(Lsn, Stored)> {
    for _ in 0..ROOM_ATTEMPTS {
        match backlog.append(broker, newcomers, left) {
            Ok(appended) => return Some(appended),
            Err(AppendError::Full(_)) => net::sleep(ROOM_PAUSE).await,
            Err(error) => {
                tracing::error!("cannot move events to a backlog: {error}");
                return None;
            }
        }
    }
    tracing::warn!(%broker, "the backlog has no room; the log keeps what its triggers still need");
    None
}

const PIECE_PAUSE: Duration = Duration::from_millis(1);

/// Time for the next segment to be prepared, on a slow disk.
const ROOM_ATTEMPTS: u32 = 1000;
const ROOM_PAUSE: Duration = Duration::from_millis(2);
