//! A snapshot as bytes: a fixed header and a body, refused unless every bit of
//! both is as it was written.
//!
//! All integers of the header are little-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `EAGRSNAP` |
//! | 8 | 2 | major version |
//! | 10 | 2 | minor version |
//! | 12 | 4 | header bytes: where the body begins |
//! | 16 | 8 | generation |
//! | 24 | 8 | body bytes |
//! | 32 | 8 | CRC-64/NVME over bytes 0 to 31, then from 40 to the end |
//! | 40 | | body: the [`Snapshot`] as a record ([`wire`]) |
//!
//! A minor version adds fields, to the body or behind the header, and a reader
//! passes over those it does not know. The magic never changes; all else may
//! with the major version, which is therefore checked before it.

mod filter;
mod record;
mod schema;
mod wire;

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};
use thiserror::Error;

pub(crate) use self::filter::depth_is_bounded;
use self::record::{FieldValue, Record};
use self::wire::Span;
use crate::excess::{Excess, Member};
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::model::Snapshot;

/// The major version this build writes, and the only one it reads.
pub const FORMAT_MAJOR: u16 = 3;
/// The minor version this build writes; it reads every one.
pub const FORMAT_MINOR: u16 = 1;

const MAGIC: [u8; 8] = *b"EAGRSNAP";
const HEADER_BYTES: usize = 40;
/// Where the checksum stands; it covers what is before it and behind it.
const CHECKSUM_AT: usize = 32;

/// Why a snapshot was not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// More than [`SNAPSHOT_BYTES_MAX`](crate::SNAPSHOT_BYTES_MAX).
    #[error("{0}")]
    Excess(Excess),
    /// A filter nested too deep, or with too many nodes.
    #[error("the filter of trigger {namespace}/{name} is too large to be written; split it")]
    Filter {
        /// The trigger's namespace.
        namespace: String,
        /// The trigger's name.
        name: String,
    },
}

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not even a header.
    #[error("{0} bytes are too few for the header of {HEADER_BYTES}")]
    TooShort(usize),
    /// Some other file.
    #[error("offset 0, magic: not a snapshot")]
    Magic,
    /// Written by another generation of Eagre.
    #[error(
        "offset 8, format version: {major}.{minor}, and this build reads {FORMAT_MAJOR}.x; run planes that share \
         the number before the point"
    )]
    Version {
        /// The file's.
        major: u16,
        /// The file's.
        minor: u16,
    },
    /// The body would begin inside the header, or behind the end of the file.
    #[error("offset 12, header bytes: {0}, which is not within {HEADER_BYTES} and the file's length")]
    HeaderBytes(u32),
    /// Truncated, or followed by something.
    #[error("offset 24, body bytes: the header says {stated}, the file has {found}")]
    BodyBytes {
        /// What the header states.
        stated: u64,
        /// What follows the header.
        found: u64,
    },
    /// A bit differs from what was written.
    #[error("offset {CHECKSUM_AT}, checksum: {stored:016x} stored, {computed:016x} computed")]
    Checksum {
        /// As stored.
        stored: u64,
        /// Of these bytes.
        computed: u64,
    },
    /// The checksum holds, yet the body is not a snapshot.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// What is wrong with the body of a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct BodyError {
    /// From the start of the file.
    pub offset: usize,
    /// Names of the records and the field around it, joined by points; empty
    /// where no field is known.
    pub field: String,
    /// What is wrong.
    pub flaw: BodyFlaw,
}

/// What can be wrong with a field of the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyFlaw {
    /// A value, or a list of fields, ends too early.
    #[error("ends in the middle of a value")]
    Cut,
    /// Neither a field's number nor the length of its value can be told.
    #[error("not the key of a field")]
    Key,
    /// More than 64 bits.
    #[error("not a number of up to 64 bits")]
    Number,
    /// A text where a number should be, or the like.
    #[error("another type of value than this field has")]
    Type,
    /// Too large a number.
    #[error("{value} is more than {max}")]
    Range {
        /// The number.
        value: u64,
        /// The largest this field can have.
        max: u64,
    },
    /// A text that is none.
    #[error("not UTF-8")]
    Utf8,
    /// A choice that a later version has added; there is no passing over it.
    #[error("{0} is none of the choices this version knows; run the version that wrote it")]
    Choice(u64),
    /// A list that is too long.
    #[error("more than {0} in one list")]
    Count(usize),
    /// A filter that is none.
    #[error("the nodes do not form one tree within the limit of depth")]
    Tree,
}

impl BodyError {
    fn new(offset: usize, flaw: BodyFlaw) -> BodyError {
        BodyError { offset, field: String::new(), flaw }
    }

    /// The same, seen from the record that has it in field `name`.
    fn within(mut self, name: &str) -> BodyError {
        let point = if self.field.is_empty() { "" } else { "." };
        self.field.insert_str(0, point);
        self.field.insert_str(0, name);
        self
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "body" } else { &self.field };
        write!(f, "offset {}, {field}: {}", self.offset, self.flaw)
    }
}

/// `snapshot` as the file of generation `number`.
pub fn encode(number: u64, snapshot: &Snapshot) -> Result<Vec<u8>, EncodeError> {
    if let Some(trigger) = snapshot.triggers.iter().find(|trigger| !filter::is_bounded(&trigger.filter)) {
        let (namespace, name) = (trigger.namespace.clone(), trigger.name.clone());
        return Err(EncodeError::Filter { namespace, name });
    }
    let mut file = vec![0; HEADER_BYTES];
    snapshot.put_fields(&mut file);
    if file.len() > SNAPSHOT_BYTES_MAX
        && let Some(excess) = snapshot.excess_of_bytes()
    {
        return Err(EncodeError::Excess(excess));
    }
    let body_bytes = (file.len() - HEADER_BYTES) as u64;
    file[..8].copy_from_slice(&MAGIC);
    file[8..10].copy_from_slice(&FORMAT_MAJOR.to_le_bytes());
    file[10..12].copy_from_slice(&FORMAT_MINOR.to_le_bytes());
    file[12..16].copy_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    file[16..24].copy_from_slice(&number.to_le_bytes());
    file[24..32].copy_from_slice(&body_bytes.to_le_bytes());
    let checksum = checksum(&file);
    file[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(file)
}

/// The first broker or trigger that makes the file longer than `bytes_max`.
pub(crate) fn first_beyond(snapshot: &Snapshot, bytes_max: usize) -> Option<Member> {
    let mut file = vec![0; HEADER_BYTES];
    Snapshot { brokers: Vec::new(), triggers: Vec::new(), ..*snapshot }.put_fields(&mut file);
    let mut left = bytes_max.checked_sub(file.len());
    let mut is_beyond = |member: &dyn FieldValue| {
        file.clear();
        // Every field number below 16 takes the same byte.
        member.put(1, &mut file);
        left = left.and_then(|left| left.checked_sub(file.len()));
        left.is_none()
    };
    let broker = snapshot.brokers.iter().position(|broker| is_beyond(broker));
    let mut trigger = || snapshot.triggers.iter().position(|trigger| is_beyond(trigger));
    broker.map(Member::Broker).or_else(|| trigger().map(Member::Trigger))
}

/// The number of the generation that `file` holds, and its content, if it holds
/// exactly that.
///
/// Total on any input: memory is bounded by a multiple of the length of
/// `file`, recursion by nothing in it. The result is not [validated](Snapshot::validate).
pub fn decode(file: &[u8]) -> Result<(u64, Snapshot), DecodeError> {
    let Some((header, behind)) = file.split_first_chunk::<HEADER_BYTES>() else {
        return Err(DecodeError::TooShort(file.len()));
    };
    if header[..8] != MAGIC {
        return Err(DecodeError::Magic);
    }
    let (major, minor) = (u16::from_le_bytes(at(header, 8)), u16::from_le_bytes(at(header, 10)));
    if major != FORMAT_MAJOR {
        return Err(DecodeError::Version { major, minor });
    }
    let header_bytes = u32::from_le_bytes(at(header, 12));
    let body = (header_bytes as usize).checked_sub(HEADER_BYTES).and_then(|skipped| behind.get(skipped..));
    let body = body.ok_or(DecodeError::HeaderBytes(header_bytes))?;
    let (stated, found) = (u64::from_le_bytes(at(header, 24)), body.len() as u64);
    if stated != found {
        return Err(DecodeError::BodyBytes { stated, found });
    }
    let (stored, computed) = (u64::from_le_bytes(at(header, CHECKSUM_AT)), checksum(file));
    if stored != computed {
        return Err(DecodeError::Checksum { stored, computed });
    }
    let snapshot = Snapshot::read(Span::new(header_bytes as usize, body))?;
    Ok((u64::from_le_bytes(at(header, 16)), snapshot))
}

/// Whether the version that wrote `file`, which was decoded, is this one.
pub(crate) fn is_of_this_version(file: &[u8]) -> bool {
    file.get(10..12) == Some(&FORMAT_MINOR.to_le_bytes())
}

/// Over everything but the checksum itself. `file` is at least a header long.
fn checksum(file: &[u8]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&file[..CHECKSUM_AT]);
    digest.update(&file[HEADER_BYTES..]);
    digest.finalize()
}

fn at<const N: usize>(header: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| header[offset + i])
}
