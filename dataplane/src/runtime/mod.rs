//! The outside world, as the data plane sees it: time, tasks, sockets, names,
//! logs on a disk, and the end of the process.
//!
//! Promise: nothing above this module reads a clock, waits, connects, opens a
//! log or ends the process by itself. So the whole of it runs on another world
//! as well ([`world`], for simulations), and the traps of the runtime in use are
//! met in one place. A test holds the rule (`tests/rooms.rs`).
//!
//! Deliberately absent: everything that knows of events.

pub mod exit;
pub mod driver;
pub(crate) mod thread;

pub(crate) mod time;
pub(crate) mod task;
pub(crate) mod notify;
pub(crate) mod net;
mod peek;
pub(crate) mod resolve;
pub(crate) mod disk;
pub(crate) mod map;

#[cfg(feature = "simulation")]
pub mod world;
