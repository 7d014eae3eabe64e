//! `[ingress]`

use std::{ops::RangeInclusive, time::Duration};

use super::section::section;
use crate::limits::{
    http1::HEADERS_MAX,
    units::{GIB, HOUR, KIB, MIB},
};

/// Below 10 ms the scheduler's jitter decides; above an hour a file descriptor is lost
/// for practical purposes.
const DEADLINE_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=HOUR;

section! {
    /// What a producer may send, and how slowly.
    [ingress] Ingress

    /// Bytes of a request's line and fields together. In binary mode a CloudEvent has its
    /// attributes here; 64 KiB is what the specification asks intermediaries to forward.
    /// Head and body must fit in memory and in a record together.
    head_bytes_max: u64 as usize = 64 * KIB, in 4 * KIB..=256 * KIB;

    /// Fields of a request, which are parsed on the stack. Fewer than 16 would refuse plain
    /// events with their tracing fields.
    headers_max: usize = HEADERS_MAX, in 16..=HEADERS_MAX;

    /// Bytes of a request's body; a longer one is answered 413. What Kafka brokers take by
    /// default, so that an event accepted here can be moved there. A body is held whole
    /// until it is in the log: 32 MiB times a few connections is all a small machine holds.
    body_bytes_max: u64 as usize = MIB, in KIB..=32 * MIB;

    /// Bytes of the bodies of all requests under way in the process; beyond it, requests
    /// are answered 503. 256 bodies of the default size: without it, the connections of
    /// every shard times the largest body would decide. Two bodies of the largest size must
    /// fit, so that one slow producer stops nobody else.
    bodies_bytes_max: u64 = 256 * MIB, in MIB..=64 * GIB;

    /// From a request's first byte to the end of its head, against clients that trickle
    /// fields.
    header_deadline: Duration = Duration::from_secs(10), in DEADLINE_RANGE;

    /// From the end of the head to the end of the body, and beyond that what `body_rate_min`
    /// adds for its length.
    body_deadline: Duration = Duration::from_secs(10), in DEADLINE_RANGE;

    /// The slowest body worth a connection, per second: 1 MiB gets 128 s more. Below 1 KiB
    /// the deadline of a large body would exceed every other.
    body_rate_min: u64 = 8 * KIB, in KIB..=GIB;

    /// Between requests of one connection. Longer than the 90 s of Go's idle pools, so that
    /// these close first and never lose a request to a close that crosses it.
    idle_keep_alive: Duration = Duration::from_secs(120), in DEADLINE_RANGE;

    /// Until the producer has read an answer.
    write_stall: Duration = Duration::from_secs(10), in DEADLINE_RANGE;

    /// Connections of one shard; further ones wait in the kernel's queue. Each costs a
    /// descriptor and two buffers. At least one producer and one probe.
    connections_max: usize = 4096, in 2..=65_536;
}

impl Ingress {
    /// The time allowed for a body of `bytes`: the fixed part and what the slowest
    /// admitted rate takes.
    #[must_use]
    pub fn body_deadline_for(&self, bytes: u64) -> Duration {
        self.body_deadline + Duration::from_secs(bytes / self.body_rate_min)
    }
}
