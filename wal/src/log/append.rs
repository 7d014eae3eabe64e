//! What goes in: records into the pending batch, and the segment that takes over
//! when the active one is full.

use std::{collections::BTreeSet, slice};

use super::{Active, Log};
use crate::{
    cursor::{Cursors, DoNotFit, Progress, Statement},
    error::{AppendError, Full},
    limits::{self, cursors_bytes_max},
    lsn::Lsn,
    options::Fsync,
    reader::Extent,
    record::{self, Kind, Meta},
    segment::{Header, Seal},
};

impl Log {
    /// Appends a record to the pending batch; its body is the parts one after
    /// another. Never waits. The record is durable, as `fsync` means it, when its
    /// position is below [`durable_as`](Self::durable_as).
    ///
    /// A record is not stamped with an earlier time than the one before it: where
    /// the clock was set back, the latest time stands until it is reached again.
    ///
    /// # Errors
    /// See [`AppendError`]; then nothing was appended.
    pub fn append(
        &mut self,
        kind: Kind,
        time_ms: u64,
        fsync: Fsync,
        parts: &[&[u8]],
    ) -> Result<Lsn, AppendError> {
        self.append_group(time_ms, fsync, &[(kind, parts)])
    }

    /// Appends records that are in the log together or not at all, also after
    /// a crash, and gives the position of the last.
    ///
    /// # Errors
    /// See [`AppendError`]; then nothing was appended.
    pub fn append_group(
        &mut self,
        time_ms: u64,
        fsync: Fsync,
        records: &[(Kind, &[&[u8]])],
    ) -> Result<Lsn, AppendError> {
        if let Some((kind, _)) = records.iter().find(|(kind, _)| !kind.is_owners()) {
            return Err(AppendError::ReservedKind(kind.0));
        }
        self.put(time_ms, fsync, records)
    }

    /// Changes cursors and appends a record, together or not at all, also after a
    /// crash. The cursors are changed in memory at once.
    ///
    /// # Errors
    /// See [`AppendError`]; then the cursors are as they were.
    pub fn append_with_progress(
        &mut self,
        time_ms: u64,
        fsync: Fsync,
        progress: &[(u64, Progress<'_>)],
        record: (Kind, &[&[u8]]),
    ) -> Result<Lsn, AppendError> {
        if !record.0.is_owners() {
            return Err(AppendError::ReservedKind(record.0.0));
        }
        progress.iter().try_for_each(|(id, progress)| self.cursors.admits(*id, progress.place))?;
        let told_max = self.cursors_bytes_max();
        if Cursors::bytes_to_tell_min(progress.len()) > told_max {
            return Err(self.too_many_cursors());
        }
        let told_bytes = self.cursors.bytes_to_tell(progress).min(told_max);
        self.reserve(time_ms, told_bytes + record_bytes(record.1))?;
        for (id, progress) in progress {
            self.cursors.advance(*id, progress).expect("it was admitted above");
        }
        let ids: BTreeSet<_> = progress.iter().map(|(id, _)| *id).collect();
        let told = self.cursors.tell(&ids, told_max).expect("the least was compared above");
        self.write_told(time_ms, fsync, &told, true);
        let lsn = self.write_frame(record.0, time_ms, fsync, record.1, false);
        // The others are in the log as they were before.
        let low = ids.iter().map(|id| self.cursors.low_of(*id)).fold(self.release_mark.stored(), Lsn::min);
        self.release_mark.store(self.end, low);
        Ok(lsn)
    }

    /// Appends what changed of the cursors since it was last in the log.
    ///
    /// # Errors
    /// See [`AppendError`]; then it is stored with a later call.
    pub fn append_cursors(&mut self, time_ms: u64, fsync: Fsync) -> Result<(), AppendError> {
        self.check()?;
        if self.cursors.has_changed() {
            let told = self.cursors.tell_changed(self.cursors_bytes_max());
            let told = told.map_err(|DoNotFit| self.too_many_cursors())?;
            let bytes = told.iter().map(Statement::bytes).sum();
            let room =
                if self.has_reserve_for(bytes) { Ok(Room::Here) } else { self.reserve(time_ms, bytes) };
            if room.is_err() && self.frees_segment() {
                self.prepare_for_cursors();
            }
            // A segment that is begun for it tells it all by itself.
            if room? == Room::Here {
                self.write_told(time_ms, fsync, &told, false);
            }
        }
        self.release_mark.store(self.end, self.cursors.low());
        Ok(())
    }

    /// As long as no segment stands ready, the end of the active one is kept
    /// for the cursors that free a segment. Otherwise a log that is full could
    /// not take note that its consumers have advanced, and would stay full.
    fn has_reserve_for(&self, bytes: u64) -> bool {
        self.frees_segment() && self.end + bytes <= self.active.header.seal()
    }

    /// With the cursors as they are now in the log, the oldest segment can go.
    fn frees_segment(&self) -> bool {
        let oldest_end = self.full.front().map(|oldest| oldest.header.end());
        oldest_end.is_some_and(|end| self.release_mark.stored() < end && end <= self.cursors.low())
    }

    /// Records of so many bytes fit the active segment, and leave its reserve.
    fn fits(&self, bytes: u64) -> bool {
        let header = &self.active.header;
        let reserve = if self.spares.is_empty() { cursors_bytes_max(header.segment_bytes) } else { 0 };
        self.end + bytes + reserve <= header.seal()
    }

    fn put(&mut self, time_ms: u64, fsync: Fsync, records: &[(Kind, &[&[u8]])]) -> Result<Lsn, AppendError> {
        let bytes = records.iter().fold(0u64, |sum, (_, parts)| sum.saturating_add(record_bytes(parts)));
        self.reserve(time_ms, bytes)?;
        let mut lsn = self.end;
        for (index, (kind, parts)) in records.iter().enumerate() {
            lsn = self.write_frame(*kind, time_ms, fsync, parts, index + 1 < records.len());
        }
        Ok(lsn)
    }

    /// Sees to it that records of so many bytes, frames included, can be written
    /// next.
    fn reserve(&mut self, time_ms: u64, bytes: u64) -> Result<Room, AppendError> {
        self.check()?;
        let max = limits::group_bytes_max(self.segment_bytes);
        if bytes > max {
            return Err(AppendError::TooLarge { bytes, max });
        }
        let queued = self.flush.queued_bytes();
        if queued > 0 && queued + bytes > self.options.pending_bytes_max {
            return Err(Full::Pending.into());
        }
        if self.fits(bytes) { Ok(Room::Here) } else { self.make_room(time_ms, bytes) }
    }

    /// Writes what the log is told of cursors, as one group.
    fn write_told(&mut self, time_ms: u64, fsync: Fsync, told: &[Statement], record_follows: bool) {
        for (index, statement) in told.iter().enumerate() {
            let continues = record_follows || index + 1 < told.len();
            let at = self.write_frame(statement.kind, time_ms, fsync, &[&statement.body], continues);
            self.cursors.told(statement, at);
        }
    }

    fn write_frame(
        &mut self,
        kind: Kind,
        time_ms: u64,
        fsync: Fsync,
        parts: &[&[u8]],
        group_continues: bool,
    ) -> Lsn {
        let lsn = self.end;
        self.time_ms = self.time_ms.max(time_ms);
        let header = &self.active.header;
        let meta = Meta {
            generation: header.generation,
            lsn,
            durable: self.flush.mark(),
            sequence: self.records,
            time_ms: self.time_ms,
            kind,
            group_continues,
        };
        let body_bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.end = lsn + record::frame_bytes(body_bytes);
        record::encode(self.flush.extend(header.base, lsn, self.end, fsync), &meta, parts);
        let owners = u64::from(kind.is_owners());
        self.records += owners;
        self.active.records += owners;
        self.active.last_time_ms = self.time_ms;
        lsn
    }

    #[cold]
    fn make_room(&mut self, time_ms: u64, bytes: u64) -> Result<Room, AppendError> {
        self.do_chores()?;
        if self.fits(bytes) {
            return Ok(Room::Here);
        }
        let checkpoint = self.cursors.tell_all(self.cursors_bytes_max());
        let checkpoint = checkpoint.map_err(|DoNotFit| self.too_many_cursors())?;
        let next = self.spares.pop_front().ok_or_else(|| self.why_full())?;
        self.roll(time_ms, next, &checkpoint);
        if self.fits(bytes) { Ok(Room::InNext) } else { Err(self.why_full().into()) }
    }

    /// Why a record that does not fit now is refused.
    #[must_use]
    pub fn why_full(&self) -> Full {
        self.shortage.as_ref().map_or(Full::Preparing, |(why, _)| why.clone())
    }

    /// Space is short: no segment stands ready, none can be prepared now, and half
    /// of the active one is used up. An owner who stops here to take in what is
    /// new has the other half to finish what is old.
    ///
    /// Asks for the next segment again where that is due: an owner who stops here
    /// does not come to the append that would.
    #[must_use]
    pub fn is_short(&mut self) -> bool {
        if self.shortage.is_some() {
            self.prepare_next();
        }
        let header = &self.active.header;
        self.shortage.is_some() && self.spares.is_empty() && self.end > header.base + header.segment_bytes / 2
    }

    /// Seals the active segment and begins the next.
    fn roll(&mut self, time_ms: u64, next: Header, checkpoint: &Statement) {
        let Active { header, records, first_time_ms, last_time_ms } = self.active;
        let seal = Seal { records_end: self.end, records, first_time_ms, last_time_ms };
        let meta = Meta {
            generation: header.generation,
            lsn: header.seal(),
            durable: self.flush.mark(),
            sequence: self.records,
            time_ms: last_time_ms,
            kind: Kind::SEAL,
            group_continues: false,
        };
        let mut frame = Vec::new();
        record::encode(&mut frame, &meta, &[&seal.encode_body()]);
        self.flush.seal(header.base, header.seal(), header.end(), frame);
        self.full.push_back(Extent { header, end: self.end, last_time_ms });
        self.begin(next, time_ms, checkpoint);
        self.prepare_next();
    }

    pub(super) fn begin(&mut self, header: Header, time_ms: u64, checkpoint: &Statement) {
        let time_ms = self.time_ms.max(time_ms);
        self.active = Active { header, records: 0, first_time_ms: time_ms, last_time_ms: time_ms };
        self.end = header.first_frame();
        // The first batch of a segment is synced whatever it asks for.
        self.write_told(time_ms, Fsync::Never, slice::from_ref(checkpoint), false);
        self.release_mark.store(self.end, self.cursors.low());
    }

    /// Bytes that what is told of cursors may have, frames included.
    pub(super) fn cursors_bytes_max(&self) -> u64 {
        self.options.cursors_bytes_max()
    }

    fn too_many_cursors(&self) -> AppendError {
        let max_bytes = self.cursors_bytes_max();
        AppendError::TooManyCursors { consumers: self.cursors.len(), max_bytes }
    }
}

/// Where there is room for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// In the segment that was active.
    Here,
    /// In the next one, which was begun with all cursors.
    InNext,
}

fn record_bytes(parts: &[&[u8]]) -> u64 {
    record::frame_bytes(parts.iter().map(|part| part.len() as u64).sum())
}
