//! What holds of every log, on both backends.

mod support;

use eagre_sim::Disk;
use eagre_wal::{Cursor, Fsync, Kind, Log, Lsn, Options, Pending};
use support::{BACKENDS, EVENT, append, append_at, body, flush, open, read_all, small};

#[test]
fn what_was_appended_is_read_in_order_and_after_a_reopen() {
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        let mut lsns = Vec::new();
        for number in 0..500 {
            lsns.push(append(&mut log, &body(number)));
        }
        flush(&mut log).unwrap();
        for _ in 0..2 {
            let entries = read_all(&log);
            assert_eq!(entries.len(), 500);
            for (number, entry) in entries.iter().enumerate() {
                assert_eq!((entry.lsn, entry.sequence), (lsns[number], number as u64));
                assert_eq!((entry.kind, entry.time_ms), (EVENT, 7));
                assert_eq!(entry.body, body(number as u64));
                assert_eq!(log.read(entry.lsn).unwrap().as_ref(), Some(entry));
            }
            assert!(log.usage().segments > 5);
            drop(log);
            log = open(dir.path(), backend);
            assert_eq!(log.records(), 500);
        }
    }
}

#[test]
fn nothing_is_read_before_it_is_durable() {
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        flush(&mut log).unwrap();
        let lsn = append(&mut log, b"one");
        assert!(lsn >= log.durable());
        assert_eq!(log.read(lsn).unwrap(), None);
        log.submit().unwrap();
        assert!(lsn >= log.durable(), "only poll moves the durable position");
        flush(&mut log).unwrap();
        assert!(lsn < log.durable());
        assert_eq!(log.read(lsn).unwrap().unwrap().body, b"one"[..]);
    }
}

#[test]
fn the_parts_of_a_record_are_one_body() {
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        log.append(EVENT, 1, Fsync::Always, &[b"ab", b"", b"cd"]).unwrap();
        log.append(Kind(255), 2, Fsync::Always, &[]).unwrap();
        flush(&mut log).unwrap();
        let entries = read_all(&log);
        assert_eq!(entries[0].body, b"abcd"[..]);
        assert!(entries[1].body.is_empty() && entries[1].kind == Kind(255));
    }
}

#[test]
fn a_position_inside_of_a_record_gives_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), BACKENDS[1]);
    for number in 0..60 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    let entries = read_all(&log);
    for pair in entries.windows(2) {
        for inside in [1, 8, 16, 56] {
            assert_eq!(log.read(pair[0].lsn + inside).unwrap().as_ref(), Some(&pair[1]));
        }
    }
    let last = entries.last().unwrap();
    assert_eq!(log.read(last.lsn + 8).unwrap(), None);
    assert_eq!(log.read(Lsn::MAX).unwrap(), None);
}

#[test]
fn a_body_outlives_its_segment_and_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), BACKENDS[0]);
    for number in 0..200 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    let first = log.read(Lsn::ZERO).unwrap().unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    log.release(0);
    assert!(log.usage().first > first.lsn);
    drop(log);
    drop(dir);
    assert_eq!(first.body, body(0));
}

#[test]
fn cursors_come_back_after_a_reopen() {
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        let lsns: Vec<_> = (0..100).map(|number| append(&mut log, &body(number))).collect();
        let pending = vec![Pending { lsn: lsns[3], attempts: 4, due_ms: 5 }];
        let cursor = Cursor { read: lsns[50], pending };
        log.update_cursor(9, cursor.clone());
        log.update_cursor(10, Cursor { read: lsns[1], pending: vec![] });
        log.append_cursors(0, Fsync::Always).unwrap();
        log.remove_cursor(10);
        log.append_cursors(0, Fsync::Always).unwrap();
        let with = Cursor { read: lsns[7], pending: vec![] };
        log.append_with_cursor(0, Fsync::Always, 11, with.clone(), (EVENT, &[b"reply"])).unwrap();
        for number in 0..100 {
            append(&mut log, &body(number));
        }
        flush(&mut log).unwrap();
        for _ in 0..2 {
            let cursors: Vec<_> = log.cursors().iter().map(|(id, cursor)| (id, cursor.clone())).collect();
            assert_eq!(cursors, [(9, cursor.clone()), (11, with.clone())]);
            drop(log);
            log = open(dir.path(), backend);
        }
    }
}

#[test]
fn segments_go_when_every_consumer_is_done_with_them_and_not_before() {
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        log.update_cursor(1, Cursor::default());
        for number in 0..300 {
            append(&mut log, &body(number));
        }
        log.append_cursors(0, Fsync::Always).unwrap();
        flush(&mut log).unwrap();
        let segments = log.usage().segments;
        log.release(0);
        assert_eq!(log.usage().segments, segments);

        let entries = read_all(&log);
        let keep = entries[200].lsn;
        let pending = vec![Pending { lsn: keep, attempts: 1, due_ms: 0 }];
        log.update_cursor(1, Cursor { read: log.durable(), pending });
        log.release(0);
        assert!(read_all(&log) == entries, "the log does not know of it yet");
        log.append_cursors(0, Fsync::Always).unwrap();
        log.release(0);
        assert!(read_all(&log) == entries, "it is not durable yet");
        flush(&mut log).unwrap();
        log.release(0);
        assert!(log.usage().first > entries[100].lsn && log.usage().first <= keep);
        assert!(read_all(&log).last() == entries.last());
        while log.usage().segments >= segments {
            support::wait(&log);
            log.poll().unwrap();
        }
        drop(log);
        let log = open(dir.path(), backend);
        assert!(log.read(keep).unwrap().as_ref() == Some(&entries[200]));
    }
}

#[test]
fn segments_go_by_cursors_that_are_on_the_disk_whatever_the_mode() {
    let disk = Disk::new();
    let options = small();
    let (mut log, _) = disk.open(&options).unwrap();
    let first = append_at(&mut log, 0, Fsync::Never, &body(0));
    for number in 1..150 {
        append_at(&mut log, 0, Fsync::Never, &body(number));
    }
    // A cursor that comes with a record holds what it has not finished.
    let cursor = Cursor { read: first, pending: vec![] };
    log.append_with_cursor(0, Fsync::Never, 1, cursor, (EVENT, &[b"x"])).unwrap();
    flush(&mut log).unwrap();
    log.update_cursor(1, Cursor { read: log.durable(), pending: vec![] });
    log.append_cursors(0, Fsync::Never).unwrap();
    flush(&mut log).unwrap();
    log.release(0);
    assert_eq!(log.read(Lsn::ZERO).unwrap().unwrap().lsn, first, "only the kernel has the cursor");
    // The release asked for the sync.
    flush(&mut log).unwrap();
    log.release(0);
    assert!(log.usage().first > first);
    drop(log);
    disk.cut_power();
    let (_, recovery) = disk.open(&options).unwrap();
    assert_eq!(recovery.clamped, []);
}

#[test]
fn a_log_that_waits_for_a_sync_does_not_wake_itself_again_and_again() {
    let disk = Disk::new();
    let options = Options { max_bytes: 3 * small().segment_bytes, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    log.update_cursor(1, Cursor { read: log.end(), pending: vec![] });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    while log.append(EVENT, 0, Fsync::Never, &[&[7; 1000]]).is_ok() {
        flush(&mut log).unwrap();
    }
    // Nobody needs the oldest segment any more, and the sync that proves it hangs.
    log.update_cursor(1, Cursor { read: log.durable(), pending: vec![] });
    log.append_cursors(0, Fsync::Always).unwrap();
    disk.state().hold_syncs = true;
    let before = disk.state().wakes;
    for _ in 0..100 {
        log.submit().unwrap();
        log.poll().unwrap();
        log.release(0);
    }
    assert!(disk.state().wakes <= before + 1, "each wake leads to the next");
    disk.state().hold_syncs = false;
    flush(&mut log).unwrap();
    log.release(0);
    assert!(log.usage().first > Lsn::ZERO + options.segment_bytes);
}

#[test]
fn weaker_modes_are_durable_when_written() {
    for fsync in [Fsync::Never, Fsync::Interval(std::time::Duration::from_millis(1))] {
        for backend in BACKENDS {
            let dir = tempfile::tempdir().unwrap();
            let options = Options { backend, ..small() };
            let mut log = Log::open(dir.path(), options.clone()).unwrap().0;
            for number in 0..300 {
                append_at(&mut log, 7, fsync, &body(number));
            }
            flush(&mut log).unwrap();
            assert_eq!(log.durable(), log.end());
            drop(log);
            let log = Log::open(dir.path(), options).unwrap().0;
            assert_eq!(read_all(&log).len(), 300);
        }
    }
}

#[test]
fn a_changed_segment_size_applies_from_the_next_segment_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for segment_bytes in [64 * 1024, 16 * 1024, 32 * 1024] {
        let mut log = Log::open(dir.path(), Options { segment_bytes, ..small() }).unwrap().0;
        for _ in 0..400 {
            append(&mut log, &body(count));
            count += 1;
        }
        flush(&mut log).unwrap();
    }
    let log = Log::open(dir.path(), small()).unwrap().0;
    let entries = read_all(&log);
    assert_eq!(entries.len() as u64, count);
    assert!(entries.iter().zip(0..).all(|(entry, number)| entry.body == body(number)));
}
