//! Whether a lane hands out events, and how many at once.
//!
//! What an operator may steer belongs here: everything that stops or slows a
//! lane is a reason in this file, and the lane asks [`may_hand_out`](
//! Control::may_hand_out) before each event.

use std::cell::Cell;

/// The lane's state as far as it is steered, and its workers.
pub(super) struct Control {
    state: Cell<State>,
    workers: Cell<usize>,
    parallelism: usize,
    /// Somebody looks again soon.
    looking: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    /// The trigger has vanished from the configuration, perhaps for a moment: it
    /// keeps what it has and hands out nothing.
    Parked,
    /// The trigger is gone for good.
    Closed,
}

impl Control {
    /// An active lane with at most `parallelism` workers.
    pub(super) fn new(parallelism: usize) -> Self {
        Self {
            state: Cell::new(State::Active),
            workers: Cell::new(0),
            parallelism,
            looking: Cell::new(false),
        }
    }

    /// Events may be handed out.
    pub(super) fn may_hand_out(&self) -> bool {
        self.state.get() == State::Active
    }

    /// The trigger is gone for good.
    pub(super) fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    /// The trigger is not in the configuration.
    pub(super) fn park(&self) {
        self.state.set(State::Parked);
    }

    /// It is (again).
    pub(super) fn activate(&self) {
        self.state.set(State::Active);
    }

    /// It is gone for good.
    pub(super) fn close(&self) {
        self.state.set(State::Closed);
    }

    /// Counts a worker in, if one more may run.
    pub(super) fn admit_worker(&self) -> bool {
        let admitted = self.workers.get() < self.parallelism;
        if admitted {
            self.workers.set(self.workers.get() + 1);
        }
        admitted
    }

    /// Counts a worker out.
    pub(super) fn worker_ended(&self) {
        self.workers.set(self.workers.get() - 1);
    }

    /// Workers that run.
    pub(super) fn workers(&self) -> usize {
        self.workers.get()
    }

    /// True for the one caller who shall look again later.
    pub(super) fn begin_looking(&self) -> bool {
        !self.looking.replace(true)
    }

    /// The one has looked.
    pub(super) fn end_looking(&self) {
        self.looking.set(false);
    }
}
