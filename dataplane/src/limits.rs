//! Every bound of the data plane, in one place: what may come in, what may wait,
//! what may be held, and for how long.
//!
//! Constants named `…_DEFAULT` can be changed in `eagre.toml` within the range that
//! the `…_RANGE` beside it allows; the rest are fixed. How bounds relate is asserted
//! at the end of this file for the defaults and in `config` for the values in force.
//! Deliberately absent: a limit on requests per connection, which would only cost
//! well-behaved producers a handshake; the deadlines below bound a connection.

use std::{ops::RangeInclusive, time::Duration};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a producer may send, and how slowly.
pub mod ingress {
    use super::{Duration, KIB, MIB, RangeInclusive};

    /// Bytes of a request's line and fields together. A CloudEvent in binary mode
    /// carries its attributes here; 64 KiB is what the specification asks
    /// intermediaries to forward.
    pub const HEAD_BYTES_MAX_DEFAULT: u64 = 64 * KIB;
    /// One head must fit beside a body in memory and in a record.
    pub const HEAD_BYTES_MAX_RANGE: RangeInclusive<u64> = 4 * KIB..=256 * KIB;

    /// Fields of a request. The parser's scratch array of this many lives on the
    /// stack (32 bytes each), so it cannot grow past [`super::http1::HEADERS_MAX`].
    pub const HEADERS_MAX_DEFAULT: u64 = super::http1::HEADERS_MAX;
    /// Fewer than 16 would refuse plain events with their tracing fields.
    pub const HEADERS_MAX_RANGE: RangeInclusive<u64> = 16..=super::http1::HEADERS_MAX;

    /// Bytes of a request's body, declared and counted. What Kafka brokers take by
    /// default, so that an event accepted here can be moved there.
    pub const BODY_BYTES_MAX_DEFAULT: u64 = MIB;
    /// A body is held whole until it is in the log: 32 MiB times a few connections
    /// is all a small machine can hold.
    pub const BODY_BYTES_MAX_RANGE: RangeInclusive<u64> = KIB..=32 * MIB;

    /// From the first byte of a request to the last of its head. Defends against
    /// clients that trickle fields.
    pub const HEADER_DEADLINE_DEFAULT: Duration = Duration::from_secs(10);

    /// From the end of the head to the end of the body, before what
    /// [`BODY_RATE_MIN_DEFAULT`] adds: `deadline + body bytes / rate`.
    pub const BODY_DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
    /// The slowest body worth a connection, bytes per second. 1 MiB gets 128 s more.
    pub const BODY_RATE_MIN_DEFAULT: u64 = 8 * KIB;
    /// Below 1 KiB/s the deadline of a large body would exceed every other.
    pub const BODY_RATE_MIN_RANGE: RangeInclusive<u64> = KIB..=1024 * MIB;

    /// How long a connection may stay open between requests. Longer than the 90 s
    /// idle pools of Go clients, so that they close first and never lose a request
    /// to a close that crosses it.
    pub const IDLE_KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(120);

    /// How long a response may wait for the client to read.
    pub const WRITE_STALL_DEFAULT: Duration = Duration::from_secs(10);

    /// Every deadline above: below 10 ms the scheduler's jitter decides, above an hour
    /// a file descriptor is lost for practical purposes.
    pub const DEADLINE_RANGE: RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_secs(3600);

    /// Connections of one shard. Each costs a descriptor and two buffers; further ones
    /// wait in the kernel's accept queue.
    pub const CONNECTIONS_MAX_DEFAULT: u64 = 4096;
    /// At least one producer and one probe.
    pub const CONNECTIONS_MAX_RANGE: RangeInclusive<u64> = 2..=65_536;

    /// `Retry-After` of 503 and 429 when the log is full, seconds: long enough for a
    /// segment to be freed.
    pub const RETRY_AFTER_FULL_SECONDS: u64 = 5;
    /// `Retry-After` of 503 while draining, seconds: the next connection reaches
    /// another pod, or the restarted one.
    pub const RETRY_AFTER_DRAINING_SECONDS: u64 = 1;

    /// Bytes of one chunk-size line, extensions included. Extensions carry nothing we
    /// read; an attacker could otherwise make the ratio of framing to data unbounded
    /// (CVE-2023-39326).
    pub const CHUNK_LINE_BYTES_MAX: usize = 256;
    /// Bytes of a chunked body's trailer section, which is read and dropped.
    pub const TRAILER_BYTES_MAX: usize = (8 * KIB) as usize;
}

/// What the HTTP codec can hold at all.
pub mod http1 {
    /// Fields of one head.
    pub const HEADERS_MAX: u64 = eagre_http1::HEADERS_MAX as u64;
}

/// What may be under way to subscribers, and how long it may take.
pub mod delivery {
    use super::{Duration, KIB, MIB, RangeInclusive};

    /// Attempts of one trigger on one shard at the same time. At a subscriber that
    /// takes 1 ms this is 64,000 events/s a shard.
    pub const PARALLELISM_DEFAULT: u64 = 64;
    /// 1 is strict order.
    pub const PARALLELISM_RANGE: RangeInclusive<u64> = 1..=1024;

    /// Connections of one shard to all subscribers together, idle ones included: a
    /// bound on descriptors. One trigger takes at most its parallelism of them, so that
    /// 60 triggers that hang leave room for others; idle ones make way first.
    pub const MAX_CONNECTIONS_DEFAULT: u64 = 4096;
    /// More than a process can have descriptors for is a mistake.
    pub const MAX_CONNECTIONS_RANGE: RangeInclusive<u64> = 1..=65_536;

    /// From `connect` to an established connection.
    pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

    /// From the first byte of a delivery request to the last of its response, where
    /// the trigger names none (`delivery.timeout`); the same as the Kafka broker's
    /// (design section 5).
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);

    /// Deadlines of a delivery: as for the ingress, but a slow subscriber may be given
    /// a day.
    pub const DEADLINE_RANGE: RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_secs(86_400);

    /// Bytes of a response's status line and fields.
    pub const RESPONSE_HEAD_BYTES_MAX: usize = (64 * KIB) as usize;
    /// Bytes of a response's body where it is a reply event; a longer one fails the
    /// delivery. The same as an event may have at the ingress.
    pub const RESPONSE_BODY_BYTES_MAX_DEFAULT: u64 = MIB;
    /// As the ingress: a reply is stored like an event.
    pub const RESPONSE_BODY_BYTES_MAX_RANGE: RangeInclusive<u64> = KIB..=32 * MIB;
    /// 1xx responses before the final one.
    pub const INTERIM_RESPONSES_MAX: usize = 8;
    /// Records read in one go by a trigger that is behind: about 100 µs, which is what
    /// others may wait.
    pub const SCAN_RECORDS: usize = 512;
    /// Bytes kept of the body of a failed attempt: what `knativeerrordata` may tell.
    pub const ERROR_BODY_BYTES_MAX: usize = eagre_event::ERROR_DATA_BYTES_MAX;

    /// The longest `Retry-After` that is honoured where the trigger sets no
    /// `retryAfterMax` (design section 5).
    pub const RETRY_AFTER_MAX_DEFAULT: Duration = Duration::from_secs(300);
    /// 0 ignores the field; more than a day is a mistake.
    pub const RETRY_AFTER_MAX_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

    /// How long an unused connection to a subscriber is kept. Shorter than the idle
    /// timeouts of usual servers (Go: none, Node: 5 s, nginx: 75 s, envoy: 1 h) except
    /// Node's, whose closes are seen before the connection is used again.
    pub const IDLE_CONNECTION_DEFAULT: Duration = Duration::from_secs(60);
}

/// What a shard holds in memory, and when it stops.
pub mod shard {
    use super::{Duration, MIB, RangeInclusive};

    /// Matched events of one trigger that wait on one shard, by position (8 bytes
    /// each). A trigger further behind reads the log instead.
    pub const QUEUE_PER_TRIGGER_DEFAULT: u64 = 1024;
    /// A power of two is not needed, only room for every attempt under way.
    pub const QUEUE_PER_TRIGGER_RANGE: RangeInclusive<u64> = 16..=1 << 20;

    /// Events of one trigger that wait on one shard for their next attempt. When it
    /// is reached, the trigger takes no new event until one of them is finished; each
    /// is part of the durable cursor.
    pub const PENDING_PER_TRIGGER_DEFAULT: u64 = 4096;
    /// A cursor record must hold them all.
    pub const PENDING_PER_TRIGGER_RANGE: RangeInclusive<u64> = 16..=65_536;

    /// Bytes that one of them takes of a cursor record: position, attempts, due time.
    pub const PENDING_EVENT_BYTES: u64 = 24;

    /// Bytes appended that wait for the flush under way; more is answered 503.
    pub const PENDING_BATCH_BYTES_DEFAULT: u64 = 64 * MIB;
    /// At least one event of the largest size.
    pub const PENDING_BATCH_BYTES_RANGE: RangeInclusive<u64> = MIB..=1024 * MIB;

    /// How often moved cursors go to the log. After a crash at most this much of what
    /// was delivered is delivered again.
    pub const CURSOR_FLUSH_INTERVAL_DEFAULT: Duration = Duration::from_millis(100);
    /// Below 10 ms the cursors would be most of the log.
    pub const CURSOR_FLUSH_INTERVAL_RANGE: RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_secs(60);

    /// From the request to stop until requests and attempts under way are cut off.
    /// Kubernetes' own grace period; what is cut off is delivered after the restart.
    pub const DRAIN_DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
    /// 0 cuts off at once.
    pub const DRAIN_DEADLINE_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);

    /// Shards of one process: the range of a `shard` label, and of threads worth having.
    pub const SHARDS_RANGE: RangeInclusive<u64> = 1..=1024;
}

/// The log.
pub mod wal {
    use super::{Duration, GIB, MIB, RangeInclusive};

    /// Bytes of one file of the log: the unit in which space is prepared and freed.
    pub const SEGMENT_BYTES_DEFAULT: u64 = 64 * MIB;
    /// A segment smaller than 1 MiB is used up faster than the next is prepared.
    pub const SEGMENT_BYTES_RANGE: RangeInclusive<u64> = MIB..=4 * GIB;

    /// Bytes of disk for the logs of all shards together.
    pub const MAX_BYTES_DEFAULT: u64 = 10 * GIB;
    /// Each shard needs one segment it writes, one prepared, and one being freed.
    pub const SEGMENTS_PER_SHARD_MIN: u64 = 3;
    /// 1 PiB: no file system under one pod is larger.
    pub const MAX_BYTES_RANGE: RangeInclusive<u64> = MIB..=1 << 50;

    /// `retain_age`: below a second it keeps nothing worth reading; ten years are as
    /// good as for ever.
    pub const RETAIN_AGE_RANGE: RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_secs(10 * 365 * 86_400);

    /// `backlog_bytes_max`, left out, is as much again as `max_bytes`: a log full of
    /// what one trigger still needs can be moved as a whole. The smallest holds what a
    /// few events of the largest size need.
    pub const BACKLOG_BYTES_RANGE: RangeInclusive<u64> = 8 * MIB..=1 << 50;
    /// A broker may take this part of it, where nothing says more or less: some that
    /// are far behind do not use up what is there for all.
    pub const BACKLOG_BROKERS_DEFAULT: u64 = 4;
    /// Bytes of one file of a backlog, unless the largest event needs larger ones: every
    /// broker that is behind takes at least two of them on each shard.
    pub const BACKLOG_SEGMENT_BYTES: u64 = 16 * MIB;
    /// Bytes that are moved at once: some milliseconds of work, and large enough that
    /// the sync behind it is a small part.
    pub const MOVE_BYTES: u64 = MIB;
    /// Records that are looked at for it: about a millisecond.
    pub const MOVE_RECORDS: usize = 4096;
    /// The part of the log that is kept free for new events, by moving what is left in
    /// its oldest segments: a quarter, but never less than one segment.
    pub const FREE_PART: u64 = 4;
    /// How often a shard looks whether its log is that full.
    pub const MOVE_PAUSE: Duration = Duration::from_millis(50);

    /// `fsync = { interval_ms = … }`: what a power cut may cost, at most.
    pub const FSYNC_INTERVAL_RANGE: RangeInclusive<Duration> =
        Duration::from_millis(1)..=Duration::from_secs(60);

    /// Bytes that a record may have beyond an event's body: its frame, the header
    /// block and the attribute index, which hold the head's bytes once each, in the
    /// worst case percent-coded (threefold).
    #[must_use]
    pub const fn record_overhead_bytes(head_bytes_max: u64) -> u64 {
        4 * head_bytes_max + 64 * super::KIB
    }
}

/// The admin port.
pub mod admin {
    use super::{Duration, KIB};

    /// Connections at the same time, one thread each: a scraper, two probes, the
    /// console and some people.
    pub const CONNECTIONS_MAX: usize = 16;
    /// Bytes of a request's head.
    pub const HEAD_BYTES_MAX: usize = (8 * KIB) as usize;
    /// From accept to the end of the request's head.
    pub const READ_DEADLINE: Duration = Duration::from_secs(5);
    /// From the first byte of the response to its last. `/metrics` takes some 6 KiB for
    /// each trigger and status it has seen: 60 MiB for 10,000 triggers.
    pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);
    /// A shard that has not shown itself for so long is taken for stuck.
    pub const HEARTBEAT_AGE_MAX: Duration = Duration::from_secs(5);
}

/// Name resolution.
pub mod resolve {
    use super::Duration;

    /// Threads that ask the system. A name server that does not answer holds one for
    /// some ten seconds; the others go on.
    pub const THREADS: usize = 2;
    /// Names that are remembered.
    pub const ENTRIES_MAX: usize = 4096;
    /// Names that wait to be asked.
    pub const QUEUE_MAX: usize = 1024;
    /// How long an answer is used. Short, because a Kubernetes Service that is created
    /// anew has another address, and the system's own cache is near.
    pub const POSITIVE_TTL: Duration = Duration::from_secs(10);
    /// How long a failure is used: it keeps a wrong name from a query per attempt.
    pub const NEGATIVE_TTL: Duration = Duration::from_secs(1);
    /// Addresses kept of one answer.
    pub const ADDRESSES_MAX: usize = 16;
}

// How the defaults relate.
const _: () = {
    // The largest event that any configuration admits fits a pending batch.
    assert!(
        *ingress::BODY_BYTES_MAX_RANGE.end()
            + wal::record_overhead_bytes(*ingress::HEAD_BYTES_MAX_RANGE.end())
            <= shard::PENDING_BATCH_BYTES_DEFAULT
    );
    // An event fits a segment many times, else the end of each is wasted.
    assert!(
        8 * (ingress::BODY_BYTES_MAX_DEFAULT + wal::record_overhead_bytes(ingress::HEAD_BYTES_MAX_DEFAULT))
            <= wal::SEGMENT_BYTES_DEFAULT
    );
    // A reply can be as large as an event, and is stored like one.
    assert!(delivery::RESPONSE_BODY_BYTES_MAX_DEFAULT <= ingress::BODY_BYTES_MAX_DEFAULT);
    // Every event under way may fail and wait for its next attempt.
    assert!(delivery::PARALLELISM_DEFAULT <= shard::PENDING_PER_TRIGGER_DEFAULT);
    // The queue keeps every attempt slot fed.
    assert!(delivery::PARALLELISM_DEFAULT <= shard::QUEUE_PER_TRIGGER_DEFAULT);
    // One trigger can use its parallelism.
    assert!(delivery::PARALLELISM_DEFAULT <= delivery::MAX_CONNECTIONS_DEFAULT);
    // A connection attempt ends before the attempt it serves.
    assert!(delivery::CONNECT_TIMEOUT_DEFAULT.as_millis() < delivery::TIMEOUT_DEFAULT.as_millis());
    // 50 shards of default size fit the default budget; for more, it is raised (config).
    assert!(50 * wal::SEGMENTS_PER_SHARD_MIN * wal::SEGMENT_BYTES_DEFAULT <= wal::MAX_BYTES_DEFAULT);
    // One trigger with every event pending that may be leaves the cursors' quarter of a
    // segment of default size to others.
    assert!(
        *shard::PENDING_PER_TRIGGER_RANGE.end() * shard::PENDING_EVENT_BYTES
            <= wal::SEGMENT_BYTES_DEFAULT / 4 / 4
    );
};
