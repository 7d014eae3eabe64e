//! Manifests or a cluster's objects in, snapshot out: the control plane of Eagre.
//!
//! ```text
//! source ──► manifest ──► index ──► compile ──► publish ──► data plane
//! texts      objects      by name   snapshot    generation      │
//!                                   (resolve)                   │
//!                                               status ◄────────┘
//! ```
//!
//! Files and cluster share index, compiler and every rule of meaning. Only where
//! objects come from and where remarks go differs: from files, what is in force is
//! always one whole, valid state of all manifests, and an edit that makes them
//! invalid is reported with every mistake and its position, and changes nothing. In
//! a [cluster], an object with an error is its own trouble, told in its status.
//! Either way what makes no difference publishes nothing.
//!
//! Owns: the objects as read, the snapshot folder's publishing side, statuses. Absent
//! on purpose: events and everything done with them.

mod args;
pub mod limits;
pub mod exit;
mod role;
mod run;

// From files to a snapshot.
pub mod source;
pub mod manifest;
pub mod builtin;
pub mod load;
pub mod index;
pub mod compile;
pub mod outcome;
pub mod resolve;
pub mod referents;
pub mod features;
pub mod reason;
pub mod stamp;
pub mod conditions;
pub mod merge;
mod config;
mod publish;

// The same from a cluster.
pub mod cluster;

// And back: what became of it.
mod status;
mod check;
mod filters;
mod log;

pub use args::{Args, DEFAULT_INGRESS_URL, Grace, LogFormat};
pub use check::{Report, check};
pub use filters::{TriggerFilter, TriggerFilters, trigger_filters};
pub use manifest::{Diagnostic, Severity};
pub use role::run;
