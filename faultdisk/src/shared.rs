//! What the disk's owner, its server and its slow syncs share.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rustix::io::Errno;

use crate::{
    faults::{Operation, Switches},
    tree::{Number, Tree},
};

/// The disk and its switches.
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) switches: Switches,
    /// Mounts that have ended. Who began in an earlier one touches nothing.
    pub(crate) mounts_ended: u64,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// A switch was turned or a mount has ended.
    pub(crate) changed: Condvar,
}

impl Shared {
    pub(crate) fn new(tree: Tree) -> Arc<Self> {
        let state = State { tree, switches: Switches::default(), mounts_ended: 0 };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is made whole or panics before it begins.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs wait for something.
    pub(crate) fn syncs_wait(&self) -> bool {
        let state = self.lock();
        state.switches.syncs_held || !state.switches.sync_delay.is_zero()
    }

    /// Syncs a file or directory, for a mount, when the switches let it.
    pub(crate) fn sync(&self, operation: Operation, number: Number, mount: u64) -> Result<(), Errno> {
        let mut state = self.lock();
        let verdict = state.switches.begin(operation);
        state = self.wait(state, mount);
        if state.mounts_ended != mount {
            return Err(Errno::IO);
        }
        match (verdict, operation) {
            (Ok(()), Operation::SyncDirectory) => state.tree.sync_directory(number),
            (Ok(()), _) => state.tree.sync_file(number)?,
            (Err(_), Operation::Sync) if state.switches.failed_sync_forgets() => {
                state.tree.forget_unsynced(number)?;
            }
            (Err(_), _) => {}
        }
        verdict
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, mount: u64) -> MutexGuard<'a, State> {
        let began = Instant::now();
        state.switches.syncs_waiting += 1;
        while state.mounts_ended == mount {
            let left = state.switches.sync_delay.saturating_sub(began.elapsed());
            state = if state.switches.syncs_held {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if left.is_zero() {
                break;
            } else {
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
        state.switches.syncs_waiting -= 1;
        state
    }
}
