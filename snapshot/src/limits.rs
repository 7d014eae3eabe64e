//! Every bound of this crate, in one place.

use std::ops::RangeInclusive;

/// A snapshot file, header included. 10,000 triggers take about 3 MB; a decoder
/// must not be made to allocate by a length field.
pub const SNAPSHOT_BYTES_MAX: usize = 64 << 20;

/// Triggers of one snapshot: *the* limit on their number. A control plane refuses
/// the manifest that exceeds it; what triggers take elsewhere is made for it:
///
/// - 671 bytes each of [`SNAPSHOT_BYTES_MAX`], where 300 are common;
/// - two slots of the stats each, as those that were just replaced keep theirs
///   for the grace: 200,000 of 262,144;
/// - likewise four cursors of 24 bytes each of a shard's log (its own and its
///   backlog's, of the new and of the replaced): 9.6 of the 16 MiB that a log
///   of default segments has for cursors. A data plane with smaller segments
///   has a smaller limit of its own (`dataplane/src/follow.rs`).
pub const TRIGGERS_MAX: usize = 100_000;

/// Bytes of a snapshot that every trigger may count on.
const TRIGGER_BYTES: usize = 600;

const _: () = {
    assert!(TRIGGERS_MAX * TRIGGER_BYTES <= SNAPSHOT_BYTES_MAX);
    assert!(2 * TRIGGERS_MAX <= CHUNKS_MAX * STATS_SLOTS);
    assert!(SHARDS_MAX * STATS_SLOTS <= CHUNK_CELLS_MAX);
};

/// Brokers of one snapshot: one for each trigger.
pub const BROKERS_MAX: usize = TRIGGERS_MAX;

/// A Kubernetes namespace or name: a DNS subdomain (RFC 1123) is at most this
/// long.
pub const NAME_BYTES_MAX: usize = 253;

/// A subscriber's URI, half of a common 16 KiB limit on request heads.
pub const URI_BYTES_MAX: usize = 8 << 10;

/// Nesting of a filter: `all`, `any` and `not` inside each other. Bounds every
/// recursion over a filter; hand-written filters stay below ten.
pub const FILTER_DEPTH_MAX: usize = 64;

/// Attempts after the first. A trigger that asks for more would hold its events
/// for years.
pub const RETRY_MAX: u32 = 1 << 16;

/// One delivery duration: a year, in milliseconds. Sums of a few stay far from
/// overflow.
pub const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

/// How long the data plane keeps what vanished from the configuration, unless
/// the control plane says otherwise: longer than an edit, a roll-out or a
/// volume that is mounted anew takes.
pub const GRACE_MS_DEFAULT: u64 = 60_000;

/// Longer than a day nobody waits for a manifest to come back; its events
/// would hold the log all the while.
pub const GRACE_MS_RANGE: RangeInclusive<u64> = 0..=24 * 60 * 60 * 1000;

/// Annotations of one broker or trigger. Eagre reads fewer than ten.
pub const ANNOTATIONS_MAX: usize = 32;

/// Bytes of all annotations of one broker or trigger, names and values.
pub const ANNOTATIONS_BYTES_MAX: usize = 4 << 10;

/// Snapshots left in the directory: the one in force, and the one before it for
/// a reader that is opening it right now.
pub const SNAPSHOTS_KEPT: u64 = 2;

/// Shards of one data plane; more than any machine has cores for.
pub const SHARDS_MAX: usize = 1024;

/// Cells (shards times trigger slots) of one chunk of the stats: 128 MiB.
pub const CHUNK_CELLS_MAX: usize = 1 << 20;

/// Trigger slots by which the data plane lets the stats grow: 32 KiB a shard.
pub const STATS_SLOTS: usize = 256;

/// Chunks of the stats: 262,144 triggers.
pub const CHUNKS_MAX: usize = 1024;

/// The text of a refusal as the stats page keeps it, in bytes.
pub const REASON_BYTES_MAX: usize = 240;
