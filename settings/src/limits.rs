//! The bounds of settings that more than one place takes.

use std::ops::RangeInclusive;

/// Time between two syncs of the log, in milliseconds: what a power cut may cost.
/// Below 1 ms it is `always`, beyond a minute `never`.
pub const FSYNC_INTERVAL_MS_RANGE: RangeInclusive<u64> = 1..=60_000;

/// Bytes of disk for backlogs, of one broker or of all. Less than 8 MiB is a burst
/// rather than a backlog; no file system under one pod is larger than 1 PiB.
pub const BACKLOG_BYTES_RANGE: RangeInclusive<u64> = 8 << 20..=1 << 50;
