//! The log: appends in front, the flush behind them, segments around both.

use std::{collections::VecDeque, io, iter, os::fd::BorrowedFd, path::Path, sync::Arc, time::Duration};

use crate::{
    canary::{Canary, planted},
    cursor::{Cursor, Cursors, DoNotFit},
    error::{AppendError, Damage, Full, OpenError, OptionsError, Poisoned, Stage},
    flush::Flush,
    limits::{self, PREPARE_RETRY, SPARE_SEGMENTS, cursors_bytes_max},
    lsn::Lsn,
    options::{Fsync, Options},
    reader::{Entry, Extent},
    record::{self, FRAME_HEADER_BYTES, Kind, Meta},
    recover::{Recovered, Recovery, Refusal, recover},
    retention::ReleaseMark,
    segment::{HEADER_BYTES, Header, Seal},
    storage::{Chore, Storage, files::Files},
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

/// The segment that is written.
#[derive(Clone, Copy, Debug)]
struct Active {
    header: Header,
    records: u64,
    first_time_ms: u64,
    last_time_ms: u64,
}

impl Active {
    fn extent(&self, end: Lsn) -> Extent {
        Extent { header: self.header, end, last_time_ms: self.last_time_ms }
    }
}

/// A durable log with one owner.
///
/// Nothing here waits for the disk but [`open`](Self::open) and the drop. The
/// owner calls [`submit`](Self::submit) after appending and
/// [`poll`](Self::poll) when [`event_fd`](Self::event_fd) is readable.
///
/// Positions: `durable() <= end()`; `durable()` moves in `poll` only.
pub struct Log {
    options: Options,
    storage: Box<dyn Storage>,
    flush: Flush,
    /// Full segments, ascending; each ends where the next begins.
    full: VecDeque<Extent>,
    active: Active,
    /// Prepared segments, ascending; the first begins where the active ends.
    spares: VecDeque<Header>,
    preparing: Option<Header>,
    /// Why the last attempt to prepare came to nothing, and when to try again.
    shortage: Option<(Full, Duration)>,
    /// Segments being removed, with their sizes.
    removing: VecDeque<(Lsn, u64)>,
    cursors: Cursors,
    release_mark: ReleaseMark,
    end: Lsn,
    /// Owner's records that were ever appended.
    records: u64,
    /// The owner's clock, as far as it went forwards.
    time_ms: u64,
    durable: Lsn,
    poisoned: Option<Poisoned>,
}

impl Log {
    /// Opens the log in a directory, which is made if it is not there, and
    /// recovers it. Waits for the disk.
    ///
    /// # Errors
    /// See [`OpenError`]; its [`exit_code`](OpenError::exit_code) tells a
    /// supervisor which it was.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        options.validate()?;
        let files = Files::open(dir, &options)?;
        Self::open_on(Box::new(files), dir, options)
    }

    /// Opens the log on a given storage; `dir` is what errors call it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        mut storage: Box<dyn Storage>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        options.validate()?;
        let path = dir.to_owned();
        let recovered = recover(storage.as_mut()).map_err(|refusal| match refusal {
            Refusal::Damage(damage) => OpenError::Damaged { path: path.clone(), damage },
            Refusal::FutureVersion { base, version } => {
                OpenError::FutureVersion { path: path.clone(), base, version }
            }
            Refusal::Io(source) => OpenError::Io { path: path.clone(), doing: "recover the log", source },
        })?;
        let consumers = recovered.cursors.len();
        if recovered.cursors.encode_all(cursors_bytes_max(options.segment_bytes)).is_err() {
            return Err(OptionsError::CursorsDoNotFit { consumers }.into());
        }
        Self::start(storage, options, recovered).map_err(|source| OpenError::Io {
            path,
            doing: "prepare the first segment",
            source,
        })
    }

    fn start(
        mut storage: Box<dyn Storage>,
        options: Options,
        recovered: Recovered,
    ) -> io::Result<(Self, Recovery)> {
        let Recovered { mut used, mut spares, last, cursors, report } = recovered;
        let goes_on = if last.is_some_and(|last| !last.sealed) { used.pop() } else { None };
        let begins = match goes_on {
            Some(_) => None,
            None => Some(spares.pop_front().map_or_else(|| first_segment(storage.as_mut(), &options), Ok)?),
        };
        let header = goes_on.map(|extent| extent.header).or(begins).expect("one of the two");
        let end = goes_on.map_or(header.base, |extent| extent.end);
        let flush = Flush::new(header.base, end);
        let times = last.map_or((0, 0), |last| (last.first_time_ms, last.last_time_ms));
        let mut log = Self {
            options,
            storage,
            flush,
            full: used.into(),
            active: Active {
                header,
                records: last.map_or(0, |last| last.records),
                first_time_ms: times.0,
                last_time_ms: times.1,
            },
            spares,
            preparing: None,
            shortage: None,
            removing: VecDeque::new(),
            release_mark: ReleaseMark::new(cursors.low()),
            cursors,
            end,
            records: report.records,
            time_ms: times.1,
            durable: end,
            poisoned: None,
        };
        if begins.is_some() {
            let checkpoint = log.checkpoint().map_err(io::Error::other)?;
            log.begin(header, times.1, &checkpoint);
        }
        log.prepare_next();
        Ok((log, report))
    }

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

    /// Changes a cursor and appends a record, together or not at all, also
    /// after a crash. The cursor is changed in memory at once.
    ///
    /// # Errors
    /// See [`AppendError`]; then the cursor is as it was.
    pub fn append_with_cursor(
        &mut self,
        time_ms: u64,
        fsync: Fsync,
        consumer: u64,
        cursor: Cursor,
        record: (Kind, &[&[u8]]),
    ) -> Result<Lsn, AppendError> {
        if !record.0.is_owners() {
            return Err(AppendError::ReservedKind(record.0.0));
        }
        let body = self.cursors.encode_one(consumer, &cursor, self.cursors_bytes_max());
        let body = body.map_err(|DoNotFit| self.too_many_cursors())?;
        let lsn = self.put(time_ms, fsync, &[(Kind::CURSORS, &[&body]), record])?;
        // The others are in the log as they were before.
        let low = self.cursors.low_of(consumer, &cursor);
        self.release_mark.store(self.end, self.release_mark.stored().min(low));
        self.cursors.insert_stored(consumer, cursor);
        Ok(lsn)
    }

    /// Appends every cursor that changed since it was last in the log.
    ///
    /// # Errors
    /// See [`AppendError`]; then the cursors are stored with a later call.
    pub fn append_cursors(&mut self, time_ms: u64, fsync: Fsync) -> Result<(), AppendError> {
        self.check()?;
        if self.cursors.has_changed() {
            let body = self.cursors.encode_changed(self.cursors_bytes_max());
            let body = body.map_err(|DoNotFit| self.too_many_cursors())?;
            if self.has_reserve_for(body.len() as u64) {
                self.write_frame(Kind::CURSORS, time_ms, fsync, &[&body], false);
            } else {
                self.put(time_ms, fsync, &[(Kind::CURSORS, &[&body])])?;
            }
            self.cursors.stored();
        }
        self.release_mark.store(self.end, self.cursors.low());
        Ok(())
    }

    /// As long as no segment stands ready, the end of the active one is kept
    /// for the cursors that free a segment. Otherwise a log that is full could
    /// not take note that its consumers have advanced, and would stay full.
    fn has_reserve_for(&self, body_bytes: u64) -> bool {
        let oldest_end = self.full.front().map(|oldest| oldest.header.end());
        let frees =
            oldest_end.is_some_and(|end| self.release_mark.stored() < end && end <= self.cursors.low());
        frees && self.end + record::frame_bytes(body_bytes) <= self.active.header.seal()
    }

    /// Records of so many bytes fit the active segment, and leave its reserve.
    fn fits(&self, bytes: u64) -> bool {
        let header = &self.active.header;
        let reserve = if self.spares.is_empty() { cursors_bytes_max(header.segment_bytes) } else { 0 };
        self.end + bytes + reserve <= header.seal()
    }

    fn put(&mut self, time_ms: u64, fsync: Fsync, records: &[(Kind, &[&[u8]])]) -> Result<Lsn, AppendError> {
        self.check()?;
        let bytes = records.iter().fold(0u64, |sum, (_, parts)| {
            sum.saturating_add(record::frame_bytes(parts.iter().map(|part| part.len() as u64).sum()))
        });
        let max = limits::group_bytes_max(self.segment_bytes_min());
        if bytes > max {
            return Err(AppendError::TooLarge { bytes, max });
        }
        let queued = self.flush.queued_bytes();
        if queued > 0 && queued + bytes > self.options.pending_bytes_max {
            return Err(Full::Pending.into());
        }
        if !self.fits(bytes) {
            self.make_room(time_ms, bytes)?;
        }
        let mut lsn = self.end;
        for (index, (kind, parts)) in records.iter().enumerate() {
            lsn = self.write_frame(*kind, time_ms, fsync, parts, index + 1 < records.len());
        }
        Ok(lsn)
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
    fn make_room(&mut self, time_ms: u64, bytes: u64) -> Result<(), AppendError> {
        self.do_chores()?;
        if !self.fits(bytes) {
            let checkpoint = self.checkpoint().map_err(|DoNotFit| self.too_many_cursors())?;
            let next = self.spares.pop_front().ok_or_else(|| self.why_full())?;
            self.roll(time_ms, next, &checkpoint);
        }
        if self.fits(bytes) { Ok(()) } else { Err(self.why_full().into()) }
    }

    /// Why a record that does not fit now is refused.
    #[must_use]
    pub fn why_full(&self) -> Full {
        self.shortage.as_ref().map_or(Full::Preparing, |(why, _)| why.clone())
    }

    /// Seals the active segment and begins the next.
    fn roll(&mut self, time_ms: u64, next: Header, checkpoint: &[u8]) {
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

    fn begin(&mut self, header: Header, time_ms: u64, checkpoint: &[u8]) {
        let time_ms = self.time_ms.max(time_ms);
        self.active = Active { header, records: 0, first_time_ms: time_ms, last_time_ms: time_ms };
        self.end = header.first_frame();
        self.write_frame(Kind::CHECKPOINT, time_ms, self.options.fsync, &[checkpoint], false);
        self.cursors.stored();
        self.release_mark.store(self.end, self.cursors.low());
    }

    fn checkpoint(&self) -> Result<Vec<u8>, DoNotFit> {
        if planted(Canary::CheckpointEmpty) {
            return Cursors::default().encode_all(self.cursors_bytes_max());
        }
        self.cursors.encode_all(self.cursors_bytes_max())
    }

    /// The smallest segment that a record appended now may come to lie in.
    fn segment_bytes_min(&self) -> u64 {
        let prepared = self.spares.iter().chain(&self.preparing).map(|header| header.segment_bytes);
        prepared.chain(iter::once(self.options.segment_bytes)).fold(u64::MAX, u64::min)
    }

    /// Bytes that a body of cursors may have.
    fn cursors_bytes_max(&self) -> u64 {
        let smallest = self.segment_bytes_min().min(self.active.header.segment_bytes);
        cursors_bytes_max(smallest) - FRAME_HEADER_BYTES
    }

    fn too_many_cursors(&self) -> AppendError {
        let max_bytes = self.cursors_bytes_max();
        AppendError::TooManyCursors { consumers: self.cursors.len(), max_bytes }
    }

    /// Starts the flush of what is pending, if none is in flight.
    ///
    /// # Errors
    /// The log is poisoned.
    pub fn submit(&mut self) -> Result<(), Poisoned> {
        self.check()?;
        self.flush.start(self.storage.as_mut());
        Ok(())
    }

    /// Takes what the disk has finished and starts what follows;
    /// [`durable`](Self::durable) may have moved.
    ///
    /// # Errors
    /// The log is poisoned, now or since earlier.
    pub fn poll(&mut self) -> Result<(), Poisoned> {
        self.check()?;
        self.storage.clear_event();
        while let Some(completion) = self.storage.completion() {
            if let Err(poisoned) = self.flush.complete(completion, self.storage.as_mut()) {
                return Err(self.poison(poisoned));
            }
        }
        self.flush.start(self.storage.as_mut());
        // Segments go durably, so the cursors that let them go are on the disk
        // before, whatever mode they are durable in.
        self.release_mark.advance(if planted(Canary::ReleaseByWritten) {
            self.flush.durable()
        } else {
            self.flush.synced()
        });
        self.do_chores()?;
        self.durable = self.flush.durable();
        Ok(())
    }

    /// Nothing is pending and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.flush.is_idle()
    }

    /// Readable when [`poll`](Self::poll) has something to do; `poll` makes it
    /// unreadable. It is non-blocking, and only to be waited for.
    #[must_use]
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.storage.event_fd()
    }

    /// Every record below is as durable as its append asked for, and can be read.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// Every record below that was appended with `fsync` is durable; beyond
    /// [`durable`](Self::durable) where a record in between waits for the disk.
    #[must_use]
    pub fn durable_as(&self, fsync: Fsync) -> Lsn {
        self.flush.durable_as(fsync)
    }

    /// Behind the last record that was appended.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.end
    }

    /// Owner's records that were ever appended, released ones included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

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

    /// Where to read from to get every record that was appended at `time_ms` or
    /// later: the first such record that is durable, or, if there is none yet,
    /// [`durable`](Self::durable). Reads one segment up to there.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn seek(&self, time_ms: u64) -> Result<Lsn, Damage> {
        let from = self.full.partition_point(|extent| extent.last_time_ms < time_ms);
        let mut at = self.full.get(from).map_or(self.active.header, |extent| extent.header).first_frame();
        while let Some(entry) = self.read(at)? {
            if entry.time_ms >= time_ms {
                return Ok(entry.lsn);
            }
            at = entry.next;
        }
        Ok(self.durable)
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

    /// Up to where the cursors must advance for the oldest segment to be let go
    /// of, if there is a full one.
    #[must_use]
    pub fn oldest_end(&self) -> Option<Lsn> {
        self.full.front().map(|oldest| oldest.header.end())
    }

    /// Space is short: no segment stands ready, none can be prepared now, and half
    /// of the active one is used up. An owner who stops here to take in what is
    /// new has the other half to finish what is old.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let header = &self.active.header;
        self.shortage.is_some() && self.spares.is_empty() && self.end > header.base + header.segment_bytes / 2
    }

    /// All cursors.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Changes a cursor in memory, or adds one;
    /// [`append_cursors`](Self::append_cursors) stores it.
    pub fn update_cursor(&mut self, consumer: u64, cursor: Cursor) {
        self.cursors.insert(consumer, cursor);
    }

    /// As [`update_cursor`](Self::update_cursor), of a cursor that stands in
    /// another log of the owner's: it changes together with others of this log,
    /// and holds no segment of it. It stays one of another log until it is
    /// removed.
    pub fn update_cursor_elsewhere(&mut self, consumer: u64, cursor: Cursor) {
        self.cursors.set_elsewhere(consumer);
        self.cursors.insert(consumer, cursor);
    }

    /// Removes a cursor in memory; [`append_cursors`](Self::append_cursors)
    /// stores that.
    pub fn remove_cursor(&mut self, consumer: u64) {
        self.cursors.remove(consumer);
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
    fn prepare_next(&mut self) {
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
    fn do_chores(&mut self) -> Result<(), Poisoned> {
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

    fn check(&self) -> Result<(), Poisoned> {
        if planted(Canary::PoisonForgotten) {
            return Ok(());
        }
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    /// The one place where a log becomes poisoned.
    fn poison(&mut self, poisoned: Poisoned) -> Poisoned {
        self.poisoned = Some(poisoned.clone());
        poisoned
    }
}

/// Makes the first segment of a new log and waits for it.
fn first_segment(storage: &mut dyn Storage, options: &Options) -> io::Result<Header> {
    let generation = storage.entropy();
    storage.prepare(Header { base: Lsn::ZERO, segment_bytes: options.segment_bytes, generation });
    loop {
        match storage.chore() {
            Some(Chore::Prepared(header, made)) => return made.map(|()| header),
            Some(Chore::Removed(..)) => {}
            None => storage.wait()?,
        }
        storage.clear_event();
    }
}

/// There is no space now; nothing of the log has suffered.
fn is_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn poisoned(stage: Stage, at: Lsn, error: io::Error) -> Poisoned {
    Poisoned { stage, at, cause: Arc::new(error) }
}
