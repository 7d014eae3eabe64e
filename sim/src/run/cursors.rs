//! Consumers and their cursors.

use super::*;

impl Simulation {
    /// The progress of some consumers, in this log and elsewhere, with a record.
    pub(super) fn append_with_progress(&mut self) {
        let (call, body) = (self.call(), self.body());
        // What no cursor holds may go in the same call.
        let held = self.model.cursors.range(..ELSEWHERE).map(|(_, cursor)| cursor.low()).min();
        let held = held.unwrap_or(self.model.durable);
        let mut after = BTreeMap::new();
        for _ in 0..1 + self.random.below(3) {
            let consumer = self.consumer();
            let cursor = self.cursor_of(consumer, held);
            after.insert(consumer, cursor);
        }
        for (consumer, cursor) in &after {
            if !self.model.cursors.contains_key(consumer) {
                self.register(*consumer, &Cursor { read: cursor.low(), pending: Vec::new() });
            }
        }
        let after: Vec<_> = after.into_iter().collect();
        let changes: Vec<_> = after.iter().map(|(id, to)| Change::of(&self.model.cursors[id], to)).collect();
        let progress: Vec<_> =
            after.iter().zip(&changes).map(|((id, _), c)| (*id, c.progress(*id))).collect();
        let parts: [&[u8]; 1] = [&body.1];
        let (record, end) = ((body.0, &parts[..]), self.log().end());
        let Call { time_ms, fsync } = call;
        let appended = self.log().append_with_progress(time_ms, fsync, &progress, record);
        self.note_roll(end, time_ms);
        if let Some(lsn) = self.appended(&appended) {
            self.hit(if after.len() > 1 { Branch::ProgressOfSeveral } else { Branch::ProgressWithRecord });
            // The frames of the cursors lie before the record.
            self.model.stored_some(Lsn(lsn.0 - 1), time_ms, &after);
            self.model.appended(call, lsn, vec![body]);
        }
    }

    /// What changed of a cursor, and of nobody who is not registered.
    pub(super) fn progress(&mut self) {
        let consumer = self.consumer();
        let before = self.model.cursors.get(&consumer).cloned();
        let to = match &before {
            Some(before) if self.random.below(3) > 0 => self.small_change(before.clone()),
            _ => self.cursor_of(consumer, Lsn::ZERO),
        };
        let change = Change::of(before.as_ref().unwrap_or(&Cursor::default()), &to);
        let progressed = self.log().progress(consumer, &change.progress(consumer));
        if before.is_none() {
            assert_eq!(progressed, Err(ConsumerError::UnknownConsumer(consumer)));
            self.hit(Branch::StrangerRefused);
            return;
        }
        assert_eq!(progressed, Ok(()));
        let registered = place(consumer);
        let other = if registered == Place::Here { Place::Elsewhere } else { Place::Here };
        let mixed = self.log().update_cursor(consumer, other, &Cursor::default());
        assert_eq!(mixed, Err(ConsumerError::OtherPlace { consumer, registered }));
        self.model.cursors.insert(consumer, to);
    }

    /// A consumer of those there may be, the one elsewhere among them.
    pub(super) fn consumer(&mut self) -> u64 {
        if self.random.below(8) == 0 { ELSEWHERE } else { self.random.below(CONSUMERS) }
    }

    pub(super) fn cursor_of(&mut self, consumer: u64, from: Lsn) -> Cursor {
        match place(consumer) {
            Place::Here => self.cursor(from),
            Place::Elsewhere => {
                // Positions of which this log knows nothing.
                let read = Lsn(self.random.next() >> 1);
                let pending = vec![Pending { lsn: Lsn(read.0 / 2), attempts: 1, due_ms: 2, note: 3 }];
                Cursor { read, pending }
            }
        }
    }

    /// A cursor within the log, from a position on: records below it are handed
    /// out, a few of them not finished, or most of them.
    pub(super) fn cursor(&mut self, from: Lsn) -> Cursor {
        let readable = self.model.readable();
        let readable = &readable[readable.partition_point(|record| record.lsn < from)..];
        let read = self.random.below(readable.len() as u64 + 1) as usize;
        let position = match readable.get(read) {
            Some(record) => record.lsn,
            None => self.model.durable.max(self.model.first),
        };
        let crowds = self.plan.crowds && self.random.coin();
        let mut pending = Vec::new();
        // To the log, any position is one of a record.
        let places = (0..if crowds { FRAME_HEADER_BYTES } else { 1 }).step_by(4);
        for lsn in readable[..read].iter().flat_map(|record| places.clone().map(|at| record.lsn + at)) {
            let is_pending =
                if crowds { self.random.below(8) > 0 } else { self.random.below(read as u64) < 2 };
            if pending.len() < if crowds { CROWD } else { PENDING_MAX } && is_pending {
                let (attempts, due_ms) = (self.random.below(9) as u16, self.random.below(99));
                pending.push(Pending { lsn, attempts, due_ms, note: due_ms as u32 });
            }
        }
        Cursor { read: position, pending }
    }

    /// One record is finished, and another tried again.
    pub(super) fn small_change(&mut self, mut cursor: Cursor) -> Cursor {
        let pending = cursor.pending.len() as u64;
        if pending > 0 {
            cursor.pending.remove(self.random.below(pending) as usize);
        }
        if pending > 1 {
            let tried = self.random.below(pending - 1) as usize;
            cursor.pending[tried].attempts += 1;
        }
        cursor
    }

    pub(super) fn register(&mut self, consumer: u64, cursor: &Cursor) {
        let registered = self.log().register(consumer, place(consumer), cursor);
        assert_eq!(registered, Ok(()));
        self.model.cursors.insert(consumer, cursor.clone());
    }

    pub(super) fn move_cursor(&mut self) {
        let consumer = self.consumer();
        let cursor = self.cursor_of(consumer, Lsn::ZERO);
        if !self.model.cursors.contains_key(&consumer) {
            return self.register(consumer, &cursor);
        }
        let registered = self.log().register(consumer, place(consumer), &cursor);
        assert_eq!(registered, Err(ConsumerError::AlreadyRegistered(consumer)));
        assert_eq!(self.log().update_cursor(consumer, place(consumer), &cursor), Ok(()));
        self.model.cursors.insert(consumer, cursor);
    }
}

/// Where a consumer stands, for good.
fn place(consumer: u64) -> Place {
    if consumer == ELSEWHERE { Place::Elsewhere } else { Place::Here }
}

/// What leads from one cursor to another.
struct Change {
    read: Lsn,
    changed: Vec<Pending>,
    finished: Vec<Lsn>,
}

impl Change {
    fn of(from: &Cursor, to: &Cursor) -> Self {
        let has = |cursor: &Cursor, lsn| cursor.pending.iter().any(|pending| pending.lsn == lsn);
        let changed = to.pending.iter().filter(|pending| !from.pending.contains(pending));
        let finished = from.pending.iter().map(|pending| pending.lsn).filter(|lsn| !has(to, *lsn));
        Self { read: to.read, changed: changed.copied().collect(), finished: finished.collect() }
    }

    fn progress(&self, consumer: u64) -> Progress<'_> {
        let Self { read, changed, finished } = self;
        Progress { place: place(consumer), read: *read, changed, finished }
    }
}
