//! Handing a new value to the shards of this process.
//!
//! Promise: [`Swap::refresh`] costs one atomic load while nothing is new, never
//! moves a reader back to an older generation, and never shows a value under
//! another value's generation. A value is dropped when its last holder lets go
//! of it.
//!
//! Owns: the newest value. Each reader owns the [`Local`] it reads from, so a
//! loop turn sees one generation from start to end.
//!
//! Absent on purpose: a lock-free slot. The lock is taken only when there is
//! something new, for as long as an `Arc` takes to clone.

use std::ops::Deref;
use std::sync::PoisonError;

use crate::Generation;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// The newest value and its generation, shared by one writer and many readers.
#[derive(Debug)]
pub struct Swap<T> {
    /// The generation in `newest`, readable without the lock. Changes only
    /// while the lock is held.
    announced: AtomicU64,
    newest: Mutex<Local<T>>,
}

/// A reader's own hold on one generation of the value.
#[derive(Debug)]
pub struct Local<T> {
    generation: Generation,
    value: Arc<T>,
}

impl<T> Swap<T> {
    /// Starts with `value` as `generation`.
    pub fn new(generation: Generation, value: Arc<T>) -> Swap<T> {
        Swap { announced: AtomicU64::new(generation.0), newest: Mutex::new(Local { generation, value }) }
    }

    /// Makes `value` the newest. Returns false, and drops it, unless
    /// `generation` is newer than what is there.
    pub fn store(&self, generation: Generation, value: Arc<T>) -> bool {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if generation <= newest.generation {
            return false;
        }
        let replaced = std::mem::replace(&mut *newest, Local { generation, value });
        // Release: who loads this generation also sees what was written before it was stored.
        self.announced.store(generation.0, Ordering::Release);
        drop(newest);
        // After the lock: this may be the last holder, and dropping a large table takes a while.
        drop(replaced);
        true
    }

    /// The newest value, to start a reader with.
    pub fn local(&self) -> Local<T> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves `local` to the newest value; true if that changed it. One atomic
    /// load if there is nothing newer.
    #[inline]
    pub fn refresh(&self, local: &mut Local<T>) -> bool {
        if self.announced.load(Ordering::Acquire) == local.generation.0 {
            return false;
        }
        self.take(local);
        true
    }

    #[cold]
    fn take(&self, local: &mut Local<T>) {
        let newest = self.local();
        // The lock has been released: a last holder's drop does not stall other readers.
        *local = newest;
    }
}

impl<T> Local<T> {
    /// The generation this reader is at.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The value, to be kept beyond the next refresh.
    pub fn value(&self) -> &Arc<T> {
        &self.value
    }
}

impl<T> Clone for Local<T> {
    fn clone(&self) -> Self {
        Local { generation: self.generation, value: Arc::clone(&self.value) }
    }
}

impl<T> Deref for Local<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
