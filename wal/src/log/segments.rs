//! The segments around the active one: those that are full and released one day,
//! and the one that stands ready.

use std::{io, sync::Arc, time::Duration};

use super::{Log, poisoned};
use crate::{
    canary::{Canary, planted},
    error::{Full, OptionsError, Poisoned, Stage, is_resource_shortage, is_space_shortage},
    limits::{SEGMENT_RETRY, SEGMENTS_MIN, SPARE_SEGMENTS},
    lsn::Lsn,
    options::Options,
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

    /// Bytes of the largest segment that is there or will be made: the log has no
    /// record, and will have none, that does not fit one of these. After
    /// `segment_bytes` was lowered, that is more than it.
    #[must_use]
    pub fn segment_bytes_max(&self) -> u64 {
        let there = self.full.iter().map(|extent| extent.header).chain([self.active.header]);
        there.map(|header| header.segment_bytes).fold(self.segment_bytes, u64::max)
    }

    /// Has segments made so large, until the log is opened again, that bodies of
    /// `record_bytes` are taken: for records of another log, from before its own
    /// `segment_bytes` was lowered. What stands ready is used up first; meanwhile
    /// they are refused as [`Full::Preparing`].
    ///
    /// # Errors
    /// No segment can be so large.
    pub fn make_fit(&mut self, record_bytes: u64) -> Result<(), OptionsError> {
        let segment_bytes = self.segment_bytes.max(Options::segment_bytes_for(record_bytes));
        let max_bytes = self.options.max_bytes.max(SEGMENTS_MIN * segment_bytes);
        let options = Options { segment_bytes, max_bytes, ..self.options.clone() };
        if options.record_bytes_max() < record_bytes {
            return Err(OptionsError::SegmentBytes(segment_bytes));
        }
        options.validate()?;
        (self.segment_bytes, self.options.max_bytes) = (segment_bytes, max_bytes);
        Ok(())
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
            let is_stored = oldest.header.end() <= self.release_mark.stored().min(self.cursors.low());
            if is_stored && self.poisoned.is_none() {
                // Only the sync is missing, which a weaker mode may never ask for.
                self.flush.sync_written();
                self.flush.start(self.storage.as_mut());
            }
            return false;
        }
        let Header { base, segment_bytes, .. } = oldest.header;
        self.full.pop_front();
        self.removing.push_back((base, segment_bytes));
        if self.removing.len() == 1 {
            self.storage.remove(base);
        }
        true
    }

    /// Asks for the removal again that something was short for, if that is due.
    fn retry_removal(&mut self) {
        let now = self.storage.now();
        if self.remove_again.take_if(|at| *at <= now).is_some()
            && let Some((base, _)) = self.removing.front()
        {
            self.storage.remove(*base);
        }
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
        if self.poisoned.is_some() {
            return;
        }
        self.retry_removal();
        let now = self.storage.now();
        let waits = self.shortage.as_ref().is_some_and(|(_, retry_at)| now < *retry_at);
        if self.preparing.is_some() || self.spares.len() >= SPARE_SEGMENTS || waits {
            return;
        }
        let last = self.spares.back().unwrap_or(&self.active.header);
        let next = last.following(self.segment_bytes);
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

    /// Has one more segment prepared than the log may have: in the active one is no
    /// room for the cursors that would free another. Where the options changed
    /// between runs, what was kept for them was in a segment that stood ready, and
    /// went since it had another size.
    pub(super) fn prepare_for_cursors(&mut self) {
        let is_bounded = matches!(self.shortage, Some((Full::MaxBytes { .. }, _)));
        if is_bounded && self.preparing.is_none() && self.spares.is_empty() && self.removing.is_empty() {
            let next = self.active.header.following(self.segment_bytes);
            self.shortage = None;
            self.preparing = Some(next);
            self.storage.prepare(next);
        }
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
                Chore::Prepared(header, Err(error)) => {
                    let (why, at) = (self.why_short(error, Stage::Prepare, header.base)?, self.retry_at());
                    self.preparing = None;
                    self.shortage = Some((why, at));
                }
                Chore::Removed(base, Err(error)) => {
                    self.why_short(error, Stage::Remove, base)?;
                    self.remove_again = Some(self.retry_at());
                }
                Chore::Removed(..) => {
                    self.removing.pop_front();
                    if let Some((next, _)) = self.removing.front() {
                        self.storage.remove(*next);
                    }
                }
            }
        }
        self.prepare_next();
        Ok(())
    }

    /// What was short, if that is all; anything else is a failure of the disk.
    fn why_short(&mut self, error: io::Error, stage: Stage, at: Lsn) -> Result<Full, Poisoned> {
        if planted(Canary::ShortagePoisons) {
            return Err(self.poison(poisoned(stage, at, error)));
        }
        if is_space_shortage(&error) {
            Ok(Full::NoSpace(Arc::new(error)))
        } else if is_resource_shortage(&error) {
            Ok(Full::NoResources(Arc::new(error)))
        } else {
            Err(self.poison(poisoned(stage, at, error)))
        }
    }

    fn retry_at(&self) -> Duration {
        self.storage.now() + SEGMENT_RETRY
    }
}
