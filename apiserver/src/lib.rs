//! A real Kubernetes API server for tests: kube-apiserver on an etcd of its own, on
//! loopback, without nodes.
//!
//! What is promised: [`tests!`] makes a test binary whose tests have a server at hand;
//! where none can be had they count as ignored, with the reason, or fail if
//! `EAGRE_REQUIRE_APISERVER` is 1. Requests are authorized by RBAC, and tokens of
//! service accounts are real. Nothing outlives the process that started it, however
//! that ends.
//!
//! What it owns: the two programs and the folder in which they run.
//!
//! Deliberately absent: everything that a cluster's other programs do. There is no
//! controller manager, so nothing is collected when its owner goes, a namespace that
//! is deleted stays `Terminating`, no default service account is made, and roles that
//! are put together from others (`view`, `edit`, `admin`) are empty; there is no
//! scheduler and no kubelet, so a pod stays as it was written.

mod binaries;
mod build;
mod error;
mod folder;
mod harness;
mod keys;
mod objects;
mod port;
mod process;
mod server;

pub use binaries::Binaries;
pub use error::Error;
#[doc(hidden)]
pub use harness::{Test, run};
pub use server::ApiServer;
