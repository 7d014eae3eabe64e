//! What stays, for whom, and how it is found again.

mod support;

use std::time::Duration;

use eagre_sim::Disk;
use eagre_wal::{Cursor, Fsync, Log, Lsn, Options, Retain};
use support::{Consumers as _, EVENT, append_at, body, flush, read_all, small};

const MODES: [Fsync; 3] = [Fsync::Always, Fsync::Interval(Duration::from_secs(3600)), Fsync::Never];

/// Appends one record a second from `seconds`, and flushes each.
fn fill(log: &mut Log, seconds: std::ops::Range<u64>) {
    for second in seconds {
        append_at(log, 1000 * second, Fsync::Always, &body(second));
        flush(log).unwrap();
        log.release(1000 * second);
    }
}

fn first_time(log: &Log) -> u64 {
    log.read(Lsn::ZERO).unwrap().unwrap().time_ms
}

fn retain(age_s: Option<u64>, bytes: Option<u64>) -> Options {
    Options { retain: Retain { age: age_s.map(Duration::from_secs), bytes }, ..small() }
}

#[test]
fn without_retention_nothing_stays_that_no_cursor_needs() {
    let (mut log, _) = Disk::new().open(&small()).unwrap();
    fill(&mut log, 0..400);
    assert_eq!(log.usage().retained_bytes, 0);
    assert!(log.usage().segments <= 3, "{:?}", log.usage());
}

#[test]
fn young_records_stay_and_old_ones_go() {
    let (mut log, _) = Disk::new().open(&retain(Some(200), None)).unwrap();
    fill(&mut log, 0..400);
    let first = first_time(&log);
    assert!((100_000..200_000).contains(&first), "{first}: as few segments as hold the last 200 s");
    assert!(log.usage().retained_bytes > 0);
    // The log is quiet, and time goes on.
    log.release(1_000_000);
    assert_eq!(log.usage().retained_bytes, 0);
}

#[test]
fn the_latest_bytes_stay() {
    let bytes = 4 * small().segment_bytes;
    let (mut log, _) = Disk::new().open(&retain(None, Some(bytes))).unwrap();
    fill(&mut log, 0..400);
    let usage = log.usage();
    let kept = usage.bytes - usage.spares as u64 * small().segment_bytes;
    assert!(kept == bytes || kept == bytes + small().segment_bytes, "{usage:?}");
}

#[test]
fn with_both_bounds_the_tighter_one_decides() {
    let bytes = 4 * small().segment_bytes;
    let (mut both, _) = Disk::new().open(&retain(Some(1_000_000), Some(bytes))).unwrap();
    fill(&mut both, 0..400);
    assert!(both.usage().bytes <= bytes + 2 * small().segment_bytes);
    both.release(10_000_000_000);
    assert_eq!(both.usage().retained_bytes, 0);
}

#[test]
fn what_is_retained_makes_way_for_appends() {
    let options = Options { max_bytes: 5 * small().segment_bytes, ..retain(Some(1_000_000), None) };
    let (mut log, _) = Disk::new().open(&options).unwrap();
    fill(&mut log, 0..400);
    assert!(log.usage().bytes <= options.max_bytes);
    assert!(log.usage().retained_bytes >= 2 * small().segment_bytes);
}

#[test]
fn what_a_cursor_needs_stays_whatever_its_age() {
    let (mut log, _) = Disk::new().open(&retain(Some(10), None)).unwrap();
    log.set_cursor(1, Cursor { read: log.end(), pending: Vec::new() });
    log.append_cursors(0, Fsync::Always).unwrap();
    fill(&mut log, 0..400);
    assert_eq!(first_time(&log), 0);
    assert_eq!(log.usage().retained_bytes, 0, "it is needed, not kept for the past");
}

#[test]
fn the_last_record_is_found_also_after_a_reopen() {
    let disk = Disk::new();
    let options = retain(Some(1_000_000), None);
    let (mut log, _) = disk.open(&options).unwrap();
    fill(&mut log, 0..400);
    let last = read_all(&log).pop();
    assert_eq!(log.last().unwrap(), last);
    drop(log);
    assert_eq!(disk.open(&options).unwrap().0.last().unwrap(), last);
}

#[test]
fn a_clock_that_is_set_back_does_not_set_back_the_times_of_records() {
    let disk = Disk::new();
    let options = retain(Some(1_000_000), None);
    let (mut log, _) = disk.open(&options).unwrap();
    fill(&mut log, 1000..1100);
    drop(log);
    let (mut log, _) = disk.open(&options).unwrap();
    fill(&mut log, 500..600);
    fill(&mut log, 1100..1101);
    let times: Vec<_> = read_all(&log).iter().map(|entry| entry.time_ms).collect();
    assert!(times.is_sorted());
    assert_eq!(times.last(), Some(&1_100_000));
}

#[test]
fn an_empty_log_has_no_last_record() {
    let (log, _) = Disk::new().open(&small()).unwrap();
    assert!(log.last().unwrap().is_none());
}

#[test]
fn each_record_is_durable_as_it_asked_for() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    flush(&mut log).unwrap();
    let written = append_at(&mut log, 0, Fsync::Never, b"a");
    let synced = append_at(&mut log, 0, Fsync::Always, b"b");
    let behind = append_at(&mut log, 0, Fsync::Never, b"c");
    disk.state().hold_syncs = true;
    log.submit().unwrap();
    log.poll().unwrap();
    // Written, and the sync is in flight.
    assert!(behind < log.durable_as(Fsync::Never));
    assert_eq!(log.durable(), synced, "readers go in order, and wait with the one in between");
    assert!(log.durable_as(Fsync::Always) <= written);
    disk.state().hold_syncs = false;
    log.poll().unwrap();
    for fsync in MODES {
        assert_eq!(log.durable_as(fsync), log.end());
    }
    assert_eq!(log.durable(), log.end());
}

#[test]
fn nobody_waits_for_a_sync_that_nobody_asked_for() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    flush(&mut log).unwrap();
    let before = log.durable_as(Fsync::Always);
    log.append(EVENT, 0, Fsync::Never, &[b"a"]).unwrap();
    flush(&mut log).unwrap();
    assert_eq!(log.durable(), log.end());
    assert_eq!(log.durable_as(Fsync::Always), before);
    assert!(log.is_idle());
}

#[test]
fn an_interval_is_kept() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    flush(&mut log).unwrap();
    let second = Duration::from_secs(1);
    log.append(EVENT, 0, Fsync::Interval(2 * second), &[b"a"]).unwrap();
    log.append(EVENT, 0, Fsync::Interval(second), &[b"b"]).unwrap();
    log.submit().unwrap();
    log.poll().unwrap();
    assert_eq!(log.durable(), log.end());
    log.poll().unwrap();
    assert!(log.durable_as(Fsync::Always) < log.end() && !log.is_idle(), "the sync is not due yet");
    disk.state().now += second;
    log.poll().unwrap();
    log.poll().unwrap();
    assert_eq!(log.durable_as(Fsync::Always), log.end());
    assert!(log.is_idle());
}

#[test]
fn everything_is_synced_on_demand_whatever_it_asked_for() {
    for fsync in MODES {
        let disk = Disk::new();
        let (mut log, _) = disk.open(&small()).unwrap();
        for number in 0..200 {
            append_at(&mut log, 0, fsync, &body(number));
        }
        let end = log.end();
        assert_eq!(log.sync_all().unwrap(), end);
        // What comes later is not waited for, and not synced with it for good.
        append_at(&mut log, 0, Fsync::Never, b"later");
        flush(&mut log).unwrap();
        assert!(log.durable_as(Fsync::Always) >= end && log.is_idle());
        let synced = log.durable_as(Fsync::Always);
        append_at(&mut log, 0, Fsync::Never, b"more");
        flush(&mut log).unwrap();
        assert_eq!(log.durable_as(Fsync::Always), synced);
        assert_eq!(log.sync_all().unwrap(), log.end());
        flush(&mut log).unwrap();
        drop(log);
        disk.cut_power();
        assert_eq!(disk.open(&small()).unwrap().0.records(), 202);
    }
}

#[test]
fn a_log_that_is_on_the_disk_syncs_nothing_on_demand() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    append_at(&mut log, 0, Fsync::Always, b"x");
    flush(&mut log).unwrap();
    let operations = disk.state().operations;
    assert_eq!(log.sync_all().unwrap(), log.durable_as(Fsync::Always));
    assert!(log.is_idle() && disk.state().operations == operations);
}
