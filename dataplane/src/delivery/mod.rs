//! Delivery: a durable event and a trigger in, an outcome out.
//!
//! ```text
//! store ► fan-out ► lane ► worker ► delivery ► attempt ► outcome
//!                    ▲ ▲                         │  │       │
//!                    │ └──── timers ◄── again ───┘  │       ▼
//!                    └──── moved ◄── clean          ▼    progress
//!                                                 reply
//! ```
//! Owns the lanes, one a trigger, with everything that is not finished; the
//! timers of what waits; the connections to subscribers. A lane hands out events
//! and wakes itself, a worker takes one event after another through its
//! attempts.
//!
//! Promises: an event is finished when its subscriber or its dead letter sink
//! has taken it, when it is kept as a dead letter, or when its trigger is gone
//! for good, and in no other case; a shortage of this process is no failure of a
//! subscriber; one lane never waits for another.
//!
//! Deliberately absent: everything about producers. What steers a lane from
//! outside (pause, pace, order, replay) goes to `lane/control`.

mod dispatcher;
mod room;
mod fanout;
mod clean;
mod recount;
mod lane;
mod worker;
mod attempts;
mod request;
mod pool;
mod exchange;
mod outcome;
mod reply;
mod failure;
mod backoff;
mod timers;

pub(crate) use self::{
    dispatcher::{Dispatcher, LaneView},
    exchange::ResponseLimits,
    pool::Pool,
    room::{Parts, Room},
};
