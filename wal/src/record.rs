//! Frames: how a record lies in a segment.
//!
//! ```text
//! offset bytes field
//!      0     8 crc         CRC-64/NVME of every byte from 8 to the end of the padding
//!      8     4 length      bytes of the body
//!     12     4 generation  of the segment, so that bytes of another log are no record of this one
//!     16     8 lsn         where the frame begins, so that a misplaced frame is no record
//!     24     8 durable     every record below was known to be on the disk when this one was written
//!     32     8 sequence    owner's records before this one
//!     40     8 time_ms     the owner's clock
//!     48     1 kind
//!     49     1 flags       1: the next record belongs to the same group
//!     50     6 reserved    zero
//!     56     … body, then zeros to a multiple of eight bytes
//! ```
//!
//! All integers are little-endian. The length lies under the checksum, so no
//! single field can move the reader. The `durable` mark tells a torn tail from
//! damage: what lies below a mark was on the disk once, and if it is not there
//! now, the disk lost it.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use crate::{
    canary::{Canary, planted},
    lsn::Lsn,
};

/// What a record is. Below 16 the log's own, from 16 on the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// All cursors; the first record of every segment.
    pub const CHECKPOINT: Self = Self(1);
    /// Cursors that are new, gone, or shorter told as a whole.
    pub const CURSORS: Self = Self(2);
    /// The segment is full.
    pub const SEAL: Self = Self(3);
    /// Records that are lost lay here, as [`salvage`](crate::salvage()) found.
    pub const GAP: Self = Self(4);
    /// What changed of cursors.
    pub const PROGRESS: Self = Self(5);
    /// The first kind that is the owner's to give.
    pub const OWNER_MIN: Self = Self(16);

    /// The record tells of cursors.
    pub(crate) fn tells_of_cursors(self) -> bool {
        matches!(self, Self::CHECKPOINT | Self::CURSORS | Self::PROGRESS)
    }

    /// This release knows what it is, or leaves it to the owner.
    pub(crate) fn is_known(self) -> bool {
        self >= Self::OWNER_MIN || (Self::CHECKPOINT..=Self::PROGRESS).contains(&self)
    }

    /// The record is the owner's.
    #[must_use]
    pub fn is_owners(self) -> bool {
        self >= Self::OWNER_MIN
    }
}

/// Bytes of a frame before its body.
pub const FRAME_HEADER_BYTES: u64 = size_of::<FrameHeader>() as u64;
const FRAME_ALIGN_BYTES: u64 = 8;
/// The next record belongs to the same group.
const GROUP_CONTINUES: u8 = 1;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct FrameHeader {
    crc: U64,
    length: U32,
    generation: U32,
    lsn: U64,
    durable: U64,
    sequence: U64,
    time_ms: U64,
    kind: u8,
    flags: u8,
    reserved: [u8; 6],
}

const _: () = assert!(FRAME_HEADER_BYTES == 56);

/// What the writer says of a record beside its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub generation: u32,
    pub lsn: Lsn,
    pub durable: Lsn,
    pub sequence: u64,
    pub time_ms: u64,
    pub kind: Kind,
    pub group_continues: bool,
}

/// A frame that was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub lsn: Lsn,
    /// Where the next frame begins.
    pub next: Lsn,
    pub durable: Lsn,
    pub sequence: u64,
    pub time_ms: u64,
    pub kind: Kind,
    pub group_continues: bool,
    /// Offset of the body in the segment.
    pub body_offset: usize,
    pub body_bytes: usize,
}

/// Bytes a frame takes in the log.
pub(crate) const fn frame_bytes(body_bytes: u64) -> u64 {
    (FRAME_HEADER_BYTES + body_bytes).next_multiple_of(FRAME_ALIGN_BYTES)
}

/// Appends a frame to `out`; the body is the parts one after another.
pub(crate) fn encode(out: &mut Vec<u8>, meta: &Meta, parts: &[&[u8]]) {
    let start = out.len();
    let length: usize = parts.iter().map(|part| part.len()).sum();
    debug_assert!(u32::try_from(length).is_ok(), "the length was checked against the limits");
    let header = FrameHeader {
        crc: U64::ZERO,
        length: U32::new(length as u32),
        generation: U32::new(meta.generation),
        lsn: U64::new(meta.lsn.0),
        durable: U64::new(meta.durable.0),
        sequence: U64::new(meta.sequence),
        time_ms: U64::new(meta.time_ms),
        kind: meta.kind.0,
        flags: if meta.group_continues { GROUP_CONTINUES } else { 0 },
        reserved: [0; 6],
    };
    out.reserve(frame_bytes(length as u64) as usize);
    out.extend_from_slice(header.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out.resize(start + frame_bytes(length as u64) as usize, 0);
    let crc = frame_checksum(&out[start..]);
    out[start..start + size_of::<u64>()].copy_from_slice(&crc.to_le_bytes());
}

/// The frame at `offset` of a segment, if there is a whole one that belongs
/// there. It must end within `segment`.
pub(crate) fn decode(segment: &[u8], base: Lsn, generation: u32, offset: usize) -> Option<Frame> {
    let (header, rest) = FrameHeader::ref_from_prefix(segment.get(offset..)?).ok()?;
    if header.lsn.get() != base.0 + offset as u64
        || (header.generation.get() != generation && !planted(Canary::AnyGeneration))
    {
        return None;
    }
    let body_bytes = header.length.get() as usize;
    let frame_bytes = frame_bytes(body_bytes as u64) as usize;
    if frame_bytes - size_of::<FrameHeader>() > rest.len() {
        return None;
    }
    if frame_checksum(&segment[offset..offset + frame_bytes]) != header.crc.get() {
        return None;
    }
    Some(Frame {
        lsn: base + offset as u64,
        next: base + (offset + frame_bytes) as u64,
        durable: Lsn(header.durable.get()),
        sequence: header.sequence.get(),
        time_ms: header.time_ms.get(),
        kind: Kind(header.kind),
        group_continues: header.flags & GROUP_CONTINUES != 0,
        body_offset: offset + size_of::<FrameHeader>(),
        body_bytes,
    })
}

/// The first whole frame that begins at or after `offset` and before `limit`.
/// Frames begin at multiples of eight bytes, so no other place is tried.
pub(crate) fn find(segment: &[u8], base: Lsn, generation: u32, offset: usize, limit: usize) -> Option<Frame> {
    (offset.next_multiple_of(FRAME_ALIGN_BYTES as usize)..limit)
        .step_by(FRAME_ALIGN_BYTES as usize)
        .find_map(|offset| decode(segment, base, generation, offset))
}

/// The generation that the first whole frame of a segment tells, for want of a
/// header.
pub(crate) fn generation(segment: &[u8], base: Lsn) -> Option<u32> {
    (0..segment.len()).step_by(FRAME_ALIGN_BYTES as usize).find_map(|offset| {
        let (header, _) = FrameHeader::ref_from_prefix(&segment[offset..]).ok()?;
        decode(segment, base, header.generation.get(), offset).map(|_| header.generation.get())
    })
}

/// The checksum of a frame, from its first byte that is covered.
fn frame_checksum(frame: &[u8]) -> u64 {
    let skipped = if planted(Canary::ChecksumSkipsLength) { size_of::<u32>() } else { 0 };
    checksum(&frame[size_of::<u64>() + skipped..])
}

pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)
}
