//! The keys of one attribute, and who is behind each.
//!
//! Equality is one hash lookup. Starts and ends live in a trie that is
//! flattened into a hash table: one pass over the value carries a rolling
//! hash, and at each length that some key has, that key is looked up. An
//! attribute whose keys have few lengths costs few lookups, whatever their
//! number.

use super::keys::Key;
use crate::condition::Relation;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// The entries behind one key.
pub(crate) type Entries = SmallVec<[u32; 2]>;

/// The index of one attribute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    equal: HashMap<Box<str>, Entries, RandomState>,
    start: Affixes<false>,
    end: Affixes<true>,
}

impl Table {
    /// How many entries are behind the key.
    pub(crate) fn count(&self, key: &Key) -> usize {
        match key.relation {
            Relation::Equals => self.equal.get(key.text.as_str()),
            Relation::StartsWith => self.start.get(&key.text),
            Relation::EndsWith => self.end.get(&key.text),
        }
        .map_or(0, SmallVec::len)
    }

    pub(crate) fn insert(&mut self, key: &Key, entry: u32) {
        match key.relation {
            Relation::Equals => self.equal.entry(key.text.as_str().into()).or_default().push(entry),
            Relation::StartsWith => self.start.insert(&key.text, entry),
            Relation::EndsWith => self.end.insert(&key.text, entry),
        }
    }

    pub(crate) fn remove(&mut self, key: &Key, entry: u32) {
        match key.relation {
            Relation::Equals => {
                if self.equal.get_mut(key.text.as_str()).is_some_and(|entries| take(entries, entry)) {
                    self.equal.remove(key.text.as_str());
                }
            }
            Relation::StartsWith => self.start.remove(&key.text, entry),
            Relation::EndsWith => self.end.remove(&key.text, entry),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.equal.is_empty() && self.start.lengths.is_empty() && self.end.lengths.is_empty()
    }

    /// Adds the entries behind every key that an attribute of this text has.
    #[inline]
    pub(crate) fn look_up(&self, text: &str, found: &mut Vec<u32>) {
        if let Some(entries) = self.equal.get(text) {
            // Mostly a single one: a loop is faster than copying a block.
            found.extend(entries.iter().copied());
        }
        if !self.start.lengths.is_empty() {
            self.start.look_up(text, found);
        }
        if !self.end.lengths.is_empty() {
            self.end.look_up(text, found);
        }
    }
}

/// Takes an entry out of a list; whether the list is empty then.
fn take(entries: &mut Entries, entry: u32) -> bool {
    if let Some(position) = entries.iter().position(|other| *other == entry) {
        entries.swap_remove(position);
    }
    entries.is_empty()
}

/// Starts of values or, with `REVERSED`, their ends.
#[derive(Clone, Debug, Default)]
struct Affixes<const REVERSED: bool> {
    table: HashTable<(Box<str>, Entries)>,
    /// The lengths of the keys, ascending, each with its number of keys.
    lengths: BTreeMap<usize, usize>,
    seed: Seed,
}

impl<const REVERSED: bool> Affixes<REVERSED> {
    fn hash(&self, affix: &str) -> u64 {
        let mut rolling = self.seed.rolling();
        each_byte::<REVERSED>(affix).for_each(|byte| rolling.push(byte));
        rolling.finish()
    }

    fn get(&self, affix: &str) -> Option<&Entries> {
        self.table.find(self.hash(affix), |(key, _)| **key == *affix).map(|(_, entries)| entries)
    }

    fn insert(&mut self, affix: &str, entry: u32) {
        let hash = self.hash(affix);
        if let Some((_, entries)) = self.table.find_mut(hash, |(key, _)| **key == *affix) {
            entries.push(entry);
            return;
        }
        let seed = self.seed.clone();
        let item = (Box::from(affix), SmallVec::from_slice(&[entry]));
        self.table.insert_unique(hash, item, |(key, _)| {
            let mut rolling = seed.rolling();
            each_byte::<REVERSED>(key).for_each(|byte| rolling.push(byte));
            rolling.finish()
        });
        *self.lengths.entry(affix.len()).or_default() += 1;
    }

    fn remove(&mut self, affix: &str, entry: u32) {
        let hash = self.hash(affix);
        let Ok(mut found) = self.table.find_entry(hash, |(key, _)| **key == *affix) else { return };
        if !take(&mut found.get_mut().1, entry) {
            return;
        }
        found.remove();
        let keys = self.lengths.get_mut(&affix.len()).expect("the length of every key is counted");
        *keys -= 1;
        if *keys == 0 {
            self.lengths.remove(&affix.len());
        }
    }

    fn look_up(&self, text: &str, found: &mut Vec<u32>) {
        let mut bytes = each_byte::<REVERSED>(text);
        let mut rolling = self.seed.rolling();
        let mut read = 0;
        for &length in self.lengths.keys() {
            if length > text.len() {
                return;
            }
            bytes.by_ref().take(length - read).for_each(|byte| rolling.push(byte));
            read = length;
            let affix =
                if REVERSED { &text.as_bytes()[text.len() - length..] } else { &text.as_bytes()[..length] };
            if let Some((_, entries)) = self.table.find(rolling.finish(), |(key, _)| key.as_bytes() == affix)
            {
                found.extend_from_slice(entries);
            }
        }
    }
}

fn each_byte<const REVERSED: bool>(text: &str) -> impl Iterator<Item = u8> {
    let bytes = text.as_bytes();
    let count = bytes.len();
    (0..count).map(move |at| bytes[if REVERSED { count - 1 - at } else { at }])
}

/// Where rolling hashes begin: different in every process, so that nobody can
/// prepare collisions.
#[derive(Clone, Debug)]
struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Seed(RandomState::default().hash_one(0u64))
    }
}

impl Seed {
    fn rolling(&self) -> Rolling {
        Rolling(self.0)
    }
}

/// A hash that grows byte by byte.
struct Rolling(u64);

impl Rolling {
    /// An odd number with well-mixed bits (the golden ratio in 64 bits).
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

    fn push(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(Rolling::FACTOR);
    }

    /// The table takes its buckets from the low and its tags from the high
    /// bits, so both must depend on all of the state.
    fn finish(&self) -> u64 {
        let wide = u128::from(self.0) * u128::from(Rolling::FACTOR);
        (wide as u64) ^ ((wide >> 64) as u64)
    }
}
