//! The Eagre data plane: accepts events, stores them, delivers them.
//!
//! ```text
//!            one shard: one thread, one log, its own connections
//! ┌──────────────────────────────────────────────────────────────────────────┐
//! │ listener ► connection ► request ► intake ► commit ► (durable) ► answer    │
//! │            ingress/                match,    log      │                   │
//! │                                    append             └► fan-out ► lane    │
//! │                                       ▲                             │     │
//! │                                       │ reply            delivery/  ▼     │
//! │                                       └──────────────────────── worker    │
//! │                                                  cursor ◄── finish │      │
//! │                                                  graveyard ◄───────┘      │
//! └──────────────────────────────────────────────────────────────────────────┘
//! ```
//! Modules stand in the order of that path. A stage may name the next one and
//! never the one before; replies go the whole way again. The one number that
//! goes backwards is the low mark of the cursors, which lets the log give up
//! segments.
//!
//! Deliberately absent: Kubernetes, YAML and name spaces of any kind (the
//! control plane resolves them), the encoding of events (`eagre-event`), every
//! lock on the path of an event.

// The process: from arguments to running shards.
mod args;
mod config;
mod limits;
pub mod exit;
mod logging;
mod process;
mod launch;
mod follow;
mod info;
mod stop;
mod fault;

// What a shard stands on.
mod driver;
mod runtime;
mod net;
mod notify;
mod mail;
mod resolve;
mod clock;

// A shard, and the configuration it works by.
mod shard;
mod table;
mod reconfigure;
mod housekeeping;
mod lateness;

// The path of an event.
mod ingress;
mod intake;
mod envelope;
mod commit;
mod fanout;
mod delivery;
mod backlog;
mod backlogs;
mod clean;
mod graveyard;
pub mod contents;

// What is told about it.
mod admin;
mod metrics;
mod view;

pub use args::{Args, LogFormat};
pub use config::Fsync;
pub use driver::{Driver, Requested, choose as choose_driver};
pub use process::run;
