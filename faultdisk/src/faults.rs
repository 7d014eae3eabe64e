//! Faults that are switched on while the disk is in use.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rustix::io::Errno;

use crate::shared::Shared;

/// What the disk is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Bytes are read that the kernel has not cached. What failed as it read
    /// ahead it tries again.
    Read,
    /// Bytes are written. The kernel makes one large write into several of at
    /// most 1 MiB, and may write dirty pages of a map back at any time.
    Write,
    /// The size is set.
    SetSize,
    /// A file is synced, data only or all of it, or a map of it is.
    Sync,
    /// A directory is synced.
    SyncDirectory,
    /// A file or directory is created.
    Create,
    /// A file or directory is renamed.
    Rename,
    /// A file or directory is removed.
    Remove,
}

/// What is switched on. Operations are counted from the disk's beginning.
#[derive(Default)]
pub(crate) struct Switches {
    counts: BTreeMap<Operation, u64>,
    planned: Vec<Planned>,
    dies_at: Option<u64>,
    failed_sync_forgets: bool,
    pub(crate) sync_delay: Duration,
    pub(crate) syncs_held: bool,
    /// Syncs that wait for their release or their time.
    pub(crate) syncs_waiting: usize,
}

struct Planned {
    operation: Operation,
    at: u64,
    and_after: bool,
    errno: Errno,
}

impl Switches {
    /// Counts an operation that begins.
    ///
    /// # Errors
    /// It is one that shall fail.
    pub(crate) fn begin(&mut self, operation: Operation) -> Result<(), Errno> {
        let count = self.counts.entry(operation).or_default();
        *count += 1;
        let count = *count;
        if self.dies_at.is_some_and(|at| at < self.changes()) && operation != Operation::Read {
            return Err(Errno::IO);
        }
        let fails = |planned: &&Planned| {
            planned.operation == operation && (planned.at == count || planned.and_after && planned.at < count)
        };
        self.planned.iter().find(fails).map_or(Ok(()), |planned| Err(planned.errno))
    }

    pub(crate) fn failed_sync_forgets(&self) -> bool {
        self.failed_sync_forgets
    }

    fn plan(&mut self, operation: Operation, nth: u64, and_after: bool, errno: Errno) {
        let at = self.count(operation) + nth;
        self.planned.push(Planned { operation, at, and_after, errno });
    }

    pub(crate) fn revive(&mut self) {
        self.dies_at = None;
    }

    /// Operations besides reads.
    fn changes(&self) -> u64 {
        self.counts.values().sum::<u64>() - self.count(Operation::Read)
    }

    fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }
}

/// A handle on the faults of a disk; clones switch the same disk. They stay
/// switched on over a power cut.
#[derive(Clone)]
pub struct Faults(pub(crate) Arc<Shared>);

impl Faults {
    /// Makes the `nth` operation of a kind from now on fail; 1 is the next. It
    /// has no effect then: a failed write writes nothing, and what a failed
    /// sync should have written stays unsynced.
    pub fn fail(&self, operation: Operation, nth: u64, errno: Errno) {
        self.0.lock().switches.plan(operation, nth, false, errno);
    }

    /// Makes the `nth` operation of a kind from now on fail, and all after it.
    pub fn fail_from(&self, operation: Operation, nth: u64, errno: Errno) {
        self.0.lock().switches.plan(operation, nth, true, errno);
    }

    /// Makes the disk die after so many more operations of any kind but reads: each
    /// one after them fails with `EIO`, until the next power cut. The cut has then
    /// come right between two operations, whenever it comes. Reads go on, since
    /// one that fails under a map ends its process.
    pub fn die_after(&self, operations: u64) {
        let mut state = self.0.lock();
        state.switches.dies_at = Some(state.switches.changes() + operations);
    }

    /// Makes a failed [`Operation::Sync`] forget what it should have written, as
    /// Linux does: the next one says that all is well. Pages that
    /// the kernel has cached whole it still shows; what it reads anew is what the
    /// disk has.
    pub fn failed_sync_forgets(&self, forgets: bool) {
        self.0.lock().switches.failed_sync_forgets = forgets;
    }

    /// Makes every sync of a file or directory take so long at least.
    pub fn delay_syncs(&self, delay: Duration) {
        self.0.lock().switches.sync_delay = delay;
    }

    /// Makes every sync that begins from now on hang until
    /// [`release_syncs`](Self::release_syncs), or until the mount is gone.
    pub fn hold_syncs(&self) {
        self.0.lock().switches.syncs_held = true;
    }

    /// Lets the syncs go on.
    pub fn release_syncs(&self) {
        self.0.lock().switches.syncs_held = false;
        self.0.changed.notify_all();
    }

    /// Syncs that hang or are delayed at this moment.
    #[must_use]
    pub fn syncs_waiting(&self) -> usize {
        self.0.lock().switches.syncs_waiting
    }

    /// Operations of a kind that have begun, failed ones included.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        self.0.lock().switches.count(operation)
    }

    /// Switches everything off.
    pub fn clear(&self) {
        let mut state = self.0.lock();
        let Switches { counts, syncs_waiting, .. } = std::mem::take(&mut state.switches);
        state.switches = Switches { counts, syncs_waiting, ..Switches::default() };
        drop(state);
        self.0.changed.notify_all();
    }
}
