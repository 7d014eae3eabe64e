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
pub mod exit;
mod follow;
mod info;
mod launch;
mod limits;
mod logging;
mod process;
mod stop;

// What a shard stands on.
mod clock;
mod driver;
mod mail;
mod net;
mod notify;
mod resolve;
mod runtime;

// The path of an event.
mod shard;
mod table;

mod commit;
mod delivery;
mod envelope;
mod graveyard;
mod ingress;
mod intake;

// What is told about it.
mod admin;
mod metrics;
mod view;

pub use args::{Args, LogFormat};
pub use config::Fsync;
pub use driver::Requested;
pub use process::run;
