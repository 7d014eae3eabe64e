//! Connections that rest between two requests: who has rested longest is the
//! first to be closed when there is no place for a new one.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use crate::runtime::notify::Notify;

/// The resting connections of a shard, the longest first.
#[derive(Default)]
pub(super) struct Idle {
    resting: RefCell<BTreeMap<u64, Rc<Notify>>>,
    arrivals: Cell<u64>,
}

impl Idle {
    /// A connection begins to rest; `close` tells it that its place is wanted.
    pub(super) fn rest(&self, close: &Rc<Notify>) -> Rest<'_> {
        let key = self.arrivals.get();
        self.arrivals.set(key + 1);
        self.resting.borrow_mut().insert(key, Rc::clone(close));
        Rest { idle: self, key }
    }

    /// Closes the connection that has rested longest; false if none rests.
    pub(super) fn shed(&self) -> bool {
        let longest = self.resting.borrow_mut().pop_first();
        longest.inspect(|(_, close)| close.notify()).is_some()
    }
}

/// A connection rests for as long as this lives.
pub(super) struct Rest<'i> {
    idle: &'i Idle,
    key: u64,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.idle.resting.borrow_mut().remove(&self.key);
    }
}
