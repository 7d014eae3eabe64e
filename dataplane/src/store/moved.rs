//! The body of a record of a backlog.
//!
//! ```text
//! offset  bytes  field
//!      0      8  the event's position in the shard's log, its identity
//!      8      8  when the event was accepted, Unix milliseconds
//!     16      …  the event's log record (`envelope`), with those of its triggers
//!                that still needed it
//! ```

use bytes::Bytes;
use eagre_snapshot::Id;
use eagre_wal::{Kind, Lsn};

use super::{Offset, StoredEvent, envelope};

/// The kind of log records described here.
pub(super) const MOVED: Kind = Kind(18);

const PREFIX_BYTES: usize = 16;

/// Identity, time of acceptance, and the event's own log record.
pub(super) fn split(body: &Bytes) -> Option<(Offset, u64, Bytes)> {
    let (source, rest) = body.split_first_chunk::<8>()?;
    let (time_ms, _) = rest.split_first_chunk::<8>()?;
    let source = Offset(Lsn(u64::from_le_bytes(*source)));
    Some((source, u64::from_le_bytes(*time_ms), body.slice(PREFIX_BYTES..)))
}

/// What stands in front of the event's own bytes, for those who still need it.
pub(super) fn prefix(event: &StoredEvent, triggers: &[Id]) -> Vec<u8> {
    let mut prefix = [event.offset.0.0.to_le_bytes(), event.time_ms.to_le_bytes()].concat();
    envelope::append_prefix(&mut prefix, event.broker(), triggers.iter().copied());
    prefix
}
