//! The body of a record of a backlog.
//!
//! ```text
//! offset  bytes  field
//!      0      8  the event's position in the shard's log, its identity
//!      8      8  when the event was accepted, Unix milliseconds
//!     16      …  the event's log record (`envelope`), with those of its triggers
//!                that still needed it
//! ```

use eagre_snapshot::Id;
use eagre_wal::{Kind, Lsn};

use super::{Offset, StoredEvent, envelope};

/// The kind of log records described here.
pub(super) const MOVED: Kind = Kind(18);

/// Such a body, split.
pub(super) struct MovedEvent<'a> {
    pub(super) offset: Offset,
    pub(super) time_ms: u64,
    /// The event's own log record.
    pub(super) event: &'a [u8],
}

impl<'a> MovedEvent<'a> {
    /// `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (offset, rest) = body.split_first_chunk()?;
        let (time_ms, event) = rest.split_first_chunk()?;
        let offset = Offset(Lsn(u64::from_le_bytes(*offset)));
        Some(Self { offset, time_ms: u64::from_le_bytes(*time_ms), event })
    }
}

/// What stands in front of the event's own bytes, for those who still need it.
pub(super) fn prefix(event: &StoredEvent, triggers: &[Id]) -> Vec<u8> {
    let mut prefix = [event.offset.0.0.to_le_bytes(), event.time_ms.to_le_bytes()].concat();
    envelope::append_prefix(&mut prefix, event.broker(), triggers.iter().copied());
    prefix
}
