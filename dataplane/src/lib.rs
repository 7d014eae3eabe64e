//! The Eagre data plane: accepts events, stores them, delivers them.
//!
//! ```text
//!                 one shard: one thread, one store, its own connections
//! ┌─────────────────────────────────────────────────────────────────────────────────┐
//! │ listener ► connection ► request ► admission ► append ► (durable) ► answer       │
//! │            ingress/                            store/      │                    │
//! │                                                  ▲         └► fan-out ► lane    │
//! │                                                  │ reply      delivery/  │      │
//! │                                                  └────────── attempts ◄──┘      │
//! │                                                  progress ◄── finish │          │
//! │                                                  dead letters ◄──────┘          │
//! └─────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! A room may name those below it in the list of this file and none above, which
//! a test holds (`tests/rooms.rs`): so ingress and delivery do not know each
//! other, and both stand on the store. The one number that goes backwards is how
//! far everyone is, which lets the store let go.
//!
//! Deliberately absent: Kubernetes, YAML and name spaces of any kind (the
//! control plane resolves them), the encoding of events (`eagre-event`), every
//! lock on the path of an event.

// The process: from arguments to running shards, and its end.
mod process;
// The same on another world than this machine's.
#[cfg(feature = "simulation")]
pub mod simulation;
// What is told about it.
mod admin;
// One shard, wired.
mod shard;
// The path of an event: in, and out.
mod ingress;
mod delivery;
// Where the two meet.
mod store;
// What all of them go by, and count.
mod config;
mod metrics;
mod tuning;
// The outside world.
mod runtime;
// Bounds that nobody sets.
mod limits;
// Bugs that trials must find.
mod canary;

pub use process::run;
pub use runtime::{
    driver::{Driver, Requested, choose as choose_driver},
    exit,
};
pub use store::contents;
pub use tuning::{Args, LogFormat, TuningArgs, sample as sample_settings};
