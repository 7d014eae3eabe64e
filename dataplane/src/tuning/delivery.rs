//! `[delivery]`

use std::{ops::RangeInclusive, time::Duration};

use super::section::section;
use crate::limits::units::{DAY, KIB, MIB};

/// As for the ingress, but a slow subscriber may be given a day.
const DEADLINE_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;

section! {
    /// What may be under way to subscribers, and how long it may take.
    [delivery] Delivery

    /// Attempts of one trigger on one shard at the same time. At a subscriber that takes
    /// 1 ms this is 64,000 events/s a shard; 1 is strict order.
    parallelism: usize = 64, in 1..=1024;

    /// Connections of one shard to all subscribers together, idle ones included: a bound
    /// on descriptors. One trigger takes at most its parallelism of them, so that 60
    /// triggers that hang leave room for others; idle ones make way first.
    max_connections: usize = 4096, in 1..=65_536;

    /// Until a connection is established.
    connect_timeout: Duration = Duration::from_secs(5), in DEADLINE_RANGE;

    /// From the first byte of a request to the last of its response, where the trigger sets
    /// none. The same as the Kafka broker's.
    timeout: Duration = Duration::from_secs(600), in DEADLINE_RANGE;

    /// Bytes of a reply, which is stored like an event; a longer one fails the delivery.
    response_body_bytes_max: u64 as usize = MIB, in KIB..=32 * MIB;

    /// The longest Retry-After that is honoured, where the trigger sets none; 0s ignores
    /// the field, more than a day is a mistake.
    retry_after_max: Duration = Duration::from_secs(300), in Duration::ZERO..=DAY;

    /// How long an unused connection is kept. Shorter than the idle timeouts of usual
    /// servers (nginx 75 s, envoy 1 h, Go none) except Node's 5 s, whose closes are seen
    /// before the connection is used again.
    idle_connection: Duration = Duration::from_secs(60), in DEADLINE_RANGE;
}
