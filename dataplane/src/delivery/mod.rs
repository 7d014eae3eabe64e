//! Delivery: a durable event and a trigger in, an outcome out.
//!
//! A lane hands out events, a worker takes one through its attempts, and the
//! outcome goes back to the lane. Delivery never reads the ingress and never
//! waits for another lane.

pub(crate) mod lane;
pub(crate) mod moved;
pub(crate) mod worker;
pub(crate) mod request;
pub(crate) mod pool;
pub(crate) mod exchange;
pub(crate) mod outcome;
pub(crate) mod reply;
pub(crate) mod backoff;
pub(crate) mod timers;
pub(crate) mod deadletter;
