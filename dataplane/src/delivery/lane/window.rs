//! What was handed out and is not finished, and what of that is not recorded yet.

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
    /// Events whose state changed since it was recorded, some of them more than
    /// once.
    changed: Vec<Offset>,
    /// What was recorded and is finished, or no longer there.
    left: Vec<Location>,
}

#[derive(Clone, Copy, Default)]
struct State {
    attempts: u16,
    due_ms: u64,
    note: u32,
    moved: Option<BacklogPosition>,
    /// Where it is recorded, if it is.
    recorded: Option<Location>,
}

/// What of a window is not recorded yet.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) changed: Vec<Pending>,
    pub(super) finished: Vec<Location>,
}

impl Window {
    /// With what a restart found unfinished, and recorded.
    pub(super) fn resume(pending: &[Pending], max: usize) -> Self {
        let state = |p: &Pending| State {
            attempts: p.attempts,
            due_ms: p.due_ms,
            note: p.note,
            moved: p.location.moved,
            recorded: Some(p.location),
        };
        let unfinished = pending.iter().map(|p| (p.location.offset, state(p))).collect();
        Self { unfinished, due: VecDeque::new(), max, changed: Vec::new(), left: Vec::new() }
    }

    /// Nothing more may be handed out before something is finished.
    pub(super) fn is_full(&self) -> bool {
        self.unfinished.len() >= self.max
    }

    /// The event is handed out.
    pub(super) fn hand_out(&mut self, Location { offset, moved }: Location) -> Job {
        self.unfinished.insert(offset, State { moved, ..State::default() });
        self.changed.push(offset);
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

    /// How far a job is; its next attempt is due at `due_ms`.
    pub(super) fn note(&mut self, job: &Job, due_ms: u64) {
        if let Some(state) = self.unfinished.get_mut(&job.offset) {
            *state = State { attempts: job.failed, due_ms, note: job.note(), ..*state };
            self.changed.push(job.offset);
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

    /// The event needs nothing more; false if it was not unfinished.
    pub(super) fn finish(&mut self, offset: Offset) -> bool {
        let state = self.unfinished.remove(&offset);
        self.left.extend(state.and_then(|state| state.recorded));
        state.is_some()
    }

    /// The same of an event whose end is recorded.
    pub(super) fn finish_recorded(&mut self, offset: Offset) -> bool {
        self.unfinished.remove(&offset).is_some()
    }

    /// Events were moved to a backlog.
    pub(super) fn moved(&mut self, events: &[(Offset, BacklogPosition)]) {
        for (offset, to) in events {
            if let Some(state) = self.unfinished.get_mut(offset) {
                state.moved = Some(*to);
                self.left.extend(state.recorded.take());
                self.changed.push(*offset);
            }
        }
    }

    /// What is not recorded yet, with the event `finished` done if one is given.
    pub(super) fn changes(&mut self, finished: Option<Offset>) -> Changes {
        self.changed.sort_unstable();
        self.changed.dedup();
        let unfinished = &self.unfinished;
        self.changed.retain(|offset| unfinished.contains_key(offset));
        let others = self.changed.iter().filter(|offset| Some(**offset) != finished);
        let changed = others.map(|offset| {
            let State { attempts, due_ms, note, moved, .. } = unfinished[offset];
            Pending { location: Location { offset: *offset, moved }, attempts, due_ms, note }
        });
        let done = finished.and_then(|offset| unfinished.get(&offset)?.recorded);
        Changes { changed: changed.collect(), finished: self.left.iter().copied().chain(done).collect() }
    }

    /// They are recorded.
    pub(super) fn recorded(&mut self, changed: &[Pending]) {
        for pending in changed {
            if let Some(state) = self.unfinished.get_mut(&pending.location.offset) {
                state.recorded = Some(pending.location);
            }
        }
        self.changed.clear();
        self.left.clear();
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
        self.changed.clear();
        self.left.clear();
    }
}
