//! Reading: the first record at or after a position.

use bytes::Bytes;

use crate::{
    error::{Damage, DamageKind},
    lsn::Lsn,
    record::{self, Frame, Kind},
    segment::Header,
    storage::Storage,
};

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub lsn: Lsn,
    /// Where to read on.
    pub next: Lsn,
    /// What it is.
    pub kind: Kind,
    /// Number of owner's records before it.
    pub sequence: u64,
    /// The owner's clock when it was appended.
    pub time_ms: u64,
    /// What was appended: a view of the log's file, without a copy.
    pub body: Bytes,
}

/// The part of a segment that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub header: Header,
    /// Where its durable records end.
    pub end: Lsn,
    /// Of its last record; no record in it is later.
    pub last_time_ms: u64,
}

impl Extent {
    /// The first owner's record at or after `at` in this segment.
    pub(crate) fn read(&self, storage: &dyn Storage, at: Lsn) -> Result<Option<Entry>, Damage> {
        let mut at = at.max(self.header.first_frame());
        if at >= self.end {
            return Ok(None);
        }
        let bytes = storage.view(self.header.base).map_err(|error| {
            let what = DamageKind::Unreadable(error.to_string());
            Damage { from: at, to: self.header.end(), what }
        })?;
        if bytes.len() as u64 != self.header.segment_bytes {
            return Err(Damage { from: at, to: self.header.end(), what: DamageKind::Header });
        }
        let segment = &bytes[..(self.end - self.header.base) as usize];
        while at < self.end {
            let Some(frame) = self.decode(segment, at) else {
                at = self.resume(segment, at)?;
                continue;
            };
            at = frame.next;
            if frame.kind.is_owners() {
                return Ok(Some(entry(&frame, &bytes)));
            }
        }
        Ok(None)
    }

    fn decode(&self, segment: &[u8], at: Lsn) -> Option<Frame> {
        record::decode(segment, self.header.base, self.header.generation, (at - self.header.base) as usize)
    }

    /// Where the first frame after `at` begins, if none begins at `at`, or the
    /// damage if one should. Only a walk from the segment's start tells which.
    fn resume(&self, segment: &[u8], at: Lsn) -> Result<Lsn, Damage> {
        let mut walked = self.header.first_frame();
        while walked < at {
            let Some(frame) = self.decode(segment, walked) else { break };
            walked = frame.next;
        }
        if walked > at {
            return Ok(walked);
        }
        let behind = (at - self.header.base) as usize + 1;
        let found = record::find(segment, self.header.base, self.header.generation, behind, segment.len());
        Err(Damage { from: walked, to: found.map_or(self.end, |frame| frame.lsn), what: DamageKind::Record })
    }
}

fn entry(frame: &Frame, bytes: &Bytes) -> Entry {
    Entry {
        lsn: frame.lsn,
        next: frame.next,
        kind: frame.kind,
        sequence: frame.sequence,
        time_ms: frame.time_ms,
        body: bytes.slice(frame.body_offset..frame.body_offset + frame.body_bytes),
    }
}
