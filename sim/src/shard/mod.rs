//! Deterministic simulation of whole shards.
//!
//! # What it promises
//!
//! The real data plane, from a shard's start to the bytes on its sockets, runs on
//! a machine that is made up ([`world`](crate::world)), beside producers,
//! subscribers, a control plane and an operator who do what such people do. One
//! seed is one history, the same on every machine. A seed that ends has held the
//! data plane to this:
//!
//! - An event that was answered with 202 is, for each trigger that it matched in
//!   the configuration in force, delivered, in a dead letter sink, or kept as a
//!   dead letter; unless the trigger is gone for good, or the event's durability
//!   does not cover what happened to the machine.
//! - An event is judged by one configuration. One that was refused goes nowhere,
//!   and nothing goes anywhere that was not sent. Bytes arrive as they were sent.
//! - A reply is stored when the delivery that led to it is finished, and once.
//! - Nobody gets an event twice without a reason, and no more attempts are made
//!   than a trigger asks for. A shortage of the process is nobody's failure.
//! - Every request is answered. A process ends for a reason that somebody gave it.
//!   Connections, bodies of requests, deliveries under way, events in memory, open logs
//!   and the work of one turn stay within their bounds.
//! - Once all faults have ended, every broker takes events again, all that is
//!   owed arrives, and a stop leaves everything on the platter.
//!
//! # What it does not do
//!
//! Threads, the admin port, and the files through which the planes talk are not
//! part of it; work takes no time, so it measures nothing.

mod plan;
mod model;
mod content;
mod http;
mod ledger;
mod scene;
mod process;
mod producer;
mod subscriber;
mod answers;
mod control;
mod operator;
mod letters;
mod bounds;
mod check;
mod history;
mod seen;

pub use self::{
    history::{Outcome, run},
    seen::{Seen, Sights},
};
