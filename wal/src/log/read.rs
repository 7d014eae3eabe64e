//! What comes out: records by position.

use std::iter;

use super::Log;
use crate::{
    error::Damage,
    lsn::Lsn,
    reader::{Entry, Extent},
};

impl Log {
    /// The first owner's record at or after `at` that is durable.
    ///
    /// # Errors
    /// What should be there was damaged after it was durable.
    pub fn read(&self, at: Lsn) -> Result<Option<Entry>, Damage> {
        let from = self.full.partition_point(|extent| extent.header.end() <= at);
        for extent in self.full.range(from..).chain(iter::once(&self.active.extent(self.end))) {
            if at.max(extent.header.first_frame()) >= self.durable {
                break;
            }
            let readable = Extent { end: extent.end.min(self.durable), ..*extent };
            if let Some(entry) = readable.read(self.storage.as_ref(), at)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The last record of the owner's that is durable. Reads one segment, or two.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn last(&self) -> Result<Option<Entry>, Damage> {
        let active = self.active.extent(self.end);
        for extent in iter::once(&active).chain(self.full.iter().rev()) {
            let mut last = None;
            let mut at = extent.header.first_frame();
            while at < extent.end {
                let Some(entry) = self.read(at)?.filter(|entry| entry.lsn < extent.end) else { break };
                at = entry.next;
                last = Some(entry);
            }
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }
}
