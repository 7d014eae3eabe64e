//! The segments around the active one: those that are full and released one day,
//! and the one that stands ready.

use std::{io, sync::Arc};

use super::{Log, poisoned};
use crate::{
    canary::{Canary, planted},
    error::{Full, Poisoned, Stage},
    limits::{PREPARE_RETRY, SPARE_SEGMENTS},
    lsn::Lsn,
    reader::Extent,
    segment::{HEADER_BYTES, Header},
    storage::Chore,
};

/// What a log takes of the disk, and where it stands.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Files, the prepared one and those being removed included.
    pub segments: usize,
    /// Segments that stand ready behind the active one.
    pub spares: usize,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Bytes they may take.
    pub max_bytes: u64,
    /// Of them, bytes of segments that no cursor needs and that are kept for
    /// readers of the past.
    pub retained_bytes: u64,
    /// Before the oldest record that is still there.
    pub first: Lsn,
    /// Where the next record goes.
    pub end: Lsn,
    /// Every record below is durable.
    pub durable: Lsn,
    /// Why no segment can be prepared now, if so.
    pub shortage: Option<Full>,
}

impl Log {
    /// Up to where the cursors must advance for the oldest segment to be let go
    /// of, if there is a full one.
    #[must_use]
    pub fn oldest_end(&self) -> Option<Lsn> {
        self.full.front().map(|oldest| oldest.header.end())
    }

    /// Lets go of the segments that no cursor needs, as far as the log itself
    /// knows that, and that are not kept for readers of the past
    /// ([`Options::retain`]). Without cursors no segment is needed. `now_ms` is
    /// the owner's clock.
    pub fn release(&mut self, now_ms: u64) {
        while self.full.front().is_some_and(|oldest| !self.is_retained(oldest, now_ms))
            && self.remove_oldest()
        {}
        self.prepare_next();
    }

    /// The segment is kept although no cursor needs it.
    fn is_retained(&self, oldest: &Extent, now_ms: u64) -> bool {
        let held = self.active.header.end() - oldest.header.base;
        self.options.retain.keeps(now_ms.saturating_sub(oldest.last_time_ms), held)
    }

    /// Removes the oldest segment, if no cursor needs it.
    fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.full.front().copied() else { return false };
        if self.is_needed(&oldest) {
            if oldest.header.end() <= self.release_mark.stored().min(self.cursors.low()) {
                // Only the sync is missing, which a weaker mode may never ask for.
                self.flush.sync_soon(self.storage.as_mut());
            }
            return false;
        }
        let Header { base, segment_bytes, .. } = oldest.header;
        self.storage.remove(base);
        self.removing.push_back((base, segment_bytes));
        self.full.pop_front();
        true
    }

    /// A cursor needs the segment, or it holds the only cursors on the disk: the
    /// next segment's checkpoint takes over once it is there.
    fn is_needed(&self, extent: &Extent) -> bool {
        let end = extent.header.end();
        let mark = self.release_mark.get().min(self.cursors.low());
        let next_is_synced = end + HEADER_BYTES < self.flush.synced() || planted(Canary::ReleaseEarly);
        end > mark || !next_is_synced
    }

    /// What the log takes of the disk, and where it stands.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let headers = self.full.iter().map(|extent| extent.header);
        let headers = headers.chain([self.active.header]).chain(self.spares.iter().copied());
        let sizes = headers.chain(self.preparing).map(|header| header.segment_bytes);
        let sizes = sizes.chain(self.removing.iter().map(|(_, bytes)| *bytes));
        let (segments, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
        Usage {
            segments,
            spares: self.spares.len(),
            bytes,
            max_bytes: self.options.max_bytes,
            retained_bytes: self.retained_bytes(),
            first: self.full.front().map_or(self.active.header, |extent| extent.header).first_frame(),
            end: self.end,
            durable: self.durable,
            shortage: self.shortage.as_ref().map(|(why, _)| why.clone()),
        }
    }

    fn retained_bytes(&self) -> u64 {
        let unneeded = self.full.iter().take_while(|extent| !self.is_needed(extent));
        unneeded.map(|extent| extent.header.segment_bytes).sum()
    }

    /// Has the next segment prepared, if one is wanted and there is room. What is
    /// kept for readers of the past makes way.
    pub(super) fn prepare_next(&mut self) {
        if self.preparing.is_some() || self.spares.len() >= SPARE_SEGMENTS || self.poisoned.is_some() {
            return;
        }
        let now = self.storage.now();
        if matches!(self.shortage, Some((Full::NoSpace(_), retry_at)) if now < retry_at) {
            return;
        }
        let last = self.spares.back().unwrap_or(&self.active.header);
        let next = last.following(self.options.segment_bytes);
        let Usage { bytes, max_bytes, .. } = self.usage();
        if bytes + next.segment_bytes > max_bytes {
            if !self.removing.is_empty() || self.remove_oldest() {
                return;
            }
            // Beside an active segment from before the options changed there may
            // never be room for the second one that every log needs.
            if !self.full.is_empty() || planted(Canary::LargeActiveStays) {
                self.shortage = Some((Full::MaxBytes { max_bytes }, now));
                return;
            }
        }
        self.shortage.take_if(|(why, _)| matches!(why, Full::MaxBytes { .. }));
        self.preparing = Some(next);
        self.storage.prepare(next);
    }

    /// Takes note of segments that were made or removed.
    pub(super) fn do_chores(&mut self) -> Result<(), Poisoned> {
        while let Some(chore) = self.storage.chore() {
            match chore {
                Chore::Prepared(header, Ok(())) => {
                    self.preparing = None;
                    self.shortage = None;
                    self.spares.push_back(header);
                }
                Chore::Prepared(_, Err(error))
                    if is_shortage(&error) && !planted(Canary::ShortagePoisons) =>
                {
                    self.preparing = None;
                    let retry_at = self.storage.now() + PREPARE_RETRY;
                    self.shortage = Some((Full::NoSpace(Arc::new(error)), retry_at));
                }
                Chore::Prepared(header, Err(error)) => {
                    return Err(self.poison(poisoned(Stage::Prepare, header.base, error)));
                }
                Chore::Removed(base, Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.poison(poisoned(Stage::Remove, base, error)));
                }
                Chore::Removed(base, _) => self.removing.retain(|(removing, _)| *removing != base),
            }
        }
        self.prepare_next();
        Ok(())
    }
}

/// There is no space now; nothing of the log has suffered.
fn is_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
