//! Small dense numbers for triggers.

use std::collections::{BTreeSet, HashMap};

use crate::model::Id;

/// Which slot each trigger has: stable while the trigger exists, the lowest
/// free one when it is new.
///
/// Belongs to the one thread of the data plane that applies snapshots.
#[derive(Clone, Debug, Default)]
pub struct SlotMap {
    slots: HashMap<Id, u32>,
    /// Below `end`, and nobody's.
    free: BTreeSet<u32>,
    end: u32,
}

impl SlotMap {
    /// Nobody has a slot.
    pub fn new() -> SlotMap {
        SlotMap::default()
    }

    /// The slot of `id`.
    pub fn get(&self, id: Id) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// The slot of `id`, a new one if it has none.
    pub fn insert(&mut self, id: Id) -> u32 {
        *self.slots.entry(id).or_insert_with(|| {
            self.free.pop_first().unwrap_or_else(|| {
                self.end += 1;
                self.end - 1
            })
        })
    }

    /// Frees the slot of `id`, and says which that was.
    pub fn remove(&mut self, id: Id) -> Option<u32> {
        let slot = self.slots.remove(&id)?;
        self.free.insert(slot);
        Some(slot)
    }

    /// Frees the slots of all triggers but those for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(Id) -> bool) {
        let free = &mut self.free;
        self.slots.retain(|&id, &mut slot| keep(id) || !free.insert(slot));
    }

    /// One above the highest slot ever given.
    pub fn end(&self) -> u32 {
        self.end
    }
}
