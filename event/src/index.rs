//! The attribute index: where each attribute's name and value lie.
//!
//! One entry of 16 bytes per attribute, integers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | start of the name in the header block; 0 for `datacontenttype`, whose field is `content-type` |
//! | 4 | 2 | length of the name; 0 for `datacontenttype` |
//! | 6 | 1 | number of a well-known attribute, or 255 |
//! | 7 | 1 | bits 0–3: type (0 string, 1 integer, 2 Boolean); bit 7: the value lies in the arena; others 0 |
//! | 8 | 4 | start of the canonical value in the header block or the arena |
//! | 12 | 4 | length of the canonical value |
//!
//! The arena holds canonical values that differ from the bytes of the header.

use std::ops::Range;

use crate::name::Known;
use crate::value::{Tag, Value};

pub(crate) const ENTRY_BYTES: usize = 16;
/// Position of a well-known attribute that the event does not have.
pub(crate) const ABSENT: u16 = u16::MAX;
const NOT_KNOWN: u8 = u8::MAX;
const IN_ARENA: u8 = 0x80;

/// One attribute, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name_at: u32,
    pub(crate) name_bytes: u16,
    pub(crate) known: Option<Known>,
    pub(crate) tag: Tag,
    pub(crate) in_arena: bool,
    pub(crate) value_at: u32,
    pub(crate) value_bytes: u32,
}

impl Entry {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[0..4].copy_from_slice(&self.name_at.to_le_bytes());
        out[4..6].copy_from_slice(&self.name_bytes.to_le_bytes());
        out[6] = self.known.map_or(NOT_KNOWN, |known| known as u8);
        out[7] = self.tag as u8 | if self.in_arena { IN_ARENA } else { 0 };
        out[8..12].copy_from_slice(&self.value_at.to_le_bytes());
        out[12..16].copy_from_slice(&self.value_bytes.to_le_bytes());
        out
    }

    /// `None` if a tag or number is unknown. Positions are checked where they are used.
    fn from_bytes(b: &[u8; ENTRY_BYTES]) -> Option<Entry> {
        let known = match b[6] {
            NOT_KNOWN => None,
            bits => Some(Known::from_bits(bits)?),
        };
        Some(Entry {
            name_at: u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            name_bytes: u16::from_le_bytes([b[4], b[5]]),
            known,
            tag: Tag::from_bits(b[7] & !IN_ARENA)?,
            in_arena: b[7] & IN_ARENA != 0,
            value_at: u32::from_le_bytes([b[8], b[9], b[10], b[11]]),
            value_bytes: u32::from_le_bytes([b[12], b[13], b[14], b[15]]),
        })
    }

    fn name_range(&self) -> Range<usize> {
        let start = self.name_at as usize;
        start..start + usize::from(self.name_bytes)
    }

    fn value_range(&self) -> Range<usize> {
        let start = self.value_at as usize;
        start..start + self.value_bytes as usize
    }
}

/// A look at an index and the bytes that it points into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index<'a> {
    /// Positions of the well-known attributes.
    pub(crate) known: [u16; Known::COUNT],
    pub(crate) entries: &'a [[u8; ENTRY_BYTES]],
    /// The header block.
    pub(crate) block: &'a [u8],
    pub(crate) arena: &'a [u8],
}

impl<'a> Index<'a> {
    /// The attribute of that lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        match Known::of(name.as_bytes()) {
            Some(known) => self.value(&self.entry(self.known[known as usize])?),
            None => self.value(&self.find(name.as_bytes())?),
        }
    }

    /// Canonical string of a well-known attribute.
    pub(crate) fn known_text(&self, known: Known) -> Option<&'a str> {
        self.text(&self.entry(self.known[known as usize])?)
    }

    /// An attribute that is not well-known, by scan.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Entry> {
        let same = |entry: &Entry| {
            usize::from(entry.name_bytes) == name.len() && self.block.get(entry.name_range()) == Some(name)
        };
        self.entries.iter().filter_map(Entry::from_bytes).find(|entry| entry.known.is_none() && same(entry))
    }

    /// All attributes in the order of the header block.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        (0..self.entries.len() as u16).filter_map(move |position| {
            let entry = self.entry(position)?;
            Some((self.name(&entry)?, self.value(&entry)?))
        })
    }

    pub(crate) fn entry(&self, position: u16) -> Option<Entry> {
        Entry::from_bytes(self.entries.get(usize::from(position))?)
    }

    pub(crate) fn name(&self, entry: &Entry) -> Option<&'a str> {
        match entry.known {
            Some(known) => Some(known.name()),
            None => str::from_utf8(self.block.get(entry.name_range())?).ok(),
        }
    }

    pub(crate) fn value(&self, entry: &Entry) -> Option<Value<'a>> {
        entry.tag.read(self.text(entry)?)
    }

    fn text(&self, entry: &Entry) -> Option<&'a str> {
        let bytes = if entry.in_arena { self.arena } else { self.block };
        str::from_utf8(bytes.get(entry.value_range())?).ok()
    }
}
