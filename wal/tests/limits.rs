//! Each limit at its edge, and what happens beyond.

mod support;

use std::time::Duration;

use eagre_sim::Disk;
use eagre_wal::{
    AppendError, Cursor, FRAME_HEADER_BYTES, Fsync, Full, Log, Lsn, OpenError, Options, OptionsError,
    Pending, Place, Progress,
};
use support::{Consumers as _, EVENT, append, body, flush, read_all, small};

/// Appends until the log is full, and tells why.
fn fill(log: &mut Log) -> Full {
    loop {
        match log.append(EVENT, 0, Fsync::Always, &[&[7; 1000]]) {
            Ok(_) => flush(log).unwrap(),
            Err(AppendError::Full(Full::Preparing)) => log.poll().unwrap(),
            Err(AppendError::Full(full)) => return full,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_largest_record_fits_and_one_byte_more_does_not() {
    let options = small();
    let max = options.record_bytes_max() as usize;
    let disk = Disk::new();
    let (mut log, _) = disk.open(&options).unwrap();
    for _ in 0..5 {
        append(&mut log, &vec![1; max]);
        flush(&mut log).unwrap();
        let error = log.append(EVENT, 0, Fsync::Always, &[&vec![1; max], &[0; 8]]).unwrap_err();
        assert!(matches!(error, AppendError::TooLarge { bytes, max } if bytes == max + 8), "{error}");
    }
    assert_eq!(read_all(&log).len(), 5);
}

#[test]
fn a_log_makes_its_segments_fit_for_a_larger_record_when_asked() {
    let options = Options { max_bytes: 96 * 1024, ..small() };
    let large = vec![9; 3 * options.segment_bytes as usize];
    let disk = Disk::new();
    let (mut log, _) = disk.open(&options).unwrap();
    log.set_cursor(1, Cursor::default());
    append(&mut log, b"before");
    let refused = log.append(EVENT, 0, Fsync::Always, &[&large]).unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }), "{refused}");
    log.make_fit(large.len() as u64).unwrap();
    log.make_fit(1).unwrap();
    while let Err(error) = log.append(EVENT, 0, Fsync::Always, &[&large]) {
        assert!(matches!(error, AppendError::Full(_)), "{error}");
        flush(&mut log).unwrap();
    }
    append(&mut log, b"after");
    flush(&mut log).unwrap();
    assert!(log.make_fit(u64::MAX / 2).is_err());
    drop(log);
    // It opens with the smaller segments, and goes on with them.
    let (mut log, _) = disk.open(&options).unwrap();
    let bodies: Vec<_> = read_all(&log).into_iter().map(|entry| entry.body.to_vec()).collect();
    assert_eq!(bodies, [b"before".to_vec(), large.clone(), b"after".to_vec()]);
    assert_eq!(log.segment_bytes_max(), Options::segment_bytes_for(large.len() as u64));
    let refused = log.append(EVENT, 0, Fsync::Always, &[&large]).unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }), "{refused}");
    append(&mut log, b"small");
}

#[test]
fn the_largest_record_fits_beside_as_many_cursors_as_there_can_be() {
    let options = small();
    let disk = Disk::new();
    let (mut log, _) = disk.open(&options).unwrap();
    let consumers = (options.cursors_bytes_max() - FRAME_HEADER_BYTES - 16) / 24;
    for consumer in 0..consumers {
        let pending =
            (0..50).map(|n| Pending { lsn: Lsn(5000 + n), attempts: 1, due_ms: 2, note: 0 }).collect();
        log.set_cursor(consumer, Cursor { read: Lsn(6000), pending });
    }
    for _ in 0..3 {
        append(&mut log, &vec![1; options.record_bytes_max() as usize]);
        flush(&mut log).unwrap();
    }
    log.append_cursors(0, Fsync::Always).unwrap();
    log.set_cursor(consumers, Cursor::default());
    log.set_cursor(consumers + 1, Cursor::default());
    let error = loop {
        match log.append(EVENT, 0, Fsync::Always, &[&[1; 4000]]) {
            Ok(_) => flush(&mut log).unwrap(),
            Err(AppendError::Full(_)) => log.poll().unwrap(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::TooManyCursors { .. }), "{error}");
}

#[test]
fn unfinished_records_that_do_not_fit_are_handed_out_again() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    for number in 0..20 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    let entries = read_all(&log);
    let pending: Vec<_> =
        (0..1000).map(|n| Pending { lsn: entries[0].lsn + n, attempts: 1, due_ms: n, note: 0 }).collect();
    log.set_cursor(1, Cursor { read: log.durable(), pending: pending.clone() });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    let (log, _) = disk.open(&small()).unwrap();
    let cursor = log.cursors().get(1).unwrap();
    let kept = cursor.pending.len();
    assert!(kept > 50 && kept < 1000);
    assert_eq!(cursor.pending, pending[..kept]);
    assert_eq!(cursor.read, pending[kept].lsn);
}

#[test]
fn kinds_of_the_log_are_not_the_owners() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    for kind in 0..16 {
        let kind = eagre_wal::Kind(kind);
        assert!(matches!(log.append(kind, 0, Fsync::Always, &[]), Err(AppendError::ReservedKind(_))));
        let with = log.append_with_progress(0, Fsync::Always, &[], (kind, &[]));
        assert!(matches!(with, Err(AppendError::ReservedKind(_))));
    }
    assert!(log.cursors().is_empty());
}

#[test]
fn what_waits_for_the_disk_is_bounded() {
    let disk = Disk::new();
    let options = Options { pending_bytes_max: 2000, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    flush(&mut log).unwrap();
    log.append(EVENT, 0, Fsync::Always, &[&[0; 4000]]).unwrap();
    let error = log.append(EVENT, 0, Fsync::Always, &[b"x"]).unwrap_err();
    assert!(matches!(error, AppendError::Full(Full::Pending)));
    flush(&mut log).unwrap();
    log.append(EVENT, 0, Fsync::Always, &[b"x"]).unwrap();
}

#[test]
fn a_log_of_its_maximal_size_takes_records_again_when_consumers_advance() {
    let disk = Disk::new();
    let options = Options { max_bytes: 64 * 1024, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    log.set_cursor(1, Cursor::default());
    for _ in 0..5 {
        let full = fill(&mut log);
        assert!(matches!(full, Full::MaxBytes { max_bytes: 65536 }), "{full}");
        assert!(log.usage().bytes <= 64 * 1024 && log.usage().shortage.is_some());
        let entries = read_all(&log);
        assert!(entries.len() > 20, "what is there can be read");
        log.set_cursor(1, Cursor { read: log.durable(), pending: vec![] });
        // No room for a new segment; the rest of the active one takes the cursor.
        log.append_cursors(0, Fsync::Always).unwrap();
        flush(&mut log).unwrap();
        log.release(0);
        log.poll().unwrap();
        assert!(log.usage().shortage.is_none(), "{:?}", log.usage());
    }
}

#[test]
fn a_log_larger_than_its_options_have_become_goes_on() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&Options { segment_bytes: 64 * 1024, ..small() }).unwrap();
    disk.state().is_full = true;
    append(&mut log, &body(0));
    flush(&mut log).unwrap();
    drop(log);
    disk.kill();
    disk.state().is_full = false;
    // One segment is more than all may take now.
    let options = Options { segment_bytes: 16 * 1024, max_bytes: 32 * 1024, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    for number in 1..300 {
        let body = body(number);
        let appended = (0..100).any(|_| {
            flush(&mut log).unwrap();
            log.release(0);
            log.poll().unwrap();
            log.append(EVENT, 0, Fsync::Always, &[&body]).is_ok()
        });
        assert!(appended, "it is full for good: {:?}", log.usage());
    }
    flush(&mut log).unwrap();
    assert!(log.usage().bytes <= options.max_bytes);
}

#[test]
fn cursors_that_free_a_log_are_stored_although_its_options_left_them_no_room() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    log.set_cursor(1, Cursor::default());
    log.append_cursors(0, Fsync::Always).unwrap();
    // Up to the seal of a segment: a next one stands ready, in which cursors would go on.
    while log.usage().segments < 6 || log.usage().spares == 0 {
        append(&mut log, &[7; 1000]);
        flush(&mut log).unwrap();
    }
    while log.end().0 % SEGMENT_BYTES + 300 < SEGMENT_BYTES {
        append(&mut log, &[7; 100]);
        flush(&mut log).unwrap();
    }
    drop(log);
    disk.kill();
    // It is not of the size that they have now, and there is no room for another.
    let options = Options { segment_bytes: 2 * SEGMENT_BYTES, max_bytes: 6 * SEGMENT_BYTES, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    let full = fill(&mut log);
    assert!(matches!(full, Full::MaxBytes { .. }), "{full}");
    let read = log.end();
    let pending = (0..8).map(|n| Pending { lsn: Lsn(read.0 - 8 * (8 - n)), ..Pending::default() }).collect();
    log.set_cursor(1, Cursor { read, pending });
    let stored = (0..100).any(|_| {
        flush(&mut log).unwrap();
        log.release(0);
        log.poll().unwrap();
        log.append_cursors(0, Fsync::Always).is_ok()
    });
    assert!(stored, "they are never stored: {:?}", log.usage());
    append(&mut log, &[7; 1000]);
    for _ in 0..10 {
        flush(&mut log).unwrap();
        log.release(0);
        log.poll().unwrap();
    }
    assert!(log.usage().bytes <= options.max_bytes, "{:?}", log.usage());
}

/// Of [`small`].
const SEGMENT_BYTES: u64 = 16 * 1024;

#[test]
fn a_full_file_system_stops_appends_until_there_is_space() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    disk.state().is_full = true;
    let full = fill(&mut log);
    assert!(matches!(full, Full::NoSpace(_)), "{full}");
    let records = read_all(&log).len();
    assert!(records > 5);
    disk.state().is_full = false;
    log.poll().unwrap();
    assert!(log.append(EVENT, 0, Fsync::Always, &[&[7; 1000]]).is_err(), "the next attempt is not due");
    disk.state().now += Duration::from_secs(1);
    log.poll().unwrap();
    append(&mut log, &[7; 1000]);
    flush(&mut log).unwrap();
    assert_eq!(read_all(&log).len(), records + 1);
}

#[test]
fn options_that_make_no_log_are_refused() {
    let open = |options: Options| match Disk::new().open(&options) {
        Err(OpenError::Options(error)) => error,
        other => panic!("{:?}", other.map(|(_, recovery)| recovery)),
    };
    for segment_bytes in [0, 8192, 16 * 1024 + 1, 8 * 1024 * 1024 * 1024] {
        let error = open(Options { segment_bytes, ..small() });
        assert_eq!(error, OptionsError::SegmentBytes(segment_bytes));
    }
    let error = open(Options { max_bytes: 32 * 1024 - 1, ..small() });
    assert_eq!(error, OptionsError::MaxBytes { max_bytes: 32 * 1024 - 1, min: 32 * 1024 });
}

#[test]
fn an_owner_who_stops_at_half_a_segment_learns_when_there_is_space_again() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    disk.state().is_full = true;
    while !log.is_short() {
        append(&mut log, &[7; 1000]);
        flush(&mut log).unwrap();
    }
    assert!(log.append(EVENT, 0, Fsync::Always, &[&[7; 1000]]).is_ok(), "the other half is for what is old");
    flush(&mut log).unwrap();
    disk.state().is_full = false;
    assert!(log.is_short(), "the next attempt is not due");
    disk.state().now += Duration::from_secs(1);
    // To ask is enough.
    let _ = log.is_short();
    log.poll().unwrap();
    assert!(!log.is_short());
}

#[test]
fn of_a_cursor_that_was_cut_off_no_unfinished_record_is_lost() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let lsn = |n| Lsn(5000 + 8 * n);
    let pending: Vec<_> = (0..1000).map(|n| Pending { lsn: lsn(n), ..Pending::default() }).collect();
    log.register(1, Place::Elsewhere, &Cursor { read: lsn(1000), pending }).unwrap();
    let mut cut = 0;
    for step in 0..1500 {
        // One comes, and two are finished, from both ends.
        let new = [Pending { lsn: lsn(1000 + step), attempts: 1, due_ms: step, note: 9 }];
        let finished = [lsn(step), lsn(999 - step.min(900))];
        let read = lsn(1001 + step);
        let progress = Progress { place: Place::Elsewhere, read, changed: &new, finished: &finished };
        log.progress(1, &progress).unwrap();
        while log.append_cursors(0, Fsync::Always).is_err() {
            flush(&mut log).unwrap();
            log.release(0);
            log.poll().unwrap();
        }
        flush(&mut log).unwrap();
        if step % 10 > 0 {
            continue;
        }
        let kept = Disk::with(&disk.image()).open(&small()).unwrap().0.cursors().get(1).unwrap();
        let cursor = log.cursors().get(1).unwrap();
        assert!(kept.read <= cursor.read && kept.low() == cursor.low(), "step {step}");
        let handed_out = cursor.pending.iter().filter(|pending| pending.lsn < kept.read);
        assert!(kept.pending.iter().eq(handed_out), "step {step}: what is not known is read again");
        cut += usize::from(kept.read < cursor.read);
    }
    assert!(cut > 20, "{cut}");
}

#[test]
fn progress_of_more_consumers_than_fit_is_refused_and_changes_nothing() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let fit = small().cursors_bytes_max() / 24 - 2;
    for consumer in 0..=fit {
        log.register(consumer, Place::Elsewhere, &Cursor::default()).unwrap();
    }
    let progress = Progress { place: Place::Elsewhere, read: Lsn(1), changed: &[], finished: &[] };
    let all: Vec<_> = (0..=fit).map(|consumer| (consumer, progress)).collect();
    let end = log.end();
    let error = log.append_with_progress(0, Fsync::Always, &all, (EVENT, &[b"x"])).unwrap_err();
    assert!(matches!(error, AppendError::TooManyCursors { .. }), "{error}");
    assert!(log.end() == end && log.cursors().iter().all(|(_, cursor)| cursor.read == Lsn::ZERO));
    log.append_with_progress(0, Fsync::Always, &all[1..], (EVENT, &[b"x"])).unwrap();
    assert_eq!(log.cursors().get(1).unwrap().read, Lsn(1));
}

#[test]
fn without_descriptors_appends_wait_and_segments_go_later_in_their_order() {
    let disk = Disk::new();
    let options = Options { max_bytes: 128 * 1024, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    log.set_cursor(1, Cursor::default());
    log.append_cursors(0, Fsync::Always).unwrap();
    disk.state().is_out_of_descriptors = true;
    let full = fill(&mut log);
    assert!(matches!(full, Full::NoResources(_)), "{full}");
    disk.state().is_out_of_descriptors = false;
    disk.state().now += Duration::from_secs(1);
    log.poll().unwrap();
    assert!(matches!(fill(&mut log), Full::MaxBytes { .. }));
    let before = log.usage().segments;
    log.set_cursor(1, Cursor { read: log.durable(), pending: vec![] });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    disk.state().is_out_of_descriptors = true;
    log.release(0);
    for _ in 0..5 {
        log.poll().unwrap();
        assert_eq!(log.usage().segments, before, "none goes before the one that cannot");
        let damage = disk.state().files.keys().copied().collect::<Vec<_>>();
        assert!(damage.windows(2).all(|pair| pair[1] == pair[0] + options.segment_bytes));
    }
    disk.state().is_out_of_descriptors = false;
    disk.state().now += Duration::from_secs(1);
    // Who appends asks again, too.
    let _ = log.append(EVENT, 0, Fsync::Always, &[&[7; 8000]]);
    while log.usage().segments > 2 {
        log.poll().unwrap();
    }
    append(&mut log, &[7; 8000]);
    flush(&mut log).unwrap();
}

#[test]
fn records_from_before_the_segments_became_smaller_fit_a_log_made_for_them() {
    let disk = Disk::new();
    let large = Options { segment_bytes: 64 * 1024, ..small() };
    let (mut log, _) = disk.open(&large).unwrap();
    let record = vec![7; large.record_bytes_max() as usize];
    append(&mut log, &record);
    flush(&mut log).unwrap();
    drop(log);
    let (log, _) = disk.open(&small()).unwrap();
    assert_eq!(log.segment_bytes_max(), 64 * 1024);
    let with_more = record.len() as u64 + 24;
    let segment_bytes = Options::segment_bytes_for(with_more);
    let options = Options { segment_bytes, max_bytes: 4 * segment_bytes, ..small() };
    assert!(options.record_bytes_max() >= with_more);
    // Also where that log was made for smaller ones, and has a segment ready.
    let other = Disk::new();
    let (mut copies, _) = other.open(&small()).unwrap();
    append(&mut copies, b"small");
    flush(&mut copies).unwrap();
    copies.poll().unwrap();
    assert_eq!(copies.usage().spares, 1);
    drop(copies);
    let (mut copies, _) = other.open(&options).unwrap();
    append(&mut copies, &[record, vec![8; 24]].concat());
    flush(&mut copies).unwrap();
    assert_eq!(read_all(&copies).len(), 2);
}

#[test]
fn the_smallest_segment_for_a_record_is_just_large_enough() {
    for record_bytes in (0..200_000).step_by(997).chain([11_000, 12_231, 12_232, 12_233]) {
        let segment_bytes = Options::segment_bytes_for(record_bytes);
        let options = |segment_bytes| Options { segment_bytes, ..Options::default() };
        assert!(options(segment_bytes).record_bytes_max() >= record_bytes);
        let smaller = segment_bytes - 4096;
        assert!(smaller < 16 * 1024 || options(smaller).record_bytes_max() < record_bytes, "{record_bytes}");
    }
}

#[test]
fn segments_too_small_for_the_cursors_are_refused_with_the_size_that_is_not() {
    let disk = Disk::new();
    let large = Options { segment_bytes: 1024 * 1024, max_bytes: 4 << 20, ..small() };
    let (mut log, _) = disk.open(&large).unwrap();
    for consumer in 0..1000 {
        log.set_cursor(consumer, Cursor::default());
    }
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    let Err(OpenError::Options(OptionsError::CursorsDoNotFit { consumers: 1000, min })) = disk.open(&small())
    else {
        panic!("it is opened");
    };
    let options = Options { segment_bytes: min, max_bytes: 4 << 20, ..small() };
    let (mut log, _) = disk.open(&options).unwrap();
    // And not only opened.
    for _ in 0..30 {
        for _ in 0..20 {
            append(&mut log, &[7; 4000]);
        }
        flush(&mut log).unwrap();
        for consumer in 0..1000 {
            log.set_cursor(consumer, Cursor { read: log.durable(), pending: vec![] });
        }
        log.append_cursors(0, Fsync::Always).unwrap();
        flush(&mut log).unwrap();
        log.release(0);
    }
    assert!(log.usage().first.0 > 2 * large.segment_bytes);
}
