//! The map of everything that is looked up by identity.

/// A hash map that is walked in the same order in every run with the same
/// history: what a shard does next never depends on a random seed of the
/// process.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;
