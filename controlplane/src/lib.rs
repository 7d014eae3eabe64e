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
pub mod builtin;
mod check;
pub mod compile;
pub mod exit;
pub mod index;
pub mod limits;
pub mod load;
mod log;
pub mod manifest;
mod publish;
pub mod resolve;
mod run;
pub mod source;
mod status;

pub use args::{Args, DEFAULT_INGRESS_URL, LogFormat};
pub use check::{Report, check};
pub use manifest::{Diagnostic, Severity};
pub use run::run;
