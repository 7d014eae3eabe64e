//! The configuration: followed, compiled, and handed to the shards.

pub(crate) mod table;
pub(crate) mod follow;

use std::{cell::RefCell, sync::Arc};

use self::table::Table;

/// The configuration that one shard works by. It changes between turns of the
/// shard's loop, so that every event is judged by exactly one.
#[derive(Default)]
pub(crate) struct Routes(RefCell<Arc<Table>>);

impl Routes {
    /// The configuration in force.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.0.borrow())
    }

    /// From now on.
    pub(crate) fn replace(&self, table: Arc<Table>) {
        self.0.replace(table);
    }
}
