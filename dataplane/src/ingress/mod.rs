//! Ingress: bytes in, an answer out.
//!
//! A connection belongs to one shard from its accept to its close. Its requests
//! are read, judged and answered one after another; the answer to an accepted
//! event waits for the log, and only [`answer`] writes a 202.
//!
//! Deliberately absent: everything about subscribers. The last thing that
//! ingress knows of an event is its position in the log.

pub(crate) mod listener;
pub(crate) mod connection;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod answer;
