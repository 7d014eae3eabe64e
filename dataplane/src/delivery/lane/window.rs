//! What was handed out and is not finished.

use std::collections::VecDeque;

use crate::{
    delivery::attempts::Job,
    runtime::map::Map,
    store::{BacklogPosition, Location, Offset, Pending},
};

/// Events that were handed out and are not finished: in flight, waiting for
/// their next attempt, or due.
pub(super) struct Window {
    unfinished: Map<Offset, State>,
    due: VecDeque<Job>,
    max: usize,
}

#[derive(Clone, Copy, Default)]
struct State {
    attempts: u16,
    due_ms: u64,
    moved: Option<BacklogPosition>,
}

impl Window {
    /// With what a restart found unfinished.
    pub(super) fn resume(pending: &[Pending], max: usize) -> Self {
        let state = |p: &Pending| State { attempts: p.attempts, due_ms: p.due_ms, moved: p.location.moved };
        let unfinished = pending.iter().map(|p| (p.location.offset, state(p))).collect();
        Self { unfinished, due: VecDeque::new(), max }
    }

    /// Nothing more may be handed out before something is finished.
    pub(super) fn is_full(&self) -> bool {
        self.unfinished.len() >= self.max
    }

    /// The event is handed out.
    pub(super) fn hand_out(&mut self, Location { offset, moved }: Location) -> Job {
        self.unfinished.insert(offset, State { moved, ..State::default() });
        Job { offset, failed: 0, failure: None }
    }

    /// The event was handed out and is not finished.
    pub(super) fn holds(&self, offset: Offset) -> bool {
        self.unfinished.contains_key(&offset)
    }

    /// Where such an event lies.
    pub(super) fn location(&self, offset: Offset) -> Option<Location> {
        self.unfinished.get(&offset).map(|state| Location { offset, moved: state.moved })
    }

    /// Another attempt follows at `due_ms`.
    pub(super) fn waits(&mut self, job: &Job, due_ms: u64) {
        if let Some(state) = self.unfinished.get_mut(&job.offset) {
            *state = State { attempts: job.failed, due_ms, ..*state };
        }
    }

    /// An attempt is due. A job of a lane that this one has replaced is let go.
    pub(super) fn push_due(&mut self, job: Job) {
        if self.holds(job.offset) {
            self.due.push_back(job);
        }
    }

    /// The next event whose attempt is due.
    pub(super) fn pop_due(&mut self) -> Option<Job> {
        self.due.pop_front()
    }

    /// The event needs nothing more.
    pub(super) fn finish(&mut self, offset: Offset) {
        self.unfinished.remove(&offset);
    }

    /// Events were moved to a backlog.
    pub(super) fn moved(&mut self, events: &[(Offset, BacklogPosition)]) {
        for (offset, to) in events {
            if let Some(state) = self.unfinished.get_mut(offset) {
                state.moved = Some(*to);
            }
        }
    }

    /// Everything in it, as progress tells it, but for the event `finished`.
    pub(super) fn pending(&self, finished: Option<Offset>) -> Vec<Pending> {
        let others = self.unfinished.iter().filter(|(offset, _)| Some(**offset) != finished);
        let pending = others.map(|(offset, state)| {
            let location = Location { offset: *offset, moved: state.moved };
            Pending { location, attempts: state.attempts, due_ms: state.due_ms }
        });
        pending.collect()
    }

    /// The oldest that lies in the shard's log.
    pub(super) fn oldest(&self) -> Option<Offset> {
        let here = self.unfinished.iter().filter(|(_, state)| state.moved.is_none());
        here.map(|(offset, _)| *offset).min()
    }

    /// The lowest position in the backlog of a broker.
    pub(super) fn oldest_in(&self, backlog: BacklogPosition) -> Option<BacklogPosition> {
        let moved = self.unfinished.values().filter_map(|state| state.moved);
        moved.filter(|moved| moved.broker() == backlog.broker()).min()
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.unfinished.len()
    }

    /// Everything is let go.
    pub(super) fn clear(&mut self) {
        self.unfinished.clear();
        self.due.clear();
    }
}
