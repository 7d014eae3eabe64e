//! Logs of every released format stay readable.
//!
//! The files hold the bytes of segments without the zeros behind them; they were
//! written once and are never written again.

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use eagre_sim::Disk;
use eagre_wal::{Cursor, Fsync, Lsn, OpenError, Pending, Place, Progress};
use support::{Consumers as _, EVENT, append, body, flush, read_all, small};

const SEGMENT_BYTES: usize = 16 * 1024;

fn golden(name: &str) -> BTreeMap<Lsn, Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut segments = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let base: Lsn = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        segments.insert(base, unpack(&fs::read_to_string(path).unwrap()));
    }
    segments
}

/// `offset: hexadecimal bytes` a line; what is left out is zero.
fn unpack(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; SEGMENT_BYTES];
    for line in text.lines() {
        let (offset, digits) = line.split_once(": ").unwrap();
        let offset = usize::from_str_radix(offset, 16).unwrap();
        for (at, pair) in digits.as_bytes().chunks(2).enumerate() {
            bytes[offset + at] = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
    }
    bytes
}

fn pack(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in bytes.chunks(32).enumerate() {
        if bytes.iter().any(|byte| *byte != 0) {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("{:05x}: {digits}\n", row * 32);
        }
    }
    text
}

/// The log that the files of version 1 hold.
fn version_1() -> Disk {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let lsns: Vec<_> = (0..40).map(|number| append(&mut log, &body(number))).collect();
    log.append_group(8, Fsync::Always, &[(EVENT, &[b"one"]), (EVENT, &[b"two"])]).unwrap();
    let pending = vec![Pending { lsn: lsns[2], attempts: 3, due_ms: 4, note: 0 }];
    log.set_cursor(5, Cursor { read: lsns[6], pending });
    log.append_cursors(9, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    disk
}

/// The log that the files of version 1 with PROGRESS and notes hold.
fn progress() -> Disk {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let lsns: Vec<_> = (0..3).map(|number| append(&mut log, &body(number))).collect();
    let pending = |n: u64| Pending { lsn: Lsn(100 * n), attempts: n as u16, due_ms: n, note: 500 + n as u32 };
    let elsewhere = Cursor { read: Lsn(900), pending: (1..9).map(pending).collect() };
    log.register(5, Place::Here, &Cursor { read: lsns[1], pending: vec![] }).unwrap();
    log.register(6, Place::Elsewhere, &elsewhere).unwrap();
    log.append_cursors(9, Fsync::Always).unwrap();
    let finished = [Lsn(100), Lsn(300)];
    let changed = [Pending { attempts: 7, note: u32::MAX, ..pending(2) }];
    let steps = [
        (5, Progress { place: Place::Here, read: lsns[2], changed: &[], finished: &[] }),
        (6, Progress { place: Place::Elsewhere, read: Lsn(901), changed: &changed, finished: &finished }),
    ];
    log.append_with_progress(10, Fsync::Always, &steps, (EVENT, &[b"reply"])).unwrap();
    log.progress(
        6,
        &Progress { place: Place::Elsewhere, read: Lsn(902), changed: &[], finished: &[Lsn(400)] },
    )
    .unwrap();
    log.append_cursors(11, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    disk
}

#[test]
fn progress_in_version_1_is_read() {
    let (log, recovery) = Disk::with(&golden("v1-progress")).open(&small()).unwrap();
    assert_eq!((read_all(&log).len(), recovery.truncated), (4, None));
    assert_eq!((log.cursors().place(5), log.cursors().place(6)), (Some(Place::Here), Some(Place::Elsewhere)));
    let cursor = log.cursors().get(6).unwrap();
    let left: Vec<_> = cursor.pending.iter().map(|p| (p.lsn.0, p.attempts, p.note)).collect();
    let kept = [(500, 5, 505), (600, 6, 506), (700, 7, 507), (800, 8, 508)];
    assert_eq!((cursor.read, &left[1..], left[0]), (Lsn(902), &kept[..], (200, 7, u32::MAX)));
}

#[test]
fn progress_is_written_as_it_was() {
    assert_written("v1-progress", &progress());
}

#[test]
fn version_1_is_read() {
    let disk = Disk::with(&golden("v1"));
    let (log, recovery) = disk.open(&small()).unwrap();
    let entries = read_all(&log);
    assert_eq!((entries.len(), recovery.truncated), (42, None));
    assert!(entries[..40].iter().zip(0..).all(|(entry, number)| entry.body == body(number)));
    assert_eq!(entries[41].body, b"two"[..]);
    assert_eq!(log.cursors().get(5).unwrap().pending[0].attempts, 3);
}

#[test]
fn version_1_is_written_as_it_was() {
    assert_written("v1", &version_1());
}

fn assert_written(name: &str, disk: &Disk) {
    for (base, bytes) in disk.image() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let path = dir.join(format!("{base}.hex"));
        assert!(fs::read_to_string(&path).unwrap() == pack(&bytes), "{}", path.display());
    }
}

#[test]
fn a_later_version_is_refused_by_name() {
    let mut segments = golden("v1");
    let (base, bytes) = segments.pop_first().unwrap();
    let mut later = bytes;
    later[16] = 2;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &later[16..4096]);
    later[8..16].copy_from_slice(&crc.to_le_bytes());
    segments.insert(base, later);
    let error = Disk::with(&segments).open(&small()).err().unwrap();
    assert!(matches!(error, OpenError::FutureVersion { version: 2, .. }), "{error}");
}
