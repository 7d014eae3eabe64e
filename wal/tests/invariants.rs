//! What holds of every log, on both backends.

mod support;

use eagre_sim::Disk;
use eagre_wal::{Cursor, Fsync, Kind, Log, Lsn, Options, Pending, Place, Progress};
use support::{BACKENDS, Consumers as _, EVENT, append, append_at, body, flush, open, read_all, small};

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
        let pending = vec![Pending { lsn: lsns[3], attempts: 4, due_ms: 5, note: 0 }];
        let cursor = Cursor { read: lsns[50], pending };
        log.set_cursor(9, cursor.clone());
        log.set_cursor(10, Cursor { read: lsns[1], pending: vec![] });
        log.append_cursors(0, Fsync::Always).unwrap();
        log.forget(10);
        log.append_cursors(0, Fsync::Always).unwrap();
        let with = Cursor { read: lsns[7], pending: vec![] };
        log.append_with_cursor(Fsync::Always, 11, with.clone(), b"reply").unwrap();
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
        log.set_cursor(1, Cursor::default());
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
        let pending = vec![Pending { lsn: keep, attempts: 1, due_ms: 0, note: 0 }];
        log.set_cursor(1, Cursor { read: log.durable(), pending });
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
    log.append_with_cursor(Fsync::Never, 1, cursor, b"x").unwrap();
    flush(&mut log).unwrap();
    log.set_cursor(1, Cursor { read: log.durable(), pending: vec![] });
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
    log.set_cursor(1, Cursor { read: log.end(), pending: vec![] });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    while log.append(EVENT, 0, Fsync::Never, &[&[7; 1000]]).is_ok() {
        flush(&mut log).unwrap();
    }
    // Nobody needs the oldest segment any more, and the sync that proves it hangs.
    log.set_cursor(1, Cursor { read: log.durable(), pending: vec![] });
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

/// A consumer with so many unfinished records, in the log.
fn crowded(log: &mut Log, consumer: u64, place: Place, pending: u64) {
    let pending = (0..pending).map(|n| Pending { lsn: Lsn(5000 + 8 * n), ..Pending::default() }).collect();
    log.register(consumer, place, &Cursor { read: Lsn(1_000_000), pending }).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
}

#[test]
fn what_is_written_of_cursors_is_what_changed() {
    let disk = Disk::new();
    let options = Options { segment_bytes: 16 << 20, max_bytes: 64 << 20, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    crowded(&mut log, 1, Place::Elsewhere, 4096);
    let retry = Pending { lsn: Lsn(5800), attempts: 3, due_ms: 7, note: 503 };
    let steps: [(&[Pending], &[Lsn], u64); 4] =
        [(&[retry], &[], 24), (&[], &[Lsn(5808)], 8), (&[], &[], 0), (&[retry], &[Lsn(5808), Lsn(1)], 0)];
    for (number, (changed, finished, bytes)) in steps.into_iter().enumerate() {
        let end = log.end();
        let read = Lsn(1_000_000 + number as u64);
        log.progress(1, &Progress { place: Place::Elsewhere, read, changed, finished }).unwrap();
        log.append_cursors(0, Fsync::Always).unwrap();
        assert_eq!(log.end() - end, 56 + 8 + 32 + bytes, "step {number}");
        // By the whole cursor, nothing else is found, and nothing is written.
        let cursor = log.cursors().get(1).unwrap();
        log.update_cursor(1, Place::Elsewhere, &cursor).unwrap();
        let end = log.end();
        log.append_cursors(0, Fsync::Always).unwrap();
        assert_eq!(log.end(), end);
    }
    // With a record, too, and never more than the whole cursor takes.
    let end = log.end();
    let progress =
        Progress { place: Place::Elsewhere, read: Lsn(2_000_000), changed: &[], finished: &[Lsn(5000)] };
    log.append_with_progress(0, Fsync::Always, &[(1, progress)], (EVENT, &[b"replies!"])).unwrap();
    assert_eq!(log.end() - end, 56 + 8 + 32 + 8 + 56 + 8);
    let all: Vec<_> = (0..4096).map(|n| Lsn(5000 + 8 * n)).collect();
    let end = log.end();
    let progress = Progress { place: Place::Elsewhere, read: Lsn(2_000_000), changed: &[], finished: &all };
    log.progress(1, &progress).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    assert_eq!(log.end() - end, 56 + 8 + 24);
    flush(&mut log).unwrap();
    let before = log.cursors().get(1);
    drop(log);
    assert_eq!(disk.open(&options).unwrap().0.cursors().get(1), before);
}

#[test]
fn progress_in_steps_comes_back_as_the_whole_cursor_does() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    crowded(&mut log, 1, Place::Elsewhere, 40);
    crowded(&mut log, 2, Place::Elsewhere, 40);
    for step in 0..400 {
        let lsn = Lsn(5000 + 8 * (step * 7 % 60));
        let pending = Pending { lsn, attempts: step as u16, due_ms: step, note: !step as u32 };
        let (changed, finished): (&[_], &[_]) = if step % 3 == 0 { (&[], &[lsn]) } else { (&[pending], &[]) };
        let progress = Progress { place: Place::Elsewhere, read: Lsn(1_000_000 + step), changed, finished };
        log.progress(1, &progress).unwrap();
        let cursor = log.cursors().get(1).unwrap();
        log.update_cursor(2, Place::Elsewhere, &cursor).unwrap();
        if step % 5 == 0 {
            append(&mut log, &body(step));
            log.append_cursors(0, Fsync::Always).unwrap();
            flush(&mut log).unwrap();
            let again = Disk::with(&disk.image()).open(&small()).unwrap().0;
            assert!(again.cursors().iter().eq(log.cursors().iter()), "step {step}");
            assert_eq!(again.cursors().get(1), again.cursors().get(2));
        }
    }
    assert!(log.usage().first > Lsn::ZERO + 4096 || log.usage().segments > 3, "several segments were begun");
}
