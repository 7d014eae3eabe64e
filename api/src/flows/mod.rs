//! Kinds of the group `flows.knative.dev`.

mod sequence;
mod parallel;

pub use parallel::{Parallel, ParallelBranch, ParallelSpec};
pub use sequence::{Sequence, SequenceSpec, SequenceStep};
