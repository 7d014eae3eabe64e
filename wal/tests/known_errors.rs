//! Faults of the disk, each of which has cost some system records.

mod support;

use std::{collections::BTreeMap, fs, io, time::Duration};

use eagre_sim::Disk;
use eagre_wal::{
    AppendError, Backend, ConsumerError, Cursor, Fsync, Log, Lsn, OpenError, Place, Progress, Stage,
};
use support::{EVENT, append, body, flush, open, read_all, small};

const EIO: i32 = 5;
const EDQUOT: i32 = 122;
const EINTR: i32 = 4;
const ENOSPC: i32 = 28;

/// Appends and flushes one record at a time until `records` or an error; the
/// number of those that were confirmed.
fn confirm(disk: &Disk, log: &mut Log, records: u64) -> (u64, Option<AppendError>) {
    for number in 0..records {
        let step = loop {
            match log.append(EVENT, 0, Fsync::Always, &[&body(number)]) {
                Err(AppendError::Full(_)) if disk.state().now > Duration::from_secs(60) => {
                    panic!("space that came back is not found");
                }
                Err(AppendError::Full(_)) => match flush(log).and_then(|()| log.poll()) {
                    Ok(()) => disk.state().now += Duration::from_secs(1),
                    Err(poisoned) => break Err(poisoned.into()),
                },
                other => break other.and_then(|lsn| flush(log).map(|()| lsn).map_err(AppendError::from)),
            }
        };
        match step {
            Ok(lsn) => assert!(lsn < log.durable()),
            Err(error) => return (number, Some(error)),
        }
    }
    (records, None)
}

#[test]
fn an_error_at_any_operation_is_final_and_loses_nothing_that_was_confirmed() {
    let mut failures = 0;
    for errno in [EIO, EDQUOT, ENOSPC] {
        for operation in 1.. {
            let disk = Disk::new();
            disk.state().fail = Some((operation, errno));
            let Ok((mut log, _)) = disk.open(&small()) else { continue };
            let (confirmed, error) = confirm(&disk, &mut log, 60);
            if disk.state().operations < operation {
                break;
            }
            let Some(error) = error else {
                // Space that was missing once, and the next attempt found some.
                assert_ne!(errno, EIO);
                assert_eq!(confirmed, 60);
                continue;
            };
            failures += 1;
            assert!(matches!(error, AppendError::Poisoned(_)), "{error}");
            // The disk works again, and the log refuses all the same.
            assert!(log.submit().is_err() && log.poll().is_err());
            assert!(matches!(log.append(EVENT, 0, Fsync::Always, &[b"x"]), Err(AppendError::Poisoned(_))));
            assert!(matches!(log.append_cursors(0, Fsync::Always), Err(AppendError::Poisoned(_))));
            assert_eq!(read_all(&log).len() as u64, confirmed);
            drop(log);
            disk.kill();
            let (log, _) = disk.open(&small()).unwrap();
            let entries = read_all(&log);
            assert!(entries.len() as u64 >= confirmed);
            assert!(entries.iter().zip(0..).all(|(entry, number)| entry.body == body(number)));
        }
    }
    assert!(failures > 300, "{failures}");
}

#[test]
fn a_failed_sync_is_told_with_its_stage_and_position() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    flush(&mut log).unwrap();
    let lsn = append(&mut log, b"x");
    let next = disk.state().operations + 2;
    disk.state().fail = Some((next, EIO));
    let poisoned = flush(&mut log).unwrap_err();
    assert_eq!((poisoned.stage, poisoned.at), (Stage::Sync, lsn));
    assert_eq!(poisoned.cause.raw_os_error(), Some(EIO));
    assert!(lsn >= log.durable());
}

#[test]
fn short_and_interrupted_writes_are_continued() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    disk.state().write_bytes_max = Some(100);
    for number in 0..100 {
        append(&mut log, &body(number));
        let next = disk.state().operations + 1;
        disk.state().fail = Some((next, EINTR));
        flush(&mut log).unwrap();
    }
    drop(log);
    let (log, recovery) = disk.open(&small()).unwrap();
    assert_eq!(recovery.truncated, None);
    assert_eq!(read_all(&log).len(), 100);
}

#[test]
fn a_write_of_nothing_is_an_error_and_no_endless_loop() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    disk.state().write_bytes_max = Some(0);
    append(&mut log, b"x");
    let poisoned = flush(&mut log).unwrap_err();
    assert_eq!((poisoned.stage, poisoned.cause.kind()), (Stage::Write, io::ErrorKind::WriteZero));
}

#[test]
fn a_second_owner_is_refused_and_told_who_has_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Backend::Thread);
    append(&mut log, b"x");
    flush(&mut log).unwrap();
    let Err(OpenError::Locked { holder, .. }) = Log::open(dir.path(), small()) else {
        panic!("two owners");
    };
    assert_eq!(holder, std::process::id().to_string());
    drop(log);
    assert_eq!(read_all(&open(dir.path(), Backend::Thread)).len(), 1);
}

#[test]
fn unknown_files_are_reported_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), Backend::Thread));
    let strangers = ["notes.txt", "0000000000004000.segment.bak", "4000.segment"];
    for name in strangers {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    fs::write(dir.path().join("00000000000f0000.segment.unfinished"), "half").unwrap();
    let (_log, recovery) = Log::open(dir.path(), small()).unwrap();
    assert_eq!(recovery.unknown_files, ["0000000000004000.segment.bak", "4000.segment", "notes.txt"]);
    for name in strangers {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"mine");
    }
    assert!(!dir.path().join("00000000000f0000.segment.unfinished").exists());
}

#[test]
fn a_directory_that_is_refused_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Backend::Thread);
    for number in 0..200 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    drop(log);
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::write(dir.path().join("0000000000004000.segment.bak"), "mine").unwrap();
    let files = || -> BTreeMap<_, _> {
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let segments = names.filter(|path| path.file_name().unwrap() != "lock");
        segments.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let whole = files();
    for damaged in whole.keys().filter(|path| path.extension().unwrap() == "segment") {
        let bytes = &whole[damaged];
        let mut flipped = bytes.clone();
        flipped[40] ^= 1;
        for damage in
            [&flipped, &bytes[..bytes.len() / 2].to_vec(), &whole.values().next().unwrap()[..8].to_vec()]
        {
            fs::write(damaged, damage).unwrap();
            let before = files();
            let refused = Log::open(dir.path(), small()).err().expect("a header is damaged");
            assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
            assert!(files() == before, "something was changed beside {}", damaged.display());
        }
        fs::write(damaged, bytes).unwrap();
    }
    assert_eq!(read_all(&open(dir.path(), Backend::Thread)).len(), 200);
    assert!(whole.keys().all(|path| path.exists()));
}

#[test]
fn a_missing_segment_file_is_damage_when_it_is_read() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    for number in 0..200 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    let base = *disk.state().files.keys().next().unwrap();
    disk.state().files.remove(&base);
    let damage = log.read(base).unwrap_err();
    assert!(damage.to > damage.from);
    assert!(log.read(damage.to).unwrap().is_some(), "what is whole can still be read");
}

#[test]
fn what_comes_late_for_a_consumer_brings_nobody_back() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    log.register(1, Place::Here, &Cursor::default()).unwrap();
    append(&mut log, b"event");
    log.append_cursors(0, Fsync::Always).unwrap();
    log.forget(1);
    let late = Progress { place: Place::Here, read: log.end(), changed: &[], finished: &[] };
    let unknown = ConsumerError::UnknownConsumer(1);
    for restarted in [false, true] {
        let end = log.end();
        assert_eq!(log.progress(1, &late), Err(unknown));
        assert_eq!(log.update_cursor(1, Place::Here, &Cursor::default()), Err(unknown));
        let reply = log.append_with_progress(0, Fsync::Always, &[(1, late)], (EVENT, &[b"reply"]));
        assert!(matches!(reply, Err(AppendError::Consumer(error)) if error == unknown));
        assert!(log.end() == end && log.cursors().is_empty());
        if !restarted {
            log.append_cursors(0, Fsync::Always).unwrap();
            flush(&mut log).unwrap();
            drop(log);
            log = disk.open(&small()).unwrap().0;
        }
    }
}

#[test]
fn a_consumer_is_given_positions_of_its_log_only() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let places = [(1, Place::Here), (2, Place::Elsewhere)];
    for (consumer, place) in places {
        log.register(consumer, place, &Cursor { read: Lsn(4096), pending: Vec::new() }).unwrap();
    }
    let progress = |place| Progress { place, read: Lsn(9000), changed: &[], finished: &[] };
    for restarted in [false, true] {
        let before: Vec<_> = log.cursors().iter().collect();
        for (consumer, registered) in places {
            let other = if registered == Place::Here { Place::Elsewhere } else { Place::Here };
            let mixed = ConsumerError::OtherPlace { consumer, registered };
            assert_eq!(log.progress(consumer, &progress(other)), Err(mixed));
            assert_eq!(log.update_cursor(consumer, other, &Cursor::default()), Err(mixed));
            // Nothing of a step is done when a part of it is refused.
            let both = [(3 - consumer, progress(other)), (consumer, progress(other))];
            assert!(log.append_with_progress(0, Fsync::Always, &both, (EVENT, &[b"reply"])).is_err());
            let again = log.register(consumer, other, &Cursor::default());
            assert_eq!(again, Err(ConsumerError::AlreadyRegistered(consumer)));
        }
        assert!(log.cursors().iter().eq(before));
        if !restarted {
            log.append_cursors(0, Fsync::Always).unwrap();
            flush(&mut log).unwrap();
            drop(log);
            log = disk.open(&small()).unwrap().0;
        }
    }
    // One that was forgotten begins anew, wherever it likes.
    log.forget(2);
    log.register(2, Place::Here, &Cursor { read: Lsn(4096), pending: Vec::new() }).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    let (log, _) = disk.open(&small()).unwrap();
    assert_eq!((log.cursors().place(2), log.cursors().low()), (Some(Place::Here), Lsn(4096)));
}
