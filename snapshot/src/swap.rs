//! Handing a new value to the shards of this process.
//!
//! Promise: [`Swap::refresh`] costs one atomic load while nothing is new, never
//! moves a reader back to an older value, and misses no newest one. A value is
//! dropped when its last holder lets go of it.
//!
//! Owns: the newest value. Each reader owns the [`Local`] it reads from, so a
//! loop turn sees one value from start to end.
//!
//! Absent on purpose: a lock-free slot. The lock is taken only when there is
//! something new, for as long as an `Arc` takes to clone.

use std::ops::Deref;
use std::sync::PoisonError;

use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// The newest value, shared by its writers and many readers.
#[derive(Debug)]
pub struct Swap<T> {
    /// How many values there have been, readable without the lock. Changes only
    /// while the lock is held.
    stored: AtomicU64,
    newest: Mutex<Local<T>>,
}

/// A reader's own hold on one value.
#[derive(Debug)]
pub struct Local<T> {
    /// How many there were before it.
    sequence: u64,
    value: Arc<T>,
}

impl<T> Swap<T> {
    /// Starts with `value`.
    pub fn new(value: Arc<T>) -> Swap<T> {
        Swap { stored: AtomicU64::new(0), newest: Mutex::new(Local { sequence: 0, value }) }
    }

    /// Makes `value` the newest.
    pub fn store(&self, value: Arc<T>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = newest.sequence + 1;
        let replaced = std::mem::replace(&mut *newest, Local { sequence, value });
        // Release: who loads this count also sees what was written before it was stored.
        self.stored.store(sequence, Ordering::Release);
        drop(newest);
        // After the lock: this may be the last holder, and dropping a large table takes a while.
        drop(replaced);
    }

    /// The newest value, to start a reader with.
    pub fn local(&self) -> Local<T> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves `local` to the newest value; true if that changed it. One atomic
    /// load if there is nothing newer.
    #[inline]
    pub fn refresh(&self, local: &mut Local<T>) -> bool {
        if self.stored.load(Ordering::Acquire) == local.sequence {
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
    /// The value, to be kept beyond the next refresh.
    pub fn value(&self) -> &Arc<T> {
        &self.value
    }
}

impl<T> Clone for Local<T> {
    fn clone(&self) -> Self {
        Local { sequence: self.sequence, value: Arc::clone(&self.value) }
    }
}

impl<T> Deref for Local<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
