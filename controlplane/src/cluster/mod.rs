//! Kubernetes as the source of objects, and the place where their status goes.
//!
//! ```text
//!             ┌──────────────── controller (one leads) ───────────────┐
//! API server ─► feed ─► state ─► compile ─► judge ─► writes ─► status ─► API server
//!             └─ agent (one beside every data plane) ─┐     ▲
//! API server ─► feed ─► state ─► compile ─► publish ─► data plane
//!                                              │            │ stats page
//!                                              └─ report ◄──┘ ─► Lease ─► controller
//! ```
//!
//! Promise: an object with an error is its own trouble; a watch that breaks or an API
//! server that is gone changes nothing; a deletion counts at once; `Ready` is said of an
//! object only when every data plane that is ready has it in force just so
//! (ADR 8).
//!
//! Owned: watches, the status of brokers of class `Eagre` and of their triggers, the
//! Leases of controller and agents. Absent on purpose: every rule of meaning, which is
//! `manifest`'s and `compile`'s, the same as for files; finalizers; any write to an
//! object of another class.

mod client;

// In the order in which something told becomes something written.
pub mod notice;
mod feed;
pub mod state;
mod agent;
pub mod report;
pub mod controller;
pub mod writes;
mod status;
mod leader;
mod run;

use std::path::PathBuf;

pub use run::{ClusterError, run};

use crate::resolve::Resolver;

/// What a process does in a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it is a controller.
    pub controls: bool,
    /// The folder that it shares with its data plane, if it is an agent.
    pub snapshot: Option<PathBuf>,
    /// The way to the API server; without it, the usual places.
    pub kubeconfig: Option<PathBuf>,
    /// The only namespace whose brokers and triggers count, if there is one.
    pub namespace: Option<String>,
    /// The namespace of Leases and Knative's ConfigMaps.
    pub system: String,
    /// What this process is called among its like.
    pub identity: String,
    /// Knows addresses.
    pub resolver: Resolver,
}
