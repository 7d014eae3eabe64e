//! A naive log beside the real one, driven by the same operations.

mod support;

use std::collections::BTreeMap;

use eagre_sim::{Disk, Random};
use eagre_wal::{AppendError, Cursor, Fsync, Log, Lsn, Options, Pending, Place, Progress};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use support::{Consumers as _, EVENT, flush, small};

#[derive(Clone, Debug)]
enum Operation {
    Append(usize),
    Group(Vec<usize>),
    MoveCursor { consumer: u64, back: usize, pending: usize },
    Advance { consumer: u64, changed: usize, finished: usize },
    Forget(u64),
    AppendCursors,
    AppendWithCursor(u64),
    Submit,
    Poll,
    Flush,
    Release,
    Reopen,
    Kill,
    CutPower(u64),
    Full(bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let size = prop_oneof![0..64usize, 64..1500usize];
    prop_oneof![
        8 => size.clone().prop_map(Append),
        2 => vec(size, 1..5).prop_map(Group),
        3 => (0..3u64, 0..40usize, 0..4usize)
            .prop_map(|(consumer, back, pending)| MoveCursor { consumer, back, pending }),
        3 => (0..3u64, 0..3usize, 0..3usize)
            .prop_map(|(consumer, changed, finished)| Advance { consumer, changed, finished }),
        1 => (0..3u64).prop_map(Forget),
        2 => Just(AppendCursors),
        1 => (0..3u64).prop_map(AppendWithCursor),
        4 => Just(Submit),
        6 => Just(Poll),
        2 => Just(Flush),
        2 => Just(Release),
        1 => Just(Reopen),
        1 => Just(Kill),
        1 => any::<u64>().prop_map(CutPower),
        1 => any::<bool>().prop_map(Full),
    ]
}

/// What a log is: a list of records and a table.
struct Model {
    disk: Disk,
    options: Options,
    fsync: Fsync,
    log: Option<Log>,
    /// Every record with its body; those of one group have its number.
    records: Vec<(Lsn, Vec<u8>, u64)>,
    /// Records below were released at most up to here.
    released: Lsn,
    cursors: BTreeMap<u64, Cursor>,
    count: u64,
}

impl Model {
    fn new(fsync: Fsync) -> Self {
        let disk = Disk::new();
        let options = Options { max_bytes: 128 * 1024, ..small() };
        let (log, _) = disk.open(&options).unwrap();
        Self {
            disk,
            options,
            fsync,
            log: Some(log),
            records: Vec::new(),
            released: Lsn::ZERO,
            cursors: BTreeMap::new(),
            count: 0,
        }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("the log is open between operations")
    }

    fn body(&mut self, bytes: usize) -> Vec<u8> {
        self.count += 1;
        let mut body = self.count.to_le_bytes().to_vec();
        body.resize(8 + bytes, self.count as u8);
        body
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Append(bytes) => self.append(&[bytes]),
            Operation::Group(ref sizes) => self.append(sizes),
            Operation::MoveCursor { consumer, back, pending } => {
                let cursor = self.cursor(back, pending);
                self.log().set_cursor(consumer, cursor.clone());
                self.cursors.insert(consumer, cursor);
            }
            Operation::Advance { consumer, changed, finished } => self.progress(consumer, changed, finished),
            Operation::Forget(consumer) => {
                self.log().forget(consumer);
                self.cursors.remove(&consumer);
            }
            Operation::AppendCursors => drop(self.log().append_cursors(0, Fsync::Always)),
            Operation::AppendWithCursor(consumer) => self.append_with_cursor(consumer),
            Operation::Submit => self.log().submit().unwrap(),
            Operation::Poll => self.log().poll().unwrap(),
            Operation::Flush => flush(self.log()).unwrap(),
            Operation::Release => {
                self.log().release(0);
                self.released = self.log().usage().first;
                let low = self.cursors.values().map(Cursor::low).min().unwrap_or(Lsn::MAX);
                assert!(
                    self.log().read(Lsn::ZERO).unwrap().is_none_or(|e| e.lsn <= low) || low < self.released
                );
            }
            Operation::Reopen | Operation::Kill => self.restart(None),
            Operation::CutPower(seed) => self.restart(Some(seed)),
            Operation::Full(full) => {
                let mut state = self.disk.state();
                state.is_full = full;
                state.now += std::time::Duration::from_secs(1);
            }
        }
    }

    /// Some of the next records are handed out and stay pending, some are finished.
    fn progress(&mut self, consumer: u64, changed: usize, finished: usize) {
        let Some(mut cursor) = self.cursors.get(&consumer).cloned() else { return };
        let durable = self.log().durable();
        let next = self.records.iter().map(|(lsn, ..)| *lsn);
        let is_known = |lsn: &Lsn| cursor.pending.iter().any(|pending| pending.lsn == *lsn);
        let next = next.filter(|lsn| (cursor.read..durable).contains(lsn) && !is_known(lsn));
        let pending = |lsn| Pending { lsn, attempts: 2, due_ms: 7, note: 8 };
        let changed: Vec<_> = next.take(changed).map(pending).collect();
        let finished: Vec<_> = cursor.pending.iter().take(finished).map(|pending| pending.lsn).collect();
        cursor.read = changed.last().map_or(cursor.read, |last| last.lsn + 1);
        let progress =
            Progress { place: Place::Here, read: cursor.read, changed: &changed, finished: &finished };
        self.log().progress(consumer, &progress).unwrap();
        cursor.pending.drain(..finished.len());
        cursor.pending.extend(changed);
        self.cursors.insert(consumer, cursor);
    }

    fn append(&mut self, sizes: &[usize]) {
        let bodies: Vec<_> = sizes.iter().map(|bytes| self.body(*bytes)).collect();
        let parts: Vec<[&[u8]; 1]> = bodies.iter().map(|body| [&body[..]]).collect();
        let records: Vec<_> = parts.iter().map(|parts| (EVENT, &parts[..])).collect();
        let fsync = self.fsync;
        match self.log().append_group(0, fsync, &records) {
            Ok(last) => self.appended(last, &bodies),
            Err(AppendError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn append_with_cursor(&mut self, consumer: u64) {
        let body = self.body(20);
        let cursor = self.cursor(0, 0);
        let fsync = self.fsync;
        match self.log().append_with_cursor(fsync, consumer, cursor.clone(), &body) {
            Ok(lsn) => {
                self.appended(lsn, &[body]);
                self.cursors.insert(consumer, cursor);
            }
            Err(AppendError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Records take their frame and their body, rounded up.
    fn appended(&mut self, last: Lsn, bodies: &[Vec<u8>]) {
        let group = self.count;
        let mut lsn = last;
        let mut placed = Vec::new();
        for (index, body) in bodies.iter().enumerate().rev() {
            if index + 1 < bodies.len() {
                lsn = Lsn(lsn.0 - (56 + body.len() as u64).next_multiple_of(8));
            }
            placed.push((lsn, body.clone(), group));
        }
        self.records.extend(placed.into_iter().rev());
    }

    /// A cursor some records behind the durable end.
    fn cursor(&mut self, back: usize, pending: usize) -> Cursor {
        let durable = self.log().durable();
        let read: Vec<_> = self.records.iter().map(|(lsn, ..)| *lsn).filter(|lsn| *lsn < durable).collect();
        let read = &read[..read.len().saturating_sub(back)];
        let pending = read.iter().step_by(3).take(pending);
        Cursor {
            read: read.last().map_or(Lsn::ZERO, |lsn| *lsn),
            pending: pending.map(|lsn| Pending { lsn: *lsn, attempts: 1, due_ms: 9, note: 1 }).collect(),
        }
    }

    fn restart(&mut self, power: Option<u64>) {
        let durable = self.log().durable();
        let released = self.log().usage().first;
        self.log = None;
        match power {
            Some(seed) => {
                self.disk.state().random = Random(seed);
                self.disk.cut_power();
            }
            None => self.disk.kill(),
        }
        self.disk.state().is_full = false;
        let (log, recovery) = self.disk.open(&self.options).unwrap();
        assert!(recovery.clamped.iter().all(|clamped| clamped.from < released), "{recovery:?}");
        self.cursors = log.cursors().iter().collect();
        let end = log.durable();
        if self.fsync == Fsync::Always || power.is_none() {
            assert!(end >= durable, "{durable} was durable, {end} is the end");
        }
        let lost: Vec<_> = self.records.extract_if(.., |(lsn, ..)| *lsn >= end).collect();
        for (_, _, group) in lost {
            assert!(self.records.iter().all(|(.., kept)| *kept != group), "half a group");
        }
        self.log = Some(log);
    }

    fn check(&mut self) {
        let durable = self.log().durable();
        assert!(durable <= self.log().end());
        let first = self.log().usage().first;
        let expected = self.records.iter().filter(|(lsn, ..)| *lsn >= first && *lsn < durable);
        let log = self.log.as_ref().unwrap();
        let mut at = Lsn::ZERO;
        for (lsn, body, _) in expected {
            let entry = log.read(at).unwrap().unwrap_or_else(|| panic!("no record at {lsn}"));
            assert!(entry.lsn == *lsn && entry.body == body[..], "another record at {lsn}");
            at = entry.next;
        }
        assert!(log.read(at).unwrap().is_none());
        assert!(log.usage().bytes <= self.options.max_bytes);
        let cursors = self.cursors.iter().map(|(consumer, cursor)| (*consumer, cursor.clone()));
        assert!(log.cursors().iter().eq(cursors));
    }
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn the_log_does_what_a_list_does(
        operations in vec(operation(), 1..150),
        fsync in prop_oneof![
            Just(Fsync::Always),
            Just(Fsync::Never),
            Just(Fsync::Interval(std::time::Duration::from_millis(500))),
        ],
    ) {
        let mut model = Model::new(fsync);
        for operation in &operations {
            model.apply(operation);
            model.check();
        }
    }
}
