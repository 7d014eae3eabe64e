//! An event as the log keeps it: ready to be sent.
//!
//! Layout, version 1; integers are little-endian, parts follow each other
//! without gaps:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version of this layout: 1 |
//! | 1 | 1 | CloudEvents version: 0 is 0.3, 1 is 1.0 |
//! | 2 | 1 | `knativebrokerttl`, 1 to 255 |
//! | 3 | 1 | flags: none yet, 0 |
//! | 4 | 2 | number of attributes |
//! | 6 | 2 | where the index starts: 40; a later writer may put more before it |
//! | 8 | 4 | bytes of the arena |
//! | 12 | 4 | bytes of the header block |
//! | 16 | 4 | bytes of the payload |
//! | 20 | 4 | reserved: 0 |
//! | 24 | 16 | positions in the index of specversion, id, source, type, subject, time, dataschema, datacontenttype; 65535: absent |
//! | 40 | 16 × n | the index (see `index.rs`) |
//! | … | | the arena |
//! | … | | the header block, in the form of binary mode |
//! | … | | the payload |
//!
//! Lengths come first and block and payload last, so that a reader that only
//! sends needs nothing but the first 20 bytes. There is no checksum: the log
//! has one over the whole record.

use thiserror::Error;

use crate::index::{ABSENT, ENTRY_BYTES, Index};
use crate::name::{ARRIVAL_TIME, Known, SpecVersion, is_name_byte};
use crate::value::Value;

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 40;
const KNOWN_AT: usize = 24;

/// The fixed header, decoded.
pub(crate) struct Fixed {
    pub(crate) spec: SpecVersion,
    pub(crate) ttl: u8,
    pub(crate) attributes: u16,
    pub(crate) arena_bytes: u32,
    pub(crate) block_bytes: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) known: [u16; Known::COUNT],
}

/// Appends the fixed header.
pub(crate) fn write_head(out: &mut Vec<u8>, fixed: &Fixed) {
    out.extend_from_slice(&[VERSION, fixed.spec as u8, fixed.ttl, 0]);
    out.extend_from_slice(&fixed.attributes.to_le_bytes());
    out.extend_from_slice(&(FIXED_BYTES as u16).to_le_bytes());
    out.extend_from_slice(&fixed.arena_bytes.to_le_bytes());
    out.extend_from_slice(&fixed.block_bytes.to_le_bytes());
    out.extend_from_slice(&fixed.payload_bytes.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for position in fixed.known {
        out.extend_from_slice(&position.to_le_bytes());
    }
}

/// The bytes are not a record that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Written by a version that this one does not know.
    #[error("record version {0} is unknown, this program reads version 1; use the program that wrote it")]
    Version(u8),
    /// Not as long as its own header says.
    #[error("record is {found} bytes long, its header says {expected}; the log is damaged there")]
    Length {
        /// Bytes at hand.
        found: u64,
        /// Bytes announced.
        expected: u64,
    },
    /// A field holds what no writer writes.
    #[error("record field {0} is out of range; the log is damaged there")]
    Field(&'static str),
    /// An index entry points out of its part, or to something else.
    #[error("record attribute {0} is out of range; the log is damaged there")]
    Attribute(u16),
}

/// One event read back, borrowed from the log's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) spec: SpecVersion,
    ttl: u8,
    pub(crate) index: Index<'a>,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record and validates every offset in it.
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, Malformed> {
        let head = bytes.first_chunk::<FIXED_BYTES>();
        if let Some(version) = bytes.first().filter(|version| **version != VERSION) {
            return Err(Malformed::Version(*version));
        }
        let short = Malformed::Length { found: bytes.len() as u64, expected: FIXED_BYTES as u64 };
        let head = head.ok_or(short)?;
        let spec = SpecVersion::from_bits(head[1]).ok_or(Malformed::Field("specversion"))?;
        let ttl = Some(head[2]).filter(|ttl| *ttl != 0).ok_or(Malformed::Field("ttl"))?;
        if head[3] != 0 {
            return Err(Malformed::Field("flags"));
        }
        let index_at = usize::from(u16_at(head, 6));
        if index_at < FIXED_BYTES {
            return Err(Malformed::Field("start of the index"));
        }
        let index_bytes = usize::from(u16_at(head, 4)) * ENTRY_BYTES;
        let lengths = [8, 12, 16].map(|at| u32_at(head, at));
        let expected = (index_at + index_bytes) as u64 + lengths.iter().map(|l| u64::from(*l)).sum::<u64>();
        if expected != bytes.len() as u64 {
            return Err(Malformed::Length { found: bytes.len() as u64, expected });
        }
        let (_, rest) = bytes.split_at(index_at);
        let (entries, rest) = rest.split_at(index_bytes);
        let (arena, rest) = rest.split_at(lengths[0] as usize);
        let (block, payload) = rest.split_at(lengths[1] as usize);
        let known = std::array::from_fn(|n| u16_at(head, KNOWN_AT + 2 * n));
        let index = Index { known, entries: entries.as_chunks().0, block, arena };
        validate(&index)?;
        Ok(Record { spec, ttl, index, payload })
    }

    /// The header block in the form of binary mode: whole lines, each ended by
    /// CRLF, names in lower case. Holds the attributes, the content type and
    /// the pass-through fields, but neither content-length nor `knativebrokerttl`.
    pub fn headers(&self) -> &'a [u8] {
        self.index.block
    }

    /// The data of the event.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Passes through a broker that are left: 1 to 255.
    pub fn ttl(&self) -> u8 {
        self.ttl
    }

    /// All attributes but `knativebrokerttl`, in the order of the header block.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.index.iter()
    }

    /// The attribute of that lower-case name.
    pub fn attribute(&self, name: &str) -> Option<Value<'a>> {
        self.index.get(name)
    }
}

fn u16_at(bytes: &[u8; FIXED_BYTES], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8; FIXED_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Every name and value can be read, and the table of well-known attributes
/// and the index agree in both directions.
fn validate(index: &Index<'_>) -> Result<(), Malformed> {
    for position in 0..index.entries.len() as u16 {
        let damaged = Malformed::Attribute(position);
        let entry = index.entry(position).ok_or(damaged)?;
        let name = index.name(&entry).ok_or(damaged)?;
        index.value(&entry).ok_or(damaged)?;
        let fits = match entry.known {
            Some(known) => index.known[known as usize] == position,
            None => !name.is_empty() && name.bytes().all(is_name_byte),
        };
        if !fits {
            return Err(damaged);
        }
    }
    for (number, position) in index.known.into_iter().enumerate().filter(|(_, p)| *p != ABSENT) {
        let entry = index.entry(position).ok_or(Malformed::Attribute(position))?;
        if entry.known.is_none_or(|known| known as usize != number) {
            return Err(Malformed::Attribute(position));
        }
    }
    for required in [Known::SpecVersion, Known::Id, Known::Source, Known::Type] {
        if index.known[required as usize] == ABSENT {
            return Err(Malformed::Field(required.name()));
        }
    }
    if index.find(ARRIVAL_TIME.as_bytes()).is_none() {
        return Err(Malformed::Field(ARRIVAL_TIME));
    }
    Ok(())
}
