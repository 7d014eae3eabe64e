//! One file of the log: header, frames, seal.
//!
//! A segment covers the positions `[base, base + segment_bytes)`; the next one
//! begins where it ends. Its header fills the first page:
//!
//! ```text
//! offset bytes field
//!      0     8 magic          "EAGREWAL"
//!      8     8 crc            CRC-64/NVME of the bytes from 16 to the end of the header
//!     16     2 version        1
//!     18     2 reserved       zero
//!     20     4 header_bytes   4096; frames begin here. The rest of the header is zero
//!     24     8 base           position of the file's first byte
//!     32     8 segment_bytes  size of the file
//!     40     4 generation     random in the first segment of a log, one more in each that follows
//!     44     4 reserved       zero
//! ```
//!
//! A header is durable before the file gets its name, so a damaged one is
//! damage and never a crash. The size lies in the header rather than in the
//! configuration: a changed configuration applies from the next segment on.
//!
//! The seal is a frame of kind SEAL at a fixed place, the end of the file, so
//! that it is found without reading what lies before. It is written when
//! everything before is on the disk. Its body:
//!
//! ```text
//! offset bytes field
//!      0     8 records_end    position after the last record
//!      8     8 records        owner's records in the segment
//!     16     8 first_time_ms  of the segment's first record
//!     24     8 last_time_ms   of its last record
//! ```

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use crate::{
    lsn::Lsn,
    record::{self, FRAME_HEADER_BYTES, Frame, Kind},
};

/// The version of the format that this code writes, and the newest it reads.
pub const FORMAT_VERSION: u16 = 1;

/// Bytes of a segment before its first frame: a page, so that the header is
/// never written again with records.
pub(crate) const HEADER_BYTES: u64 = 4096;
/// Bytes of the seal at the end of a segment.
pub(crate) const SEAL_FRAME_BYTES: u64 = record::frame_bytes(size_of::<SealBody>() as u64);

const MAGIC: [u8; 8] = *b"EAGREWAL";
const CRC_OFFSET: usize = 8;
const CRC_FROM: usize = 16;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    crc: U64,
    version: U16,
    reserved_a: [u8; 2],
    header_bytes: U32,
    base: U64,
    segment_bytes: U64,
    generation: U32,
    reserved_b: [u8; 4],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SealBody {
    records_end: U64,
    records: U64,
    first_time_ms: U64,
    last_time_ms: U64,
}

const _: () = assert!(size_of::<RawHeader>() == 48 && SEAL_FRAME_BYTES == FRAME_HEADER_BYTES + 32);

/// What identifies a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Position of the file's first byte.
    pub base: Lsn,
    /// Size of the file.
    pub segment_bytes: u64,
    /// In every frame of the segment.
    pub generation: u32,
}

/// Why a header was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// A version this code does not know.
    Future(u16),
    /// Its bytes are not what was written.
    Damaged,
}

impl Header {
    /// The header of the segment that follows this one.
    pub(crate) fn following(&self, segment_bytes: u64) -> Self {
        Self { base: self.end(), segment_bytes, generation: self.generation.wrapping_add(1) }
    }

    /// Position after the segment's last byte.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.base + self.segment_bytes
    }

    /// Where the first frame lies.
    pub(crate) fn first_frame(&self) -> Lsn {
        self.base + HEADER_BYTES
    }

    /// Where the seal lies; records end at or before it.
    pub(crate) fn seal(&self) -> Lsn {
        self.base + (self.segment_bytes - SEAL_FRAME_BYTES)
    }

    /// The bytes of the header, all of them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let raw = RawHeader {
            magic: MAGIC,
            crc: U64::ZERO,
            version: U16::new(FORMAT_VERSION),
            reserved_a: [0; 2],
            header_bytes: U32::new(HEADER_BYTES as u32),
            base: U64::new(self.base.0),
            segment_bytes: U64::new(self.segment_bytes),
            generation: U32::new(self.generation),
            reserved_b: [0; 4],
        };
        let mut bytes = vec![0; HEADER_BYTES as usize];
        bytes[..size_of::<RawHeader>()].copy_from_slice(raw.as_bytes());
        let crc = record::checksum(&bytes[CRC_FROM..]);
        bytes[CRC_OFFSET..CRC_FROM].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of a segment from its bytes.
    ///
    /// The version is believed only under a checksum over the header of this
    /// version's size, which every later version therefore keeps.
    pub(crate) fn decode(segment: &[u8]) -> Result<Self, BadHeader> {
        let header = Self::decode_page(segment)?;
        if header.segment_bytes == segment.len() as u64 { Ok(header) } else { Err(BadHeader::Damaged) }
    }

    /// Reads the header from the first page of a segment.
    pub(crate) fn decode_page(segment: &[u8]) -> Result<Self, BadHeader> {
        let page = segment.get(..HEADER_BYTES as usize).ok_or(BadHeader::Damaged)?;
        let (raw, _) = RawHeader::ref_from_prefix(page).map_err(|_| BadHeader::Damaged)?;
        if raw.magic != MAGIC || raw.crc.get() != record::checksum(&page[CRC_FROM..]) {
            return Err(BadHeader::Damaged);
        }
        if raw.version.get() != FORMAT_VERSION {
            return Err(BadHeader::Future(raw.version.get()));
        }
        let header = Self {
            base: Lsn(raw.base.get()),
            segment_bytes: raw.segment_bytes.get(),
            generation: raw.generation.get(),
        };
        if u64::from(raw.header_bytes.get()) == HEADER_BYTES { Ok(header) } else { Err(BadHeader::Damaged) }
    }
}

/// What a full segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub records_end: Lsn,
    pub records: u64,
    pub first_time_ms: u64,
    pub last_time_ms: u64,
}

impl Seal {
    pub(crate) fn encode_body(self) -> [u8; size_of::<SealBody>()] {
        zerocopy::transmute!(SealBody {
            records_end: U64::new(self.records_end.0),
            records: U64::new(self.records),
            first_time_ms: U64::new(self.first_time_ms),
            last_time_ms: U64::new(self.last_time_ms),
        })
    }

    /// The seal of a segment and its frame, if there is a whole one.
    pub(crate) fn decode(segment: &[u8], header: &Header) -> Option<(Self, Frame)> {
        let offset = (header.seal() - header.base) as usize;
        let frame = record::decode(segment, header.base, header.generation, offset)?;
        let body = SealBody::ref_from_bytes(&segment[frame.body_offset..][..frame.body_bytes]).ok()?;
        let seal = Self {
            records_end: Lsn(body.records_end.get()),
            records: body.records.get(),
            first_time_ms: body.first_time_ms.get(),
            last_time_ms: body.last_time_ms.get(),
        };
        // Every segment begins with a checkpoint: an empty one is never sealed.
        let within = header.first_frame() < seal.records_end && seal.records_end <= header.seal();
        (frame.kind == Kind::SEAL && within).then_some((seal, frame))
    }
}
