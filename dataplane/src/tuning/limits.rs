//! `[limits]`

use std::time::Duration;

use super::section::section;
use crate::limits::units::{GIB, HOUR, MIB};

section! {
    /// What a shard holds, and when it stops.
    [limits] Limits

    /// Matched events of one trigger that wait on one shard, by position (8 bytes each). A
    /// trigger further behind reads the log instead.
    queue_per_trigger: usize = 1024, in 16..=1 << 20;

    /// Events of one trigger that wait on one shard for their next attempt. When it is
    /// reached, the trigger takes no new event until one of them is finished: each is part
    /// of the durable cursor, which must hold them all.
    pending_per_trigger: usize = 4096, in 16..=65_536;

    /// Bytes appended that wait for the flush under way; more is answered 503. At least
    /// one event of the largest size.
    pending_batch_bytes: u64 as usize = 64 * MIB, in MIB..=GIB;

    /// How often moved cursors go to the log: after a crash, at most so much of what was
    /// delivered is delivered again. Below 10 ms the cursors would be most of the log.
    cursor_flush_interval: Duration = Duration::from_millis(100),
        in Duration::from_millis(10)..=Duration::from_secs(60);

    /// From the request to stop until requests and attempts under way are cut off. 30 s is
    /// Kubernetes' own grace period; what is cut off is delivered after the restart; 0s cuts
    /// off at once.
    drain_deadline: Duration = Duration::from_secs(30), in Duration::ZERO..=HOUR;

    /// File descriptors of the process that are kept for the log, the admin port and
    /// delivery; connections of producers get what remains, so that they never take what an
    /// accepted event needs to be stored and delivered. Fewer than 32 do not hold the
    /// segments that two shards prepare and free.
    descriptors_reserved: usize = 128, in 32..=4096;
}
