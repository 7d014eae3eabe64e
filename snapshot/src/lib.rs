//! The contract between the two processes.
//!
//! The control plane publishes the whole configuration as numbered, immutable,
//! checksummed files in a directory of shared memory; the data plane loads the
//! newest and hands it to its shards. In the other direction the data plane
//! keeps a page of counters that the control plane reads. Neither waits for
//! the other, and neither is harmed by the other's death at any instant.
//!
//! Owns: the model and its encoding, the files of that directory, the hand-over
//! to shards. Absent on purpose: Kubernetes and YAML (the control plane's), the
//! compiled filters and queues (the data plane's), any change smaller than a
//! whole snapshot.
//!
//! `docs/snapshot.md` describes the formats byte by byte.

// In the order a configuration travels. Made and checked:
mod generation;
mod limits;
mod model;
mod settings;

mod endpoint;
mod excess;
mod validate;

// encoded:
mod codec;

// published and loaded, in a shared directory:
mod control;
mod dir;
mod page;

mod publish;
mod subscribe;

// handed to the shards:
mod swap;
mod sync;

// and reported back.
mod slots;
mod stats;

pub use codec::{BodyError, BodyFlaw, DecodeError, EncodeError, FORMAT_MAJOR, FORMAT_MINOR, decode, encode};
pub use dir::{DirError, DirProblem};
pub use endpoint::EndpointError;
pub use excess::{Excess, Member};
pub use generation::Generation;
pub use limits::*;
pub use model::{Annotations, Backoff, Broker, Delivery, Endpoint, Format, Id, Snapshot, Trigger};
pub use publish::{PublishError, Publisher};
pub use settings::{BrokerSettings, Fsync};
pub use slots::SlotMap;
pub use stats::{
    Counter, CounterKind, CounterNames, Counters, OwnStats, Refusal, ShardStats, ShardStatus, Stats,
    StatsReader, StatsWriter, TriggerStats,
};
pub use subscribe::{LoadError, LoadProblem, Subscriber};
pub use swap::{Local, Swap};
pub use validate::{Flaw, Invalid};
