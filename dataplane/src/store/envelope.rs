//! The body of a log record that holds an event: whose it is, who gets it, and
//! the event as it will be sent.
//!
//! ```text
//! offset  bytes  field
//!      0      1  version, 1
//!      1      3  zero
//!      4      4  n, the number of matched triggers
//!      8      8  id of the broker
//!     16    8·n  ids of the matched triggers, ascending by matcher slot
//! 16+8·n      …  the event record (`eagre_event::Record`)
//! ```
//! Integers are little-endian. The matched triggers are part of the record
//! because an event is judged once, when it is accepted: neither a later edit
//! of a filter nor a restart judges it again.

use eagre_event::Record;
use eagre_snapshot::Id;
use eagre_wal::Kind;

/// The kind of log records described here.
pub(super) const EVENT: Kind = Kind(16);

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 16;
const ID_BYTES: usize = 8;

/// Bytes in front of the event record for `matches` triggers.
pub(super) const fn prefix_bytes(matches: usize) -> usize {
    FIXED_BYTES + matches * ID_BYTES
}

/// Renders what stands in front of the event record.
pub(super) fn write_prefix(out: &mut Vec<u8>, broker: Id, matches: impl ExactSizeIterator<Item = Id>) {
    out.clear();
    append_prefix(out, broker, matches);
}

/// The same, behind what is in `out`.
pub(super) fn append_prefix(out: &mut Vec<u8>, broker: Id, matches: impl ExactSizeIterator<Item = Id>) {
    out.reserve(prefix_bytes(matches.len()));
    out.extend_from_slice(&[VERSION, 0, 0, 0]);
    out.extend_from_slice(&(matches.len() as u32).to_le_bytes());
    out.extend_from_slice(&broker.0.to_le_bytes());
    for id in matches {
        out.extend_from_slice(&id.0.to_le_bytes());
    }
}

/// A view of such a body.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'a> {
    broker: Id,
    matches: &'a [u8],
    event: &'a [u8],
}

/// The body is not of the form above; its check sum was right, so another
/// version wrote it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("log record holds no event of a known version ({0}); was it written by a newer Eagre?")]
pub(super) struct Unknown(&'static str);

impl<'a> Envelope<'a> {
    /// Checks and splits a body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Unknown> {
        let (fixed, rest) = body.split_first_chunk::<FIXED_BYTES>().ok_or(Unknown("too short"))?;
        if fixed[0] != VERSION {
            return Err(Unknown("version"));
        }
        let count = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]) as usize;
        let (matches, event) =
            rest.split_at_checked(count.saturating_mul(ID_BYTES)).ok_or(Unknown("match list"))?;
        let (_, broker) = fixed.split_last_chunk().expect("sixteen bytes");
        Ok(Self { broker: Id(u64::from_le_bytes(*broker)), matches, event })
    }

    /// The broker that accepted the event.
    pub(super) fn broker(&self) -> Id {
        self.broker
    }

    /// The triggers that get the event.
    pub(super) fn matches(&self) -> impl Iterator<Item = Id> + use<'a> {
        let (ids, _) = self.matches.as_chunks::<ID_BYTES>();
        ids.iter().map(|bytes| Id(u64::from_le_bytes(*bytes)))
    }

    /// The event record's bytes.
    pub(super) fn event_bytes(&self) -> &'a [u8] {
        self.event
    }

    /// The event.
    pub(super) fn event(&self) -> Result<Record<'a>, eagre_event::Malformed> {
        Record::parse(self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_gives_back_its_matches() {
        let mut bytes = Vec::new();
        write_prefix(&mut bytes, Id(7), [Id(1), Id(u64::MAX)].into_iter());
        assert_eq!(bytes.len(), prefix_bytes(2));
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!(envelope.broker(), Id(7));
        assert_eq!(envelope.matches().collect::<Vec<_>>(), [Id(1), Id(u64::MAX)]);
    }

    #[test]
    fn a_cut_or_foreign_body_is_refused() {
        let mut bytes = Vec::new();
        write_prefix(&mut bytes, Id(7), [Id(1)].into_iter());
        for length in 0..bytes.len() {
            assert!(Envelope::parse(&bytes[..length]).is_err());
        }
        bytes[0] = 2;
        assert_eq!(Envelope::parse(&bytes).err(), Some(Unknown("version")));
    }
}
