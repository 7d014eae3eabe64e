//! What a restart makes of a disk in any state: never a wrong record, never
//! silence about what was durable.

mod support;

use std::collections::BTreeMap;

use eagre_sim::{Disk, Random};
use eagre_wal::{
    Backend, Cursor, DamageKind, Entry, FRAME_HEADER_BYTES, Fsync, Kind, Lsn, OpenError, Options, Pending,
    Place, Progress, RemoveError, is_log, remove_log,
};
use support::{Consumers as _, EVENT, append, body, flush, read_all, small};

/// Records that are flushed together.
const FLUSH: usize = 3;

type Image = BTreeMap<Lsn, Vec<u8>>;

/// A log of some segments, flushed after every few records, and its records.
fn log_of(records: u64) -> (Image, Vec<Entry>) {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    for number in 0..records {
        append(&mut log, &body(number));
        if number % FLUSH as u64 == FLUSH as u64 - 1 {
            flush(&mut log).unwrap();
        }
    }
    flush(&mut log).unwrap();
    let entries = read_all(&log);
    assert_eq!(entries.len() as u64, records);
    (disk.image(), entries)
}

/// The bytes of a record.
fn bytes<'a>(image: &'a Image, entry: &Entry) -> Option<&'a [u8]> {
    let (base, segment) = image.range(..entry.lsn).next_back()?;
    segment.get((entry.lsn - *base) as usize..(entry.next - *base) as usize)
}

/// The bytes behind a position where records could lie.
fn behind(image: &Image, end: Lsn) -> impl Iterator<Item = u8> {
    let parts = image
        .iter()
        .filter_map(move |(base, segment)| segment.get((end.max(*base + 4096) - *base) as usize..));
    parts.flatten().copied()
}

/// Opens a damaged image and checks that it gives a prefix of `entries`, or
/// damage, and nothing else. True if something was refused or reported.
fn check(image: &Image, (original, entries): (&Image, &[Entry])) -> bool {
    let disk = Disk::with(image);
    let (log, recovery) = match disk.open(&small()) {
        Ok(opened) => opened,
        Err(OpenError::Damaged { damage, .. }) => {
            assert!(damage.from < damage.to);
            assert!(disk.image() == *image, "a refusal writes nothing");
            return true;
        }
        Err(OpenError::FutureVersion { .. }) => panic!("a checksum guards the version"),
        Err(error) => panic!("{error}"),
    };
    let mut expected = entries.iter();
    let mut at = Lsn::ZERO;
    loop {
        match log.read(at) {
            Ok(Some(entry)) => {
                at = entry.next;
                assert!(expected.next() == Some(&entry), "a wrong record at {}", entry.lsn);
            }
            Ok(None) => break,
            Err(damage) => {
                assert!(damage.from >= at && damage.to > damage.from);
                return true;
            }
        }
    }
    if expected.len() > 0 {
        let trace = behind(image, log.durable()).any(|byte| byte != 0);
        assert_eq!(recovery.truncated.is_some(), trace, "records went in silence");
        // A whole record of a later flush proves that its forerunners were durable.
        let first_lost = entries.len() - expected.len();
        let later = entries.iter().enumerate().filter(|(index, _)| index / FLUSH > first_lost / FLUSH);
        let whole = later.filter(|(_, entry)| bytes(image, entry) == bytes(original, entry)).count();
        assert_eq!(whole, 0, "records that were proven durable were cut off");
    }
    recovery.truncated.is_some()
}

/// The base of the last segment with records, and where they end in it.
fn tail(image: &Image, entries: &[Entry]) -> (Lsn, usize) {
    let end = entries.last().unwrap().next;
    let base = *image.range(..end).next_back().unwrap().0;
    (base, (end - base) as usize)
}

#[test]
fn no_flipped_bit_gives_a_wrong_record_or_silence() {
    let (original, entries) = log_of(60);
    assert!(!check(&original, (&original, &entries)));
    for (base, bytes) in &original {
        for offset in 0..bytes.len() {
            // Every bit of a header and a seal, one of some other bytes.
            let bits = match offset {
                0..48 | 16_296.. => 0..8,
                _ if offset % 11 == 0 => offset % 8..offset % 8 + 1,
                _ => continue,
            };
            for bit in bits {
                let mut image = original.clone();
                image.get_mut(base).unwrap()[offset] ^= 1 << bit;
                check(&image, (&original, &entries));
            }
        }
    }
}

#[test]
fn every_bit_of_a_small_log_counts() {
    let (image, entries) = log_of(3);
    let (base, end) = tail(&image, &entries);
    let mut changed = image.clone();
    for bit in 0..end * 8 {
        changed.get_mut(&base).unwrap()[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&changed, (&image, &entries)), "bit {bit}");
        // A torn tail that was cut off is cut off in the disk's copy only.
        changed.get_mut(&base).unwrap()[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_flipped_bit_in_a_record_is_reported() {
    let (image, entries) = log_of(8);
    let original = image.clone();
    let (base, _) = tail(&image, &entries);
    for entry in entries.iter().filter(|entry| entry.lsn > base) {
        for at in entry.lsn.0..entry.next.0 {
            for bit in 0..8 {
                let mut image = image.clone();
                image.get_mut(&base).unwrap()[(at - base.0) as usize] ^= 1 << bit;
                assert!(check(&image, (&original, &entries)), "bit {bit} of {at}");
            }
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_is_refused_or_read_up_to_there() {
    let (image, entries) = log_of(60);
    let original = image.clone();
    let (base, end) = tail(&image, &entries);
    for cut in 0..end {
        // Zeros behind the cut: those bytes never reached the disk.
        let mut zeroed = image.clone();
        zeroed.get_mut(&base).unwrap()[cut..].fill(0);
        check(&zeroed, (&original, &entries));
        // A shorter file: segments never shrink.
        let mut shorter = image.clone();
        shorter.get_mut(&base).unwrap().truncate(cut);
        assert!(check(&shorter, (&original, &entries)));
    }
}

#[test]
fn zeroed_sectors_are_never_taken_for_the_end() {
    let (image, entries) = log_of(100);
    let original = image.clone();
    for sector_bytes in [512, 4096] {
        for (base, bytes) in &image {
            for start in (0..bytes.len()).step_by(sector_bytes) {
                let mut image = image.clone();
                image.get_mut(base).unwrap()[start..start + sector_bytes].fill(0);
                check(&image, (&original, &entries));
            }
        }
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_the_log_goes_on() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let first = append(&mut log, &body(0));
    flush(&mut log).unwrap();
    let torn = append(&mut log, &[0xaa; 1000]);
    append(&mut log, &body(2));
    log.submit().unwrap();
    drop(log);
    disk.kill();
    let base = *disk.image().keys().next().unwrap();
    for byte in [0, 100, 999] {
        // Everything of the batch arrived but one byte.
        let mut image = Disk::with(&disk.image()).image();
        for (base, file) in &disk.state().files {
            image.insert(*base, file.cache().to_vec());
        }
        image.get_mut(&base).unwrap()[(torn - base + FRAME_HEADER_BYTES) as usize + byte] ^= 1;
        let disk = Disk::with(&image);
        let (mut log, recovery) = disk.open(&small()).unwrap();
        let (from, to) = recovery.truncated.unwrap();
        assert!(from == torn && to > torn + 1000);
        assert_eq!(log.end(), torn);
        let next = append(&mut log, b"next");
        flush(&mut log).unwrap();
        assert_eq!(next, torn, "the position was never anybody's");
        drop(log);
        let (log, recovery) = disk.open(&small()).unwrap();
        assert_eq!(recovery.truncated, None);
        let bodies: Vec<_> = read_all(&log).into_iter().map(|entry| (entry.lsn, entry.body)).collect();
        assert_eq!(bodies, [(first, body(0).into()), (torn, b"next"[..].into())]);
    }
}

#[test]
fn a_group_without_its_end_is_no_record() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    append(&mut log, &body(0));
    flush(&mut log).unwrap();
    let end = log.end();
    log.append_group(
        0,
        Fsync::Always,
        &[(EVENT, &[&[1; 100]]), (EVENT, &[&[2; 100]]), (EVENT, &[&[3; 100]])],
    )
    .unwrap();
    log.register(5, Place::Here, &Cursor { read: end, pending: vec![] }).unwrap();
    log.register(6, Place::Elsewhere, &Cursor::default()).unwrap();
    let progress = |place| Progress { place, read: end, changed: &[], finished: &[] };
    let both = [(5, progress(Place::Here)), (6, progress(Place::Elsewhere))];
    log.append_with_progress(0, Fsync::Always, &both, (EVENT, &[&[4; 100]])).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    let image = disk.image();
    let base = *image.keys().next().unwrap();
    let mut seen = Vec::new();
    for cut in end.0..=end.0 + 900 {
        let mut image = image.clone();
        image.get_mut(&base).unwrap()[(cut - base.0) as usize..].fill(0);
        let (log, _) = Disk::with(&image).open(&small()).unwrap();
        let records = read_all(&log).len();
        for consumer in [5, 6] {
            let known = log.cursors().get(consumer).is_some();
            assert_eq!(known, records == 5, "the cursors come with their record");
        }
        seen.push(records);
    }
    seen.dedup();
    assert_eq!(seen, [1, 4, 5]);
}

#[test]
fn recovery_broken_off_anywhere_ends_as_one_that_was_not() {
    let (mut image, entries) = log_of(20);
    let (base, end) = tail(&image, &entries);
    let mut random = Random(7);
    for byte in &mut image.get_mut(&base).unwrap()[end..end + 700] {
        *byte = random.next() as u8 | 1;
    }
    let clean = Disk::with(&image);
    drop(clean.open(&small()).unwrap());
    for budget in (0..700).step_by(7) {
        let disk = Disk::with(&image);
        disk.state().zero_budget = Some(budget);
        assert!(matches!(disk.open(&small()), Err(OpenError::Io { .. })));
        disk.state().zero_budget = None;
        let (log, _) = disk.open(&small()).unwrap();
        assert!(read_all(&log) == entries);
        drop(log);
        assert!(disk.image() == clean.image());
    }
}

#[test]
fn a_missing_or_strange_segment_is_refused() {
    let (image, entries) = log_of(200);
    let original = image.clone();
    let bases: Vec<_> = image.keys().copied().collect();
    let (tail, _) = tail(&image, &entries);
    let refused = |image: &Image| match Disk::with(image).open(&small()) {
        Err(OpenError::Damaged { damage, .. }) => damage.what,
        other => panic!("{:?}", other.map(|(_, recovery)| recovery)),
    };
    for base in &bases[1..] {
        let mut image = image.clone();
        image.remove(base);
        if *base > tail {
            assert!(!check(&image, (&original, &entries)), "the prepared segment holds nothing");
        } else {
            assert_eq!(refused(&image), DamageKind::Missing);
        }
    }
    for cut in 2..bases.len() - 2 {
        let first: Image = bases[..cut].iter().map(|base| (*base, image[base].clone())).collect();
        assert_eq!(refused(&first), DamageKind::Missing, "a sealed segment has a successor");
    }
    let only_spare: Image = [(bases[bases.len() - 1], image[&bases[bases.len() - 1]].clone())].into();
    assert_eq!(refused(&only_spare), DamageKind::Missing);

    for (one, two) in (0..bases.len()).flat_map(|one| (0..one).map(move |two| (one, two))) {
        let (one, two) = (bases[one], bases[two]);
        let mut swapped = image.clone();
        swapped.insert(one, image[&two].clone());
        assert_eq!(refused(&swapped), DamageKind::Header, "{two} lies twice");
        swapped.insert(two, image[&one].clone());
        assert_eq!(refused(&swapped), DamageKind::Header, "{one} and {two} are swapped");
    }
}

#[test]
fn frames_behind_a_broken_first_record_prove_that_the_segment_before_was_full() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    flush(&mut log).unwrap();
    // All of the second segment in one flush: no mark of it lies in itself.
    for _ in 0..20 {
        log.append(EVENT, 0, Fsync::Always, &[&[7; 1000]]).unwrap();
    }
    flush(&mut log).unwrap();
    let mut image = disk.image();
    let (tail, _) = tail(&image, &read_all(&log));
    let before = *image.range(..tail).next_back().unwrap().0;
    // The end of the full segment is gone, its seal included, and the checkpoint
    // of the one behind it.
    image.get_mut(&before).unwrap()[12 * 1024..].fill(0);
    image.get_mut(&tail).unwrap()[4096..4096 + 8].fill(0);
    let error = Disk::with(&image).open(&small()).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { damage, .. } if damage.what == DamageKind::Seal));
}

#[test]
fn a_log_without_any_record_that_had_some_is_refused_from_end_to_end() {
    let (image, entries) = log_of(60);
    let (tail, _) = tail(&image, &entries);
    let mut rest: Image = image.into_iter().filter(|(base, _)| *base >= tail).collect();
    rest.get_mut(&tail).unwrap()[4096..].fill(0);
    let error = Disk::with(&rest).open(&small()).err().unwrap();
    let OpenError::Damaged { damage, .. } = error else { panic!("{error}") };
    assert_eq!((damage.from, damage.to, damage.what), (Lsn::ZERO, Lsn::MAX, DamageKind::Missing));
}

#[test]
fn records_of_another_log_are_never_read() {
    let (image, entries) = log_of(100);
    let bases: Vec<_> = image.keys().copied().collect();
    let (tail, end) = tail(&image, &entries);
    // Another log has the same positions under another generation.
    let other = Disk::new();
    let header = eagre_wal::Header { base: Lsn::ZERO, segment_bytes: 16 * 1024, generation: 99 };
    let mut bytes = header.encode();
    bytes.resize(16 * 1024, 0);
    let other = {
        let empty = Disk::with(&[(Lsn::ZERO, bytes)].into());
        let (mut log, _) = empty.open(&small()).unwrap();
        for number in 1000..1200 {
            append(&mut log, &body(number));
            flush(&mut log).unwrap();
        }
        drop(other);
        empty.image()
    };
    // Its bytes lie where this log will write.
    let mut stale = image.clone();
    stale.get_mut(&tail).unwrap()[end..16 * 1024].copy_from_slice(&other[&tail][end..]);
    let (log, recovery) = Disk::with(&stale).open(&small()).unwrap();
    assert!(read_all(&log) == entries && recovery.truncated.is_some());
    // One of its files lies among those of this log.
    let mut foreign = image.clone();
    foreign.insert(bases[1], other[&bases[1]].clone());
    let error = Disk::with(&foreign).open(&small()).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { damage, .. } if damage.what == DamageKind::Foreign));
}

#[test]
fn a_cursor_outside_of_the_log_is_moved_to_its_edge_and_reported() {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    for number in 0..200 {
        append(&mut log, &body(number));
    }
    let first = log.usage().first;
    let beyond = log.end() + 100_000;
    log.set_cursor(1, Cursor { read: beyond, pending: vec![] });
    log.set_cursor(2, Cursor { read: log.end(), pending: vec![] });
    let pending = vec![Pending { lsn: first, attempts: 1, due_ms: 1, note: 0 }];
    log.set_cursor(3, Cursor { read: log.end(), pending });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    let mut image = disk.image();
    let oldest = *image.keys().next().unwrap();
    image.remove(&oldest);
    let (log, recovery) = Disk::with(&image).open(&small()).unwrap();
    let moved: Vec<_> = recovery.clamped.iter().map(|c| (c.consumer, c.from)).collect();
    assert_eq!(moved, [(1, beyond), (3, first)]);
    assert_eq!(log.cursors().get(1).unwrap().read, log.durable());
    assert!(log.cursors().get(3).unwrap().pending.is_empty());
}

#[test]
fn options_do_not_change_what_is_read() {
    let (image, entries) = log_of(60);
    let options = Options { segment_bytes: 64 * 1024, ..small() };
    let (log, _) = Disk::with(&image).open(&options).unwrap();
    assert!(read_all(&log) == entries);
}

/// A log whose last frame is a PROGRESS, and where that lies.
fn log_of_progress() -> (BTreeMap<Lsn, Vec<u8>>, Lsn) {
    let disk = Disk::new();
    let (mut log, _) = disk.open(&small()).unwrap();
    let pending = (0..9).map(|n| Pending { lsn: Lsn(4096 + n), ..Pending::default() }).collect();
    log.register(7, Place::Elsewhere, &Cursor { read: Lsn(9000), pending }).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    let at = log.end();
    let progress =
        Progress { place: Place::Elsewhere, read: Lsn(9001), changed: &[], finished: &[Lsn(4097)] };
    log.progress(7, &progress).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    (disk.image(), at)
}

/// Changes the frame at `at` of the first segment, and makes its checksum right.
fn forge(image: &mut BTreeMap<Lsn, Vec<u8>>, at: Lsn, change: impl FnOnce(&mut [u8])) {
    let frame = &mut image.get_mut(&Lsn::ZERO).unwrap()[at.0 as usize..];
    let length = u32::from_le_bytes(frame[8..12].try_into().unwrap()) as usize;
    let frame = &mut frame[..(56 + length).next_multiple_of(8)];
    change(frame);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &frame[8..]);
    frame[..8].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_change_that_does_not_follow_what_was_told_before_is_refused() {
    let (image, at) = log_of_progress();
    let (log, _) = Disk::with(&image).open(&small()).unwrap();
    let cursor = log.cursors().get(7).unwrap();
    assert_eq!((cursor.read, cursor.pending.len()), (Lsn(9001), 8));
    for field in [0, 8] {
        let mut image = image.clone();
        // Of another consumer, or after another record.
        forge(&mut image, at, |frame| frame[56 + 8 + field] ^= 1);
        let Err(OpenError::Damaged { damage, .. }) = Disk::with(&image).open(&small()) else {
            panic!("opened")
        };
        assert_eq!((damage.from, damage.what), (at, DamageKind::Record));
    }
}

#[test]
fn a_record_of_the_logs_own_that_a_later_release_wrote_is_refused_by_name() {
    let (image, at) = log_of_progress();
    for kind in [0, 6, 15] {
        let mut image = image.clone();
        forge(&mut image, at, |frame| frame[48] = kind);
        let Err(OpenError::Damaged { damage, .. }) = Disk::with(&image).open(&small()) else {
            panic!("opened")
        };
        assert_eq!((damage.from, damage.what), (at, DamageKind::UnknownKind(kind)));
    }
    let mut image = image.clone();
    forge(&mut image, at, |frame| frame[48] = Kind::OWNER_MIN.0);
    assert!(Disk::with(&image).open(&small()).is_ok());
}

/// A directory with a log of some segments.
fn directory() -> (tempfile::TempDir, std::path::PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("log");
    let mut log = support::open(&dir, Backend::Thread);
    for number in 0..200 {
        append(&mut log, &body(number));
    }
    flush(&mut log).unwrap();
    drop(log);
    (place, dir)
}

#[test]
fn a_log_that_was_removed_is_gone_and_may_be_made_anew() {
    let (place, dir) = directory();
    remove_log(&dir).unwrap();
    assert!(!dir.exists() && place.path().exists());
    remove_log(&dir).unwrap();
    let log = support::open(&dir, Backend::Thread);
    assert_eq!(log.records(), 0);
}

#[test]
fn a_log_whose_removal_was_broken_off_anywhere_is_none() {
    let (_place, whole) = directory();
    let names: Vec<_> = std::fs::read_dir(&whole).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let segments: Vec<_> = names.iter().filter(|name| *name != "lock").collect();
    assert!((4..12).contains(&segments.len()), "{segments:?}");
    // Whichever of them are still there: their removals may reach the disk in any order.
    for there in 0..1u32 << segments.len() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("log");
        std::fs::create_dir(&dir).unwrap();
        for (index, name) in segments.iter().enumerate().filter(|(index, _)| there & (1 << index) != 0) {
            // That it is whole does not make it a log again.
            let bytes = if index % 2 == 0 { std::fs::read(whole.join(name)).unwrap() } else { Vec::new() };
            std::fs::write(dir.join(name), bytes).unwrap();
        }
        std::fs::write(dir.join("log.removed"), "").unwrap();
        assert!(!is_log(&dir));
        if there % 2 == 0 {
            remove_log(&dir).unwrap();
            assert!(!dir.exists());
        } else {
            let (log, recovery) = eagre_wal::Log::open(&dir, small()).unwrap();
            assert_eq!((recovery.records, recovery.unknown_files), (0, vec![]));
            drop(log);
            assert!(!dir.join("log.removed").exists());
            assert_eq!(support::open(&dir, Backend::Thread).records(), 0);
        }
    }
}

#[test]
fn a_log_in_use_and_a_directory_with_strangers_are_not_removed() {
    let (_place, dir) = directory();
    let files = || {
        let paths = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect::<BTreeMap<_, _>>()
    };
    let log = support::open(&dir, Backend::Thread);
    let before = files();
    assert!(matches!(remove_log(&dir), Err(RemoveError::InUse { .. })));
    assert!(files() == before);
    drop(log);
    std::fs::create_dir(dir.join("backlog")).unwrap();
    std::fs::write(dir.join("notes.txt"), "mine").unwrap();
    let before = files();
    let Err(RemoveError::Strangers { names, .. }) = remove_log(&dir) else { panic!("removed") };
    assert_eq!(names, ["backlog", "notes.txt"]);
    assert!(files() == before);
    // Not even a lock is made where no log is.
    let strangers = tempfile::tempdir().unwrap();
    std::fs::write(strangers.path().join("notes.txt"), "mine").unwrap();
    assert!(remove_log(strangers.path()).is_err());
    assert_eq!(std::fs::read_dir(strangers.path()).unwrap().count(), 1);
}
