//! One event while it is judged: every attribute is asked for once at most.

use crate::limits::ATTRIBUTES_INLINE;
use crate::value::{Attributes, Decimal, Value, boolean_text};
use smallvec::SmallVec;

/// Ends the interned name of an attribute of which only the part before the
/// first `;` counts. No attribute's name has it.
const UP_TO_PARAMETERS: u8 = b';';

/// The interned name behind the legacy name `datamediatype`: the content type
/// without its parameters (contract 2.2). It counts as an attribute of its own.
pub(crate) const MEDIA_TYPE: &str = "datacontenttype;";

#[derive(Clone, Copy)]
enum Slot<'e> {
    Unread,
    Missing,
    String(&'e str),
    Integer(i32, Decimal),
    Boolean(bool),
}

impl Slot<'_> {
    #[inline]
    fn text(&self) -> Option<&str> {
        match self {
            Slot::String(text) => Some(text),
            Slot::Integer(_, digits) => Some(digits.as_str()),
            Slot::Boolean(truth) => Some(boolean_text(*truth)),
            Slot::Missing | Slot::Unread => None,
        }
    }
}

/// The attributes of one event by interned number.
pub(crate) struct View<'e, A> {
    event: &'e A,
    names: &'e [Box<str>],
    slots: SmallVec<[Slot<'e>; ATTRIBUTES_INLINE]>,
}

impl<'e, A: Attributes> View<'e, A> {
    pub(crate) fn new(event: &'e A, names: &'e [Box<str>]) -> Self {
        View { event, names, slots: SmallVec::new() }
    }

    /// The attribute with its type.
    pub(crate) fn value(&mut self, id: u32) -> Option<Value<'e>> {
        match *self.read(id) {
            Slot::String(text) => Some(Value::String(text)),
            Slot::Integer(number, _) => Some(Value::Integer(number)),
            Slot::Boolean(truth) => Some(Value::Boolean(truth)),
            Slot::Missing | Slot::Unread => None,
        }
    }

    /// The attribute's canonical string.
    pub(crate) fn text(&mut self, id: u32) -> Option<&str> {
        self.read(id).text()
    }

    /// Hands the attribute's canonical string to `look_up`, before anything
    /// else has asked for it. It is kept only if somebody may ask again: a
    /// matcher of nothing but lookups has no use for it.
    #[inline]
    pub(crate) fn first(&mut self, id: u32, keep: bool, look_up: impl FnOnce(&str)) {
        let slot = fetch(self.event, &self.names[id as usize]);
        if let Some(text) = slot.text() {
            look_up(text);
        }
        if keep {
            self.prepare();
            self.slots[id as usize] = slot;
        }
    }

    /// Makes room at the first use and not before: a full view would be copied
    /// when it is moved to its place.
    #[inline]
    fn prepare(&mut self) {
        if self.slots.is_empty() {
            self.slots.resize(self.names.len(), Slot::Unread);
        }
    }

    #[inline]
    fn read(&mut self, id: u32) -> &Slot<'e> {
        self.prepare();
        let slot = &mut self.slots[id as usize];
        if matches!(slot, Slot::Unread) {
            *slot = fetch(self.event, &self.names[id as usize]);
        }
        slot
    }
}

#[inline]
fn fetch<'e, A: Attributes>(event: &'e A, name: &str) -> Slot<'e> {
    // Comparing one byte, where `strip_suffix` would compare strings.
    if name.as_bytes().last() == Some(&UP_TO_PARAMETERS) {
        return match event.get(&name[..name.len() - 1]) {
            Some(Value::String(text)) => Slot::String(text.split(';').next().unwrap_or_default().trim()),
            _ => Slot::Missing,
        };
    }
    match event.get(name) {
        None => Slot::Missing,
        Some(Value::String(text)) => Slot::String(text),
        Some(Value::Integer(number)) => Slot::Integer(number, Decimal::of(number)),
        Some(Value::Boolean(truth)) => Slot::Boolean(truth),
    }
}
