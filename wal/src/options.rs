//! What an owner chooses.

use std::time::Duration;

use crate::{
    error::OptionsError,
    limits::{
        SEGMENT_ALIGN_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENTS_MIN, cursors_bytes_max,
        group_bytes_max, segment_bytes_for_group,
    },
    record::FRAME_HEADER_BYTES,
};

/// When a record counts as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fsync {
    /// When the disk has it: it survives a power cut.
    Always,
    /// When the kernel has it: it survives the process. It is synced so long
    /// after it was written at the latest, which is what a power cut may cost.
    Interval(Duration),
    /// When the kernel has it. A power cut may cost the records of the active
    /// segment; full segments are synced all the same.
    Never,
}

/// How writes and syncs reach the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A small io_uring of the log's own.
    Ring,
    /// A thread of the log's own; where io_uring is not allowed.
    Thread,
}

/// How long records are kept that no cursor needs, for readers of the past:
/// while they are younger than `age` and the log is smaller than `bytes`,
/// whichever of the two is given; without either they are not kept. By whole
/// segments, and only as long as there is room: an append goes before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retain {
    /// Since the last record of the segment.
    pub age: Option<Duration>,
    /// Of all segments from this one on.
    pub bytes: Option<u64>,
}

impl Retain {
    pub(crate) fn keeps(&self, age_ms: u64, bytes: u64) -> bool {
        let Self { age, bytes: max } = *self;
        (age.is_some() || max.is_some())
            && age.is_none_or(|age| u128::from(age_ms) < age.as_millis())
            && max.is_none_or(|max| bytes <= max)
    }
}

/// Options of a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of every segment made from now on; a multiple of 4096.
    pub segment_bytes: u64,
    /// Bytes of all segments together, the prepared one included. A log is always
    /// allowed the active segment and the one after it, which may be more once,
    /// after `segment_bytes` was lowered.
    pub max_bytes: u64,
    /// Bytes of records that may wait for the flush in front of them.
    pub pending_bytes_max: u64,
    /// How long records are kept that no cursor needs.
    pub retain: Retain,
    /// How writes and syncs reach the kernel.
    pub backend: Backend,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            max_bytes: 10 * 1024 * 1024 * 1024,
            pending_bytes_max: 64 * 1024 * 1024,
            retain: Retain::default(),
            backend: Backend::Ring,
        }
    }
}

impl Options {
    /// Bytes of the largest body that [`append`](crate::Log::append) takes.
    #[must_use]
    pub const fn record_bytes_max(&self) -> u64 {
        group_bytes_max(self.segment_bytes) - FRAME_HEADER_BYTES - 7
    }

    /// The smallest `segment_bytes` with which bodies of so many bytes are taken.
    #[must_use]
    pub const fn segment_bytes_for(record_bytes: u64) -> u64 {
        segment_bytes_for_group(record_bytes.saturating_add(FRAME_HEADER_BYTES + 7))
    }

    /// Bytes that all cursors together may take in the log.
    #[must_use]
    pub const fn cursors_bytes_max(&self) -> u64 {
        cursors_bytes_max(self.segment_bytes)
    }

    pub(crate) fn validate(&self) -> Result<(), OptionsError> {
        let Self { segment_bytes, max_bytes, .. } = *self;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes)
            || !segment_bytes.is_multiple_of(SEGMENT_ALIGN_BYTES)
        {
            return Err(OptionsError::SegmentBytes(segment_bytes));
        }
        if max_bytes < SEGMENTS_MIN * segment_bytes {
            return Err(OptionsError::MaxBytes { max_bytes, min: SEGMENTS_MIN * segment_bytes });
        }
        Ok(())
    }
}
