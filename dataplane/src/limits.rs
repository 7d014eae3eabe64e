//! Every fixed bound of the data plane, in one place: what may come in, what may wait,
//! what may be held, and for how long.
//!
//! Bounds that `eagre.toml` sets are declared in `tuning`, each with its default, range
//! and reason; how the values in force relate, `tuning::relations` judges. Deliberately
//! absent: a limit on requests per connection, which would only cost well-behaved
//! producers a handshake; the deadlines of `tuning::ingress` bound a connection.

use std::time::Duration;

use units::{KIB, MIB};

/// Units to write bounds in.
pub mod units {
    use super::Duration;

    /// Bytes.
    pub const KIB: u64 = 1 << 10;
    /// Bytes.
    pub const MIB: u64 = 1 << 20;
    /// Bytes.
    pub const GIB: u64 = 1 << 30;
    /// 60 minutes.
    pub const HOUR: Duration = Duration::from_secs(3600);
    /// 24 hours.
    pub const DAY: Duration = Duration::from_secs(24 * 3600);
}

/// What is taken of producers, and told them.
pub mod ingress {
    use super::KIB;

    /// `Retry-After` of 503 and 429 when the log is full, seconds: long enough for a
    /// segment to be freed.
    pub const RETRY_AFTER_FULL_SECONDS: u64 = 5;
    /// `Retry-After` of 503 while draining, seconds: the next connection reaches
    /// another pod, or the restarted one. And while bodies hold all the memory they
    /// may.
    pub const RETRY_AFTER_SOON_SECONDS: u64 = 1;

    /// Bytes from which a request is worked on in a turn of its own.
    pub const LARGE_BYTES: usize = (256 * KIB) as usize;
    /// Bytes of the log that one request's events may take, as a multiple of the
    /// largest body: fields that pass through are stored with every event of a batch.
    pub const BATCH_BODIES_MAX: usize = 4;

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
    pub const HEADERS_MAX: usize = eagre_http1::HEADERS_MAX;
}

/// What is taken of subscribers.
pub mod delivery {
    use super::{Duration, KIB};

    /// Bytes of a response's status line and fields.
    pub const RESPONSE_HEAD_BYTES_MAX: usize = (64 * KIB) as usize;
    /// How long a delivery waits when this process or machine is short of descriptors,
    /// memory or ports, before it looks again. It costs the event no attempt.
    pub const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);
    /// How long a dead letter waits when there is no room to keep it.
    pub const NO_ROOM_PAUSE: Duration = Duration::from_secs(30);
    /// 1xx responses before the final one.
    pub const INTERIM_RESPONSES_MAX: usize = 8;
    /// Bytes kept of the body of a failed attempt: what `knativeerrordata` may tell.
    pub const ERROR_BODY_BYTES_MAX: usize = eagre_event::ERROR_DATA_BYTES_MAX;
}

/// What a shard holds.
pub mod shard {
    /// Bytes that an event waiting for its next attempt takes of a cursor record: position, attempts, due time.
    pub const PENDING_EVENT_BYTES: u64 = 24;
}

/// The log.
pub mod wal {
    use super::{Duration, MIB};

    /// Each shard needs one segment it writes, one prepared, and one being freed.
    pub const SEGMENTS_PER_SHARD_MIN: u64 = 3;

    /// Bytes of one file of a backlog, unless the largest event needs larger ones: every
    /// broker that is behind takes at least two of them on each shard.
    pub const BACKLOG_SEGMENT_BYTES: u64 = 16 * MIB;
    /// Bytes that are moved at once: some milliseconds of work, and large enough that
    /// the sync behind it is a small part.
    pub const MOVE_BYTES: u64 = MIB;
    /// The part of the log that is kept free for new events, by moving what is left in
    /// its oldest segments: a quarter, but never less than one segment.
    pub const FREE_PART: u64 = 4;
    /// How often a shard looks whether its log is that full.
    pub const MOVE_PAUSE: Duration = Duration::from_millis(50);

    /// Bytes that a record may have beyond an event's body: its frame, the header
    /// block and the attribute index, which hold the head's bytes once each, in the
    /// worst case percent-coded (threefold).
    #[must_use]
    pub const fn record_overhead_bytes(head_bytes_max: u64) -> u64 {
        4 * head_bytes_max + 64 * super::KIB
    }
}

/// What one turn of a shard's loop may read of its logs: about a millisecond, which
/// is what others may wait.
pub mod store {
    use super::MIB;

    /// Records.
    pub const TURN_RECORDS: usize = 512;
    /// Bytes of their bodies; the largest event may exceed it by itself.
    pub const TURN_BYTES: usize = MIB as usize;
}

/// The admin port.
pub mod admin {
    use super::{Duration, KIB};

    /// Connections at the same time, one thread each: a scraper, two probes, the
    /// console and some people. One that comes beyond them takes the place of another.
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

// 768 bytes are 1,024 in base64.
const _: () = assert!(delivery::ERROR_BODY_BYTES_MAX / 3 * 4 <= 1024);
