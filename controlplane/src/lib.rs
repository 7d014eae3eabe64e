//! Manifests in, snapshot out: the control plane of Eagre.
//!
//! ```text
//! source ──► manifest ──► index ──► compile ──► publish ──► data plane
//! texts      objects      by name   snapshot    generation      │
//!                                   (resolve)                   │
//!                                               status ◄────────┘
//! ```
//!
//! Promise: what is in force is always one whole, valid state of all manifests.
//! An edit that makes them invalid is reported with every mistake and its
//! position, and changes nothing; one that makes no difference publishes
//! nothing.
//!
//! Owns: the manifests as read, the snapshot folder's publishing side. Absent on
//! purpose: events and everything done with them, and Kubernetes, which will be
//! a second source for the same index.

mod args;
pub mod limits;
pub mod exit;
mod run;

// From files to a snapshot.
pub mod source;
pub mod manifest;
pub mod builtin;
pub mod load;
pub mod index;
pub mod compile;
pub mod resolve;
mod config;
mod publish;

// And back: what became of it.
mod status;
mod check;
mod filters;
mod log;

pub use args::{Args, DEFAULT_INGRESS_URL, Grace, LogFormat};
pub use check::{Report, check};
pub use filters::{TriggerFilter, TriggerFilters, trigger_filters};
pub use manifest::{Diagnostic, Severity};
pub use run::run;
