//! The matcher: which triggers does an event go to?

use super::keys::{Key, keys};
use super::memory::Memory;
use super::names::Names;
use super::nodes::{Judge, NodeId, Nodes};
use super::table::Table;
use crate::cesql::CorrelationKeys;
use crate::condition::{Condition, Relation};
use crate::value::Attributes;
use crate::view::View;
use crate::{Filter, Problem};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The filters of all triggers of a broker, ready to judge events.
///
/// Cheap to update (one trigger costs microseconds, whatever the number of the
/// others) and safe to share: judging needs no exclusive access and leaves
/// nothing behind.
#[derive(Clone, Default)]
pub struct Matcher {
    names: Names,
    nodes: Nodes,
    /// The tables of the attributes that some key is about, by interned number.
    tables: Vec<(u32, Table)>,
    /// Entries that have no key: they are judged for every event.
    keyless: Vec<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    slots: HashMap<u32, u32>,
    keys: Option<Arc<dyn CorrelationKeys>>,
}

/// One trigger.
#[derive(Clone, Debug, Default)]
struct Entry {
    slot: u32,
    /// What is left to judge once a key was met.
    rest: Option<NodeId>,
    /// The keys, each with its attribute's number; `None` for a keyless entry.
    keys: Option<Vec<(u32, Key)>>,
}

impl Matcher {
    /// A matcher without triggers: no event matches anything.
    pub fn new() -> Self {
        Matcher::default()
    }

    /// The same matcher with keys for `KN_VERIFY_CORRELATION_ID`; without keys
    /// that function is an error, and filters that call it do not pass.
    #[must_use]
    pub fn with_keys(mut self, keys: Arc<dyn CorrelationKeys>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// How many triggers there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no trigger.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts the trigger `slot` under `filter`, instead of what was there. A
    /// filter that `validate` refuses changes nothing.
    pub fn insert(&mut self, slot: u32, filter: &Filter) -> Result<(), Problem> {
        crate::validate(filter).map_err(|mut problems| problems.swap_remove(0))?;
        let condition = Condition::of(filter).expect("a valid filter has no expression that does not parse");
        self.remove(slot);
        let entry = self.free.pop().unwrap_or(self.entries.len() as u32);
        let built = self.enter(slot, entry, condition.as_ref());
        match self.entries.get_mut(entry as usize) {
            Some(place) => *place = built,
            None => self.entries.push(built),
        }
        self.slots.insert(slot, entry);
        Ok(())
    }

    /// Makes the trigger findable.
    fn enter(&mut self, slot: u32, entry: u32, condition: Option<&Condition>) -> Entry {
        let chosen = condition.and_then(|condition| keys(condition, &|key| self.cost(key)));
        let is_implied = chosen.is_some() && condition.is_some_and(is_lookup);
        let rest = match condition {
            Some(condition) if !is_implied => Some(self.nodes.hold(condition, &mut self.names)),
            _ => None,
        };
        let Some(chosen) = chosen else {
            self.keyless.push(entry);
            return Entry { slot, rest, keys: None };
        };
        let keys = chosen.list.into_iter().map(|key| {
            let attribute = self.names.hold(&key.attribute);
            self.table(attribute).insert(&key, entry);
            (attribute, key)
        });
        Entry { slot, rest, keys: Some(keys.collect()) }
    }

    /// A key with few entries is better than a busy one, equality better than
    /// a start or an end, and an attribute that is looked up anyway better
    /// than a new one.
    fn cost(&self, key: &Key) -> usize {
        let known = self.names.find(&key.attribute);
        let table = known.and_then(|number| self.tables.iter().find(|(attribute, _)| *attribute == number));
        let relation = if key.relation == Relation::Equals { 0 } else { 16 };
        match table {
            Some((_, table)) => 2 * table.count(key) + relation,
            None => 1 + relation,
        }
    }

    fn table(&mut self, attribute: u32) -> &mut Table {
        let position = self.tables.iter().position(|(number, _)| *number == attribute).unwrap_or_else(|| {
            self.tables.push((attribute, Table::default()));
            self.tables.len() - 1
        });
        &mut self.tables[position].1
    }

    /// Takes the trigger `slot` out; nothing happens if it is not there.
    pub fn remove(&mut self, slot: u32) {
        let Some(number) = self.slots.remove(&slot) else { return };
        let entry = std::mem::take(&mut self.entries[number as usize]);
        self.free.push(number);
        if entry.keys.is_none() {
            let position = self.keyless.iter().position(|other| *other == number);
            self.keyless.swap_remove(position.expect("an entry without keys is in the list of those"));
        }
        for (attribute, key) in entry.keys.into_iter().flatten() {
            let table = self.table(attribute);
            table.remove(&key, number);
            if table.is_empty() {
                self.tables.retain(|(other, _)| *other != attribute);
            }
            self.names.release(attribute);
        }
        if let Some(rest) = entry.rest {
            self.nodes.release(rest, &mut self.names);
        }
    }

    /// Fills `out` with the slots of every trigger the event goes to, in
    /// ascending order. Allocates nothing once `out` is large enough, unless
    /// an expression builds strings.
    pub fn matches<A: Attributes>(&self, event: &A, out: &mut Vec<u32>) {
        out.clear();
        let mut view = View::new(event, self.names.list());
        let may_judge = !self.nodes.is_empty();
        for (attribute, table) in &self.tables {
            view.first(*attribute, may_judge, |text| table.look_up(text, out));
        }
        if !self.keyless.is_empty() {
            out.extend_from_slice(&self.keyless);
        }
        if out.len() > 1 {
            // A trigger with several keys may have been met by each of them.
            out.sort_unstable();
            out.dedup();
        }
        if out.iter().any(|entry| self.entry(*entry).rest.is_some()) {
            self.judge(&mut view, out);
        }
        out.iter_mut().for_each(|entry| *entry = self.entry(*entry).slot);
        if out.len() > 1 {
            out.sort_unstable();
        }
    }

    fn entry(&self, number: u32) -> &Entry {
        &self.entries[number as usize]
    }

    /// Keeps the entries whose conditions hold. Apart from the lookup, because
    /// its memory takes two kilobytes of stack that most events do not need.
    #[inline(never)]
    fn judge<'e, A: Attributes>(&'e self, view: &mut View<'e, A>, found: &mut Vec<u32>) {
        let mut judge =
            Judge { view, memory: Memory::new(), keys: self.keys.as_deref().map(|keys| keys as _) };
        found.retain(|entry| self.entry(*entry).rest.is_none_or(|rest| self.nodes.holds(rest, &mut judge)));
    }
}

/// Whether meeting one of its keys is all that the condition asks.
fn is_lookup(condition: &Condition) -> bool {
    match condition {
        Condition::Text(..) => true,
        Condition::Any(list) => list.iter().all(|inner| matches!(inner, Condition::Text(..))),
        _ => false,
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("triggers", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Matcher;
    use crate::Filter;

    #[test]
    fn removing_every_trigger_leaves_nothing_behind() {
        let filters = [
            Filter::Everything,
            Filter::Exact(vec![("type".into(), "a".into()), ("source".into(), "b".into())]),
            Filter::Any(vec![
                Filter::Prefix(vec![("type".into(), "a".into())]),
                Filter::Suffix(vec![("subject".into(), "b".into())]),
            ]),
            Filter::Not(Box::new(Filter::Cesql("LENGTH(x) > 2 AND (y = 'a' OR z IN ('b', 'c'))".into()))),
            Filter::Cesql("LENGTH(x) > 2 AND (y = 'a' OR z IN ('b', 'c'))".into()),
            Filter::Attributes(vec![("tier".into(), String::new())]),
        ];
        let mut matcher = Matcher::new();
        for round in 0..3 {
            for (slot, filter) in filters.iter().cycle().take(20).enumerate() {
                matcher.insert(slot as u32 + round, filter).unwrap();
            }
        }
        (0..30).for_each(|slot| matcher.remove(slot));
        assert!(matcher.is_empty() && matcher.keyless.is_empty() && matcher.tables.is_empty());
        assert!(matcher.nodes.is_empty());
        assert_eq!(matcher.names.find("type"), None);
    }
}
