//! A snapshot as bytes: a fixed header and a body, refused unless every bit of
//! both is as it was written.
//!
//! All integers of the header are little-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `EAGRSNAP` |
//! | 8 | 4 | format version |
//! | 12 | 4 | header bytes |
//! | 16 | 8 | generation |
//! | 24 | 8 | body bytes |
//! | 32 | 8 | CRC-64/NVME over bytes 0 to 31, then the body |
//! | 40 | | body: the [`Snapshot`] in postcard encoding |
//!
//! The magic never changes. The other fields may, with the version, which is
//! therefore checked before any of them.

use crc_fast::{CrcAlgorithm, Digest};
use serde::Deserialize;
use thiserror::Error;

use crate::Generation;
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::model::Snapshot;

/// The format this build writes, and the only one it reads.
pub const FORMAT_VERSION: u32 = 2;

const MAGIC: [u8; 8] = *b"EAGRSNAP";
const HEADER_BYTES: usize = 40;
/// Where the checksum stands; it covers what is before it, and the body.
const CHECKSUM_AT: usize = 32;

/// Why a snapshot was not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// More than [`SNAPSHOT_BYTES_MAX`].
    #[error(
        "a snapshot of {0} bytes is over the limit of {SNAPSHOT_BYTES_MAX}; use fewer or shorter triggers"
    )]
    TooLarge(usize),
    /// The model has no encoding (a filter nested too deep).
    #[error("cannot be encoded: {0}")]
    Model(#[from] postcard::Error),
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
    /// Written by another version of Eagre.
    #[error(
        "offset 8, format version: {0}, and this build reads {FORMAT_VERSION}; run both planes in one version"
    )]
    Version(u32),
    /// The header's own length.
    #[error("offset 12, header bytes: {0} instead of {HEADER_BYTES}")]
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
    #[error("offset {offset}, body: {cause}")]
    Body {
        /// Where decoding stopped, from the start of the file.
        offset: usize,
        /// What the decoder says.
        cause: postcard::Error,
    },
}

/// `snapshot` as the file of `generation`.
pub fn encode(generation: Generation, snapshot: &Snapshot) -> Result<Vec<u8>, EncodeError> {
    let mut file = Vec::with_capacity(HEADER_BYTES);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    file.extend_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    file.extend_from_slice(&generation.0.to_le_bytes());
    file.extend_from_slice(&[0; 16]);
    let mut file = postcard::to_extend(snapshot, file)?;
    if file.len() > SNAPSHOT_BYTES_MAX {
        return Err(EncodeError::TooLarge(file.len()));
    }
    let body_bytes = (file.len() - HEADER_BYTES) as u64;
    file[24..32].copy_from_slice(&body_bytes.to_le_bytes());
    let checksum = checksum(&file);
    file[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(file)
}

/// What `file` holds, if it holds exactly that.
///
/// Total on any input: memory is bounded by a small multiple of the length of
/// `file`, recursion by nothing in it. The result is not [validated](Snapshot::validate).
pub fn decode(file: &[u8]) -> Result<(Generation, Snapshot), DecodeError> {
    let Some((header, body)) = file.split_first_chunk::<HEADER_BYTES>() else {
        return Err(DecodeError::TooShort(file.len()));
    };
    if header[..8] != MAGIC {
        return Err(DecodeError::Magic);
    }
    let version = u32_at(header, 8);
    if version != FORMAT_VERSION {
        return Err(DecodeError::Version(version));
    }
    if u32_at(header, 12) != HEADER_BYTES as u32 {
        return Err(DecodeError::HeaderBytes(u32_at(header, 12)));
    }
    let (stated, found) = (u64_at(header, 24), body.len() as u64);
    if stated != found {
        return Err(DecodeError::BodyBytes { stated, found });
    }
    let (stored, computed) = (u64_at(header, CHECKSUM_AT), checksum(file));
    if stored != computed {
        return Err(DecodeError::Checksum { stored, computed });
    }
    Ok((Generation(u64_at(header, 16)), decode_body(body)?))
}

fn decode_body(body: &[u8]) -> Result<Snapshot, DecodeError> {
    let mut deserializer = postcard::Deserializer::from_bytes(body);
    let decoded = Snapshot::deserialize(&mut deserializer);
    let rest = deserializer.finalize().map_or(0, <[u8]>::len);
    let refuse = |cause| DecodeError::Body { offset: HEADER_BYTES + body.len() - rest, cause };
    let snapshot = decoded.map_err(refuse)?;
    if rest > 0 {
        return Err(refuse(postcard::Error::DeserializeBadEncoding));
    }
    Ok(snapshot)
}

/// Over everything but the checksum itself. `file` is at least a header long.
fn checksum(file: &[u8]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&file[..CHECKSUM_AT]);
    digest.update(&file[HEADER_BYTES..]);
    digest.finalize()
}

fn u32_at(header: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| header[offset + i]))
}

fn u64_at(header: &[u8; HEADER_BYTES], offset: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| header[offset + i]))
}
