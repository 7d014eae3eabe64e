//! The records of a log, one after another, past what is damaged.

use std::{collections::VecDeque, path::Path, vec};

use bytes::Bytes;

use super::{Depth, InspectError, Piece, Plan, Source, plan::Slot, summary::look, walk::walk};
use crate::{
    lsn::Lsn,
    record::{Frame, Kind},
    segment::Seal,
};

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the first record at or behind a position.
    Lsn(Lsn),
    /// With the first record that has this time or a later one, in milliseconds by
    /// the owner's clock.
    Time(u64),
}

/// What is at the next place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A record.
    Record(Record),
    /// Records that cannot be read.
    Lost {
        /// The first position.
        from: Lsn,
        /// Behind the last one.
        to: Lsn,
    },
}

/// A record of any kind, the log's own included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub lsn: Lsn,
    /// Where the next one begins.
    pub next: Lsn,
    /// What it is.
    pub kind: Kind,
    /// Number of owner's records before it.
    pub sequence: u64,
    /// The owner's clock when it was appended.
    pub time_ms: u64,
    /// Everything below was on the disk when it was written.
    pub durable: Lsn,
    /// The next record belongs to the same group.
    pub group_continues: bool,
    /// What was appended.
    pub body: Bytes,
}

/// The records of a log, ascending. Holds one segment in memory.
#[derive(Debug)]
pub struct Records {
    source: Source,
    slots: VecDeque<Slot>,
    last_used: Option<Lsn>,
    since: Since,
    current: vec::IntoIter<Read>,
}

/// The records of a log, as they are on the disk now.
///
/// # Errors
/// There is no log, or a file cannot be opened.
pub fn records(dir: &Path, since: Since) -> Result<Records, InspectError> {
    let source = Source::open(dir)?;
    let last_used = look(&source)?.last_used;
    let mut slots: VecDeque<_> = Plan::of(&source)?.slots.into();
    if source.holder.is_some() {
        // What comes into later segments meanwhile follows records that are not
        // seen either.
        slots.retain(|slot| last_used.is_some_and(|last| slot.header.base <= last));
    }
    if let Since::Lsn(lsn) = since {
        slots.retain(|slot| slot.header.end() > lsn);
    }
    Ok(Records { source, slots, last_used, since, current: Vec::new().into_iter() })
}

impl Iterator for Records {
    type Item = Result<Read, InspectError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(read) = self.current.next() {
                return Some(Ok(read));
            }
            let slot = self.slots.pop_front()?;
            match self.read(&slot) {
                Ok(reads) => self.current = reads.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Records {
    fn read(&mut self, slot: &Slot) -> Result<Vec<Read>, InspectError> {
        let header = slot.header;
        let settled = self.last_used.is_some_and(|last| header.base < last);
        let Some(file) = slot.file else {
            return Ok(vec![Read::Lost { from: header.base, to: header.end() }]);
        };
        if self.is_older(file, slot)? {
            return Ok(Vec::new());
        }
        // One that is gone was let go of meanwhile.
        let Some(mut content) = self.source.read(file, Depth::Whole)? else { return Ok(Vec::new()) };
        content.bytes.resize(header.segment_bytes as usize, 0);
        let walk = walk(&content.bytes, &header, settled);
        let bytes = Bytes::from(content.bytes);
        let lost = walk.pieces.iter().filter_map(|piece| match *piece {
            Piece::Lost { from, to } => Some(Read::Lost { from, to }),
            Piece::Whole(_) => None,
        });
        let mut reads: Vec<_> =
            walk.frames.iter().map(|frame| Read::Record(record(frame, &bytes))).chain(lost).collect();
        reads.sort_by_key(Read::lsn);
        let since = self.since;
        let begin = reads.iter().position(|read| read.is_since(since)).unwrap_or(reads.len());
        if begin < reads.len() {
            self.since = Since::Lsn(Lsn::ZERO);
        }
        reads.drain(..begin);
        Ok(reads)
    }

    /// Its seal says that all of its records are from before the time.
    fn is_older(&self, file: Lsn, slot: &Slot) -> Result<bool, InspectError> {
        let Since::Time(time_ms) = self.since else { return Ok(false) };
        let Some(content) = self.source.read(file, Depth::Ends)? else { return Ok(false) };
        let sealed = content.bytes.len() as u64 == slot.header.segment_bytes;
        let seal = if sealed { Seal::decode(&content.bytes, &slot.header) } else { None };
        Ok(seal.is_some_and(|(seal, _)| seal.last_time_ms < time_ms))
    }
}

impl Read {
    fn lsn(&self) -> Lsn {
        match self {
            Self::Record(record) => record.lsn,
            Self::Lost { from, .. } => *from,
        }
    }

    fn is_since(&self, since: Since) -> bool {
        match (since, self) {
            (Since::Lsn(lsn), Self::Lost { to, .. }) => *to > lsn,
            (Since::Lsn(lsn), Self::Record(record)) => record.lsn >= lsn,
            (Since::Time(_), Self::Lost { .. }) => false,
            (Since::Time(time_ms), Self::Record(record)) => record.time_ms >= time_ms,
        }
    }
}

fn record(frame: &Frame, segment: &Bytes) -> Record {
    Record {
        lsn: frame.lsn,
        next: frame.next,
        kind: frame.kind,
        sequence: frame.sequence,
        time_ms: frame.time_ms,
        durable: frame.durable,
        group_continues: frame.group_continues,
        body: segment.slice(frame.body_offset..frame.body_offset + frame.body_bytes),
    }
}
