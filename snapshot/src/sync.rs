//! The primitives [`crate::Swap`] is made of: the standard library's, or
//! loom's when the model checker runs it (`--cfg loom`).

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
