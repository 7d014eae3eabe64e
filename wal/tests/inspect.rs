//! A log that is looked at: what is told, beside its owner and without a trace.

mod support;

use std::{fs, path::Path, thread, time::SystemTime};

use eagre_wal::{
    Backend, Cursor, Fsync, InspectError, Kind, Log, Lsn, Options, Pending, Read, Record, SegmentState,
    Since, Start, inspect, is_log, records, verify,
};
use support::{Consumers as _, EVENT, append, append_at, body, flush, read_all, small, wait};

fn open(dir: &Path) -> Log {
    Log::open(dir, Options { backend: Backend::Thread, ..small() }).unwrap().0
}

/// Appends records with their number as time, and waits until the disk is still.
fn fill(log: &mut Log, numbers: std::ops::Range<u64>) {
    for number in numbers {
        append_at(log, number, Fsync::Always, &body(number));
    }
    rest(log);
}

/// Flushes, and waits until the next segment stands ready.
fn rest(log: &mut Log) {
    flush(log).unwrap();
    while log.usage().spares == 0 {
        wait(log);
        log.poll().unwrap();
    }
}

fn all(dir: &Path, since: Since) -> Vec<Record> {
    let read = |read| match read {
        Ok(Read::Record(record)) => record,
        other => panic!("{other:?}"),
    };
    records(dir, since).unwrap().map(read).collect()
}

#[test]
fn segments_cursors_and_marks_are_those_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let first = log.end();
    fill(&mut log, 1..150);
    let pending = vec![Pending { lsn: first, attempts: 3, due_ms: 9, note: 0 }];
    store_cursor(&mut log, 5, pending.clone());
    let told = inspect(dir.path()).unwrap();
    assert_eq!(told.holder, Some(std::process::id()));
    assert_eq!(told.end, log.end());
    assert_eq!(told.next_sequence, log.records());
    assert_eq!((told.first, told.bytes), (Lsn::ZERO, log.usage().bytes));
    assert!(told.durable > Lsn::ZERO && told.durable <= log.durable());
    assert_eq!(told.cursors.get(5), Some(Cursor { read: log.cursors().get(5).unwrap().read, pending }));
    assert!(matches!(told.start, Start::Opens { truncates: None }));
    let states: Vec<_> = told.segments.iter().map(|segment| segment.state).collect();
    assert_eq!(states[0], SegmentState::Sealed);
    assert_eq!(states[states.len() - 2..], [SegmentState::Active, SegmentState::Prepared]);
    assert_eq!(told.segments.iter().map(|segment| segment.records).sum::<u64>(), 149);
    let times: Vec<_> = told.segments.iter().filter_map(|segment| segment.times_ms).collect();
    assert!(times.windows(2).all(|pair| pair[0].0 <= pair[0].1 && pair[0].1 <= pair[1].0), "{times:?}");
    drop(log);
    assert_eq!(inspect(dir.path()).unwrap().holder, None);
}

#[test]
fn records_are_those_that_the_owner_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 0..150);
    log.append_group(150, Fsync::Always, &[(EVENT, &[b"a"]), (EVENT, &[b"b"])]).unwrap();
    flush(&mut log).unwrap();
    let everything = all(dir.path(), Since::Lsn(Lsn::ZERO));
    assert_eq!(everything[0].kind, Kind::CHECKPOINT);
    let owners: Vec<_> = everything.iter().filter(|record| record.kind.is_owners()).collect();
    let entries = read_all(&log);
    assert_eq!(owners.len(), entries.len());
    for (record, entry) in owners.iter().zip(&entries) {
        let told = (record.lsn, record.next, record.sequence, record.time_ms, &record.body);
        assert_eq!(told, (entry.lsn, entry.next, entry.sequence, entry.time_ms, &entry.body));
    }
    let group: Vec<_> = owners.iter().filter(|record| record.group_continues).map(|r| r.sequence).collect();
    assert_eq!(group, [150]);
    for entry in [&entries[0], &entries[70], &entries[149]] {
        let from = all(dir.path(), Since::Lsn(entry.lsn));
        assert_eq!(from[0].lsn, entry.lsn);
        let at = all(dir.path(), Since::Time(entry.time_ms));
        assert!(at[0].time_ms == entry.time_ms && at.iter().any(|record| record.lsn == entry.lsn));
    }
    assert_eq!(all(dir.path(), Since::Time(1000)), []);
}

#[test]
fn nothing_is_changed_and_no_lock_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 0..50);
    fs::write(dir.path().join("0000000000100000.segment.unfinished"), b"half").unwrap();
    fs::write(dir.path().join("note.txt"), b"mine").unwrap();
    let image = || -> Vec<(String, u64, SystemTime)> {
        let mut files: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap()))
            .map(|(name, metadata)| (name, metadata.len(), metadata.modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = image();
    let told = verify(dir.path()).unwrap();
    assert!(told.is_sound());
    assert_eq!(told.inspection.unfinished, ["0000000000100000.segment.unfinished"]);
    assert_eq!(told.inspection.unknown_files, ["note.txt"]);
    all(dir.path(), Since::Lsn(Lsn::ZERO));
    assert_eq!(image(), before);
}

#[test]
fn a_log_that_is_written_meanwhile_never_looks_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 0..10);
    thread::scope(|scope| {
        let writer = scope.spawn(move || write_and_release(&mut log, 10..2000));
        loop {
            let is_last = writer.is_finished();
            let told = verify(dir.path()).unwrap();
            assert!(told.is_sound(), "{:#?} {:?}", told.damages, told.inspection.start);
            let sequences: Vec<_> = all(dir.path(), Since::Lsn(Lsn::ZERO))
                .iter()
                .filter(|record| record.kind.is_owners())
                .map(|record| record.sequence)
                .collect();
            assert!(sequences.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{sequences:?}");
            if is_last {
                break;
            }
        }
    });
}

/// Appends, and lets go of what was appended before.
fn write_and_release(log: &mut Log, numbers: std::ops::Range<u64>) {
    for number in numbers {
        append(log, &body(number));
        if number % 3 == 0 {
            log.set_cursor(1, Cursor { read: log.end(), pending: vec![] });
            // Where there is no room for it now, it is stored with a later one.
            let _ = log.append_cursors(number, Fsync::Always);
            flush(log).unwrap();
            log.release(number);
        }
    }
}

/// Puts a consumer at the end of the log.
fn store_cursor(log: &mut Log, consumer: u64, pending: Vec<Pending>) {
    log.set_cursor(consumer, Cursor { read: log.end(), pending });
    log.append_cursors(150, Fsync::Always).unwrap();
    rest(log);
}

#[test]
fn a_log_of_a_later_release_is_told_as_far_as_its_header_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 0..10);
    drop(log);
    let file = dir.path().join(format!("{}.segment", Lsn::ZERO));
    let mut bytes = fs::read(&file).unwrap();
    bytes[16] = 2;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes[16..4096]);
    bytes[8..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let told = verify(dir.path()).unwrap();
    assert!(!told.is_sound());
    assert_eq!(told.inspection.segments[0].state, SegmentState::Future(2));
    assert!(matches!(told.inspection.start, Start::FutureVersion { base: Lsn::ZERO, version: 2 }));
    assert!(told.damages[0].fault.to_string().contains("version 2"));
}

#[test]
fn where_no_log_is_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        assert!(!is_log(&path));
        assert!(matches!(inspect(&path), Err(InspectError::NoLog { .. })));
        assert!(matches!(verify(&path), Err(InspectError::NoLog { .. })));
    }
    drop(open(dir.path()));
    assert!(is_log(dir.path()) && verify(dir.path()).unwrap().is_sound());
}
