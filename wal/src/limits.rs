//! Every bound of the log, with its reason.

use std::time::Duration;

use crate::{
    cursor::{CURSOR_BYTES, PENDING_BYTES},
    record::FRAME_HEADER_BYTES,
    segment::{HEADER_BYTES, SEAL_FRAME_BYTES},
};

/// The smallest segment: what the log itself needs of one, a few times over.
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;
/// The largest segment: an offset in it, and so every length, fits 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Segments are whole pages, so that no page belongs to two of them.
pub const SEGMENT_ALIGN_BYTES: u64 = 4096;
/// The active segment and the one prepared after it.
pub const SEGMENTS_MIN: u64 = 2;

/// Segments that stand ready behind the active one.
pub(crate) const SPARE_SEGMENTS: usize = 1;

/// Bytes a write fills at once when a segment is prepared. Larger writes make
/// large folios of the page cache, and then one small commit writes them whole.
pub(crate) const ZERO_WRITE_BYTES: usize = 16 * 1024;

/// A buffer larger than this is given back after its flush rather than kept.
pub(crate) const KEPT_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Buffers that are kept: the one in flight and the one that is filled meanwhile.
pub(crate) const KEPT_BUFFERS: usize = 2;

/// Bytes that an inspection reads at once: large reads are what disks are fast at.
pub(crate) const INSPECT_READ_BYTES: u64 = 1024 * 1024;
/// Bytes that are given up where the disk does not return them: the least that the
/// page cache reads.
pub(crate) const INSPECT_PAGE_BYTES: u64 = 4096;

/// How often a log that is in use is looked at before it counts as damaged.
pub(crate) const INSPECT_LOOKS: usize = 3;

/// Between two attempts to prepare or remove a segment where space, descriptors or
/// memory were short.
pub(crate) const SEGMENT_RETRY: Duration = Duration::from_millis(500);

/// Before an operation that the kernel could not take is handed over again: at
/// first, since what it lacked may be there at once, ...
pub(crate) const HAND_OVER_RETRY_MIN: Duration = Duration::from_micros(100);
/// ... and at last: who waits for the log still gets on, and nobody spins.
pub(crate) const HAND_OVER_RETRY_MAX: Duration = Duration::from_millis(100);

/// Bytes that the cursors may take of a segment of this size: a quarter, so
/// that the larger part of every segment is the owner's.
pub(crate) const fn cursors_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes / 4
}

/// Bytes of the largest group of records, frames included, that fits every
/// segment of this size, whatever the cursors take.
pub(crate) const fn group_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes - HEADER_BYTES - SEAL_FRAME_BYTES - cursors_bytes_max(segment_bytes)
}

/// The smallest segment that a group of so many bytes fits, frames included.
pub(crate) const fn segment_bytes_for_group(bytes: u64) -> u64 {
    // Three quarters of a segment, but for its header and its seal, are the owner's.
    segment_bytes_from(bytes.saturating_add(HEADER_BYTES + SEAL_FRAME_BYTES).div_ceil(3).saturating_mul(4))
}

/// The smallest segment that cursors of so many bytes fit, frames included.
pub(crate) const fn segment_bytes_for_cursors(bytes: u64) -> u64 {
    segment_bytes_from(bytes.saturating_mul(4))
}

const fn segment_bytes_from(bytes: u64) -> u64 {
    if bytes <= SEGMENT_BYTES_MIN {
        SEGMENT_BYTES_MIN
    } else if bytes >= SEGMENT_BYTES_MAX {
        SEGMENT_BYTES_MAX
    } else {
        bytes.next_multiple_of(SEGMENT_ALIGN_BYTES)
    }
}

const _: () = {
    // A frame's length is 32 bits.
    assert!(group_bytes_max(SEGMENT_BYTES_MAX) < u32::MAX as u64);
    // The smallest segment has room for cursors and for a record of a page.
    assert!(cursors_bytes_max(SEGMENT_BYTES_MIN) > FRAME_HEADER_BYTES + 8 * (CURSOR_BYTES + PENDING_BYTES));
    assert!(group_bytes_max(SEGMENT_BYTES_MIN) > FRAME_HEADER_BYTES + 4096);
    assert!(SEGMENT_BYTES_MIN.is_multiple_of(SEGMENT_ALIGN_BYTES) && HEADER_BYTES.is_multiple_of(8));
    assert!(SEGMENT_ALIGN_BYTES.is_multiple_of(8) && SEAL_FRAME_BYTES.is_multiple_of(8));
};
