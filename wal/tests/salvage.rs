//! Damage on the disk: verify names exactly it, and a salvage keeps everything
//! else where it was.

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use eagre_sim::Random;
use eagre_wal::{
    Backend, Cursor, DamagedRange, Entry, FRAME_HEADER_BYTES, Fault, Fsync, Kind, Log, Lsn, Options, Pending,
    Place, Progress, Read, SalvageError, Since, Start, Verification, records, salvage, verify,
};
use support::{Consumers as _, EVENT, append, body, flush, read_all, small};
use tempfile::TempDir;

const RECORDS: u64 = 200;
const SEGMENT_BYTES: u64 = 16 * 1024;
const HEADER_BYTES: u64 = 4096;
/// Where the seal lies in a segment.
const SEAL: u64 = SEGMENT_BYTES - FRAME_HEADER_BYTES - 32;
/// A consumer that has had nothing, and one that has had everything.
const SLOW: u64 = 1;
const FAST: u64 = 2;

/// A log with some full segments, a half full one and a prepared one.
struct Sample {
    dir: TempDir,
    entries: Vec<Entry>,
}

impl Sample {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        store_cursor(&mut log, SLOW);
        for number in 0..RECORDS {
            append(&mut log, &body(number));
            if number % 7 == 0 {
                flush(&mut log).unwrap();
            }
        }
        store_cursor(&mut log, FAST);
        flush(&mut log).unwrap();
        append(&mut log, &body(RECORDS));
        flush(&mut log).unwrap();
        // Copies: the entries are views of the files that are damaged next.
        let copy = |entry: Entry| Entry { body: Bytes::copy_from_slice(&entry.body), ..entry };
        let entries = read_all(&log).into_iter().map(copy).collect();
        Self { dir, entries }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, base: u64) -> PathBuf {
        self.path().join(format!("{}.segment", Lsn(base)))
    }

    /// Changes the bytes of a segment.
    fn damage(&self, base: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file(base)).unwrap();
        change(&mut bytes);
        fs::write(self.file(base), bytes).unwrap();
    }

    /// Records in a range of positions.
    fn records_in(&self, from: u64, to: u64) -> u64 {
        self.entries.iter().filter(|entry| (from..to).contains(&entry.lsn.0)).count() as u64
    }

    /// The n-th record of a segment.
    fn nth(&self, base: u64, n: usize) -> &Entry {
        self.entries.iter().filter(|entry| entry.lsn.0 > base).nth(n).unwrap()
    }
}

fn open(dir: &Path) -> Log {
    let options = Options { backend: Backend::Thread, ..small() };
    Log::open(dir, options).unwrap_or_else(|error| panic!("{error}")).0
}

/// Puts a consumer at the end of the log.
fn store_cursor(log: &mut Log, consumer: u64) {
    log.set_cursor(consumer, Cursor { read: log.end(), pending: vec![] });
    log.append_cursors(0, Fsync::Always).unwrap();
}

/// Every file of a directory.
fn image(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    files.map(|f| (f.file_name().into_string().unwrap(), fs::read(f.path()).unwrap())).collect()
}

/// Salvages, and checks that exactly `lost` records are not there any more.
fn check_salvage(sample: &Sample, lost: u64) -> (TempDir, Verification) {
    let target = tempfile::tempdir().unwrap();
    let new = target.path().join("new");
    let before = image(sample.path());
    let salvaged = salvage(sample.path(), &new).unwrap_or_else(|error| panic!("{error}"));
    assert!(image(sample.path()) == before, "the source is only read");

    let verified = verify(&new).unwrap();
    assert!(verified.is_sound(), "{:#?}", verified.damages);
    let known: u64 = verified.gaps.iter().filter_map(|gap| gap.records).sum();
    assert_eq!(known, lost, "{:?} of {:#?}", verified.gaps, salvaged.source.damages);
    let missing = salvaged.source.damages.iter().filter_map(|damage| damage.records);
    assert_eq!(missing.sum::<u64>(), lost, "{:#?}", salvaged.source.damages);
    assert_eq!(salvaged.segments, verified.inspection.segments.len());

    let options = Options { backend: Backend::Thread, ..small() };
    let (mut log, recovery) = Log::open(&new, options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(recovery.missing.iter().map(|missing| missing.records).sum::<u64>(), lost);
    let whole = read_all(&log);
    let gone = |entry: &&Entry| verified.gaps.iter().any(|gap| (gap.from..gap.to).contains(&entry.lsn));
    let expected: Vec<_> = sample.entries.iter().filter(|entry| !gone(entry)).cloned().collect();
    assert!(whole == expected, "{} records, {} expected", whole.len(), expected.len());
    assert_eq!(whole.len() as u64, sample.entries.len() as u64 - lost);
    assert_eq!(log.end(), salvaged.end);
    // Every position can be read from, also in the middle of what is lost.
    for entry in &sample.entries {
        let next = log.read(entry.lsn + 1).unwrap();
        let first_behind = expected.iter().find(|other| other.lsn > entry.lsn);
        assert_eq!(next.as_ref(), first_behind);
    }
    // It goes on behind all that was there.
    let lsn = append(&mut log, b"next");
    assert!(lsn >= salvaged.end && lsn > sample.entries.last().unwrap().lsn);
    flush(&mut log).unwrap();
    drop(log);
    let entry = read_all(&open(&new)).pop().unwrap();
    assert_eq!((&entry.body[..], entry.sequence), (&b"next"[..], RECORDS + 1));
    (target, verified)
}

/// The only damage there is.
fn only_damage(sample: &Sample) -> DamagedRange {
    let verified = verify(sample.path()).unwrap();
    assert!(!verified.is_sound());
    assert_eq!(verified.damages.len(), 1, "{:#?}", verified.damages);
    verified.damages.into_iter().next().unwrap()
}

#[test]
fn a_sound_log_is_sound_and_its_salvage_is_the_same_log() {
    let sample = Sample::new();
    let verified = verify(sample.path()).unwrap();
    assert!(verified.is_sound() && verified.gaps.is_empty() && verified.torn.is_none(), "{verified:#?}");
    assert_eq!(verified.records, RECORDS + 1);
    let (target, _) = check_salvage(&sample, 0);
    let new = image(&target.path().join("new"));
    let first = format!("{}.segment", Lsn(0));
    assert!(new[&first] == image(sample.path())[&first]);
    let log = open(&target.path().join("new"));
    assert_eq!(log.cursors().get(FAST).unwrap().read, verified.cursors.get(FAST).unwrap().read);
    assert!(log.cursors().get(SLOW).is_some());
}

#[test]
fn a_flipped_bit_in_a_record_is_that_record() {
    let sample = Sample::new();
    let entry = sample.nth(SEGMENT_BYTES, 5).clone();
    let offset = entry.lsn.0 - SEGMENT_BYTES;
    sample.damage(SEGMENT_BYTES, |bytes| bytes[offset as usize + 60] ^= 4);
    let damage = only_damage(&sample);
    assert_eq!((damage.from, damage.to), (entry.lsn, entry.next));
    assert_eq!(damage.fault, Fault::Record);
    assert_eq!(damage.file.as_deref(), sample.file(SEGMENT_BYTES).file_name().unwrap().to_str());
    assert_eq!(damage.offsets, Some((offset, entry.next.0 - SEGMENT_BYTES)));
    assert_eq!(damage.records, Some(1));
    assert_eq!(damage.not_passed, [SLOW]);
    check_salvage(&sample, 1);
}

#[test]
fn damage_in_several_places_is_told_at_once() {
    let sample = Sample::new();
    for base in [0, 2 * SEGMENT_BYTES] {
        for n in [3, 4, 20] {
            let offset = (sample.nth(base, n).lsn.0 - base) as usize;
            sample.damage(base, |bytes| bytes[offset + 20] ^= 1);
        }
    }
    let verified = verify(sample.path()).unwrap();
    let records: Vec<_> = verified.damages.iter().map(|damage| damage.records).collect();
    assert_eq!(records, [Some(2), Some(1), Some(2), Some(1)]);
    // A start only reads the end of the log, and meets these when it reads on.
    assert!(matches!(verified.inspection.start, Start::Opens { .. }));
    check_salvage(&sample, 6);
}

#[test]
fn a_flipped_bit_in_a_header_costs_no_record() {
    for base in [0, SEGMENT_BYTES] {
        for bit_at in [0, 9, 26, 34, 41, 2000] {
            let sample = Sample::new();
            sample.damage(base, |bytes| bytes[bit_at] ^= 2);
            let damage = only_damage(&sample);
            assert_eq!((damage.from, damage.to), (Lsn(base), Lsn(base + HEADER_BYTES)));
            assert_eq!((damage.fault, damage.records), (Fault::Header, Some(0)));
            check_salvage(&sample, 0);
        }
    }
}

#[test]
fn a_flipped_bit_in_a_seal_costs_no_record() {
    for base in [0, SEGMENT_BYTES, 2 * SEGMENT_BYTES] {
        let sample = Sample::new();
        sample.damage(base, |bytes| bytes[SEAL as usize + 70] ^= 2);
        let damage = only_damage(&sample);
        assert_eq!((damage.from, damage.to), (Lsn(base + SEAL), Lsn(base + SEGMENT_BYTES)));
        assert_eq!((damage.fault, damage.records), (Fault::Seal, Some(0)));
        check_salvage(&sample, 0);
    }
}

#[test]
fn missing_segments_are_told_with_the_number_of_their_records() {
    for (base, segments) in [(SEGMENT_BYTES, 1), (SEGMENT_BYTES, 2)] {
        let sample = Sample::new();
        let end = base + segments * SEGMENT_BYTES;
        for segment in 0..segments {
            fs::remove_file(sample.file(base + segment * SEGMENT_BYTES)).unwrap();
        }
        let verified = verify(sample.path()).unwrap();
        let lost = sample.records_in(base, end);
        assert_eq!(verified.damages.len() as u64, segments);
        assert!(
            verified.damages.iter().all(|damage| damage.fault == Fault::Missing && damage.file.is_none())
        );
        assert_eq!(verified.damages.first().unwrap().from, Lsn(base));
        let last = verified.damages.last().unwrap();
        assert_eq!((last.to, last.records), (Lsn(end), Some(lost)));
        assert!(matches!(&verified.inspection.start, Start::Refuses(damage) if damage.from == Lsn(base)));
        check_salvage(&sample, lost);
    }
}

#[test]
fn a_missing_end_is_told_and_the_rest_is_kept() {
    let mut sample = Sample::new();
    for base in [3, 4, 5, 6, 7, 8] {
        let _ = fs::remove_file(sample.file(base * SEGMENT_BYTES));
    }
    let damage = only_damage(&sample);
    assert_eq!((damage.from, damage.to, damage.fault), (Lsn(3 * SEGMENT_BYTES), Lsn::MAX, Fault::End));
    assert_eq!(damage.records, None);
    sample.entries.retain(|entry| entry.lsn < Lsn(3 * SEGMENT_BYTES));
    let target = tempfile::tempdir().unwrap();
    let new = target.path().join("new");
    salvage(sample.path(), &new).unwrap();
    assert!(verify(&new).unwrap().is_sound());
    assert!(read_all(&open(&new)) == sample.entries);
}

#[test]
fn a_missing_beginning_shows_by_the_cursors_that_need_it() {
    let sample = Sample::new();
    fs::remove_file(sample.file(0)).unwrap();
    let verified = verify(sample.path()).unwrap();
    assert!(!verified.is_sound() && verified.damages.is_empty());
    let consumers: Vec<_> = verified.outside.iter().map(|clamped| clamped.consumer).collect();
    assert_eq!(consumers, [SLOW]);
}

#[test]
fn zeroed_sectors_are_told_as_zeros() {
    let sample = Sample::new();
    let first = sample.nth(SEGMENT_BYTES, 0).lsn.0 - SEGMENT_BYTES;
    for (from, bytes) in [(8192, 4096), (first / 512 * 512 + 512, 512)] {
        let sample = Sample::new();
        sample.damage(SEGMENT_BYTES, |content| content[from as usize..][..bytes].fill(0));
        let damage = only_damage(&sample);
        assert!(damage.from.0 <= SEGMENT_BYTES + from && damage.to.0 >= SEGMENT_BYTES + from + bytes as u64);
        assert_eq!(damage.records, Some(sample.records_in(damage.from.0, damage.to.0)));
        check_salvage(&sample, damage.records.unwrap());
    }
    // The whole content of a full segment, with its seal.
    sample.damage(SEGMENT_BYTES, |bytes| bytes[HEADER_BYTES as usize..].fill(0));
    let verified = verify(sample.path()).unwrap();
    let faults: Vec<_> = verified.damages.iter().map(|damage| damage.fault.clone()).collect();
    assert_eq!(faults, [Fault::Zeros, Fault::Seal]);
    check_salvage(&sample, sample.records_in(SEGMENT_BYTES, 2 * SEGMENT_BYTES));
}

#[test]
fn a_checkpoint_that_is_lost_costs_no_record() {
    let sample = Sample::new();
    sample.damage(SEGMENT_BYTES, |bytes| bytes[HEADER_BYTES as usize + 60] ^= 1);
    let damage = only_damage(&sample);
    assert_eq!((damage.from, damage.records), (Lsn(SEGMENT_BYTES + HEADER_BYTES), Some(0)));
    check_salvage(&sample, 0);
}

#[test]
fn swapped_files_are_told_and_put_right() {
    let sample = Sample::new();
    let (one, other) = (sample.file(SEGMENT_BYTES), sample.file(2 * SEGMENT_BYTES));
    let bytes = fs::read(&one).unwrap();
    fs::copy(&other, &one).unwrap();
    fs::write(&other, bytes).unwrap();
    let verified = verify(sample.path()).unwrap();
    let damages: Vec<_> =
        verified.damages.iter().map(|d| (d.file.clone().unwrap(), d.fault.clone())).collect();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let misnamed = |holds| Fault::Misnamed { holds: Lsn(holds) };
    assert_eq!(damages, [(name(&other), misnamed(SEGMENT_BYTES)), (name(&one), misnamed(2 * SEGMENT_BYTES))]);
    check_salvage(&sample, 0);
}

#[test]
fn a_file_that_was_cut_short_keeps_what_it_has() {
    let sample = Sample::new();
    sample.damage(SEGMENT_BYTES, |bytes| bytes.truncate(9000));
    let verified = verify(sample.path()).unwrap();
    let size = Fault::Size { file_bytes: 9000, segment_bytes: SEGMENT_BYTES };
    assert_eq!(verified.damages[0].fault, size);
    let lost = sample.entries.iter().filter(|entry| {
        (SEGMENT_BYTES..2 * SEGMENT_BYTES).contains(&entry.lsn.0) && entry.next.0 > SEGMENT_BYTES + 9000
    });
    check_salvage(&sample, lost.count() as u64);
}

#[test]
fn a_segment_of_another_log_is_told_and_left_out() {
    let sample = Sample::new();
    let other = Sample::new();
    fs::copy(other.file(SEGMENT_BYTES), sample.file(SEGMENT_BYTES)).unwrap();
    let verified = verify(sample.path()).unwrap();
    let faults: Vec<_> = verified.damages.iter().map(|damage| damage.fault.clone()).collect();
    assert_eq!(faults.len(), 2);
    assert!(faults.contains(&Fault::Foreign) && faults.contains(&Fault::Missing), "{faults:?}");
    check_salvage(&sample, sample.records_in(SEGMENT_BYTES, 2 * SEGMENT_BYTES));
}

#[test]
fn a_torn_tail_is_sound_and_said() {
    let sample = Sample::new();
    let end = sample.entries.last().unwrap().next.0;
    let base = end / SEGMENT_BYTES * SEGMENT_BYTES;
    sample.damage(base, |bytes| bytes[(end - base) as usize..][..100].fill(7));
    let verified = verify(sample.path()).unwrap();
    assert!(verified.is_sound(), "{:#?}", verified.damages);
    assert_eq!(verified.torn, Some((Lsn(end), Lsn(end + 100))));
    assert!(
        matches!(verified.inspection.start, Start::Opens { truncates } if truncates == verified.torn),
        "a start decides the same"
    );
    check_salvage(&sample, 0);
}

#[test]
fn damage_below_the_durable_mark_of_the_last_segment_is_bridged() {
    let sample = Sample::new();
    let base = sample.entries.last().unwrap().lsn.0 / SEGMENT_BYTES * SEGMENT_BYTES;
    let entry = sample.nth(base, 1).clone();
    sample.damage(base, |bytes| bytes[(entry.lsn.0 - base) as usize + 58] ^= 1);
    let damage = only_damage(&sample);
    assert_eq!((damage.from, damage.to, damage.records), (entry.lsn, entry.next, Some(1)));
    let (target, _) = check_salvage(&sample, 1);
    let log = open(&target.path().join("new"));
    assert!(log.cursors().get(FAST).unwrap().read > entry.lsn, "the cursors behind the damage are whole");
}

#[test]
fn a_lost_record_is_not_waited_for_and_a_whole_one_is() {
    let sample = Sample::new();
    let [lost, whole] = [4, 5].map(|n| sample.nth(SEGMENT_BYTES, n).lsn);
    let mut log = open(sample.path());
    let pending = [lost, whole].map(|lsn| Pending { lsn, attempts: 2, due_ms: 3, note: 0 });
    log.set_cursor(FAST, Cursor { read: log.end(), pending: pending.to_vec() });
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    drop(log);
    sample.damage(SEGMENT_BYTES, |bytes| bytes[(lost.0 - SEGMENT_BYTES) as usize + 60] ^= 1);
    assert_eq!(only_damage(&sample).not_passed, [SLOW, FAST]);
    let (target, _) = check_salvage(&sample, 1);
    let log = open(&target.path().join("new"));
    assert_eq!(log.cursors().get(FAST).unwrap().pending, pending[1..]);
}

#[test]
fn cursors_that_are_lost_are_older_and_never_newer() {
    let sample = Sample::new();
    let base = sample.entries.last().unwrap().lsn.0 / SEGMENT_BYTES * SEGMENT_BYTES;
    let newest = verify(sample.path()).unwrap().cursors;
    // All from the last segment: its checkpoint, and the cursors that follow.
    sample.damage(base, |bytes| bytes[HEADER_BYTES as usize..].fill(0));
    let target = tempfile::tempdir().unwrap();
    let new = target.path().join("new");
    // Nothing in the last segment tells that it ever had records: it is not told
    // from one that was prepared.
    let salvaged = salvage(sample.path(), &new).unwrap();
    let log = open(&new);
    assert_eq!(log.cursors().get(SLOW), newest.get(SLOW));
    assert_eq!(log.cursors().get(FAST), None, "it was stored in the last segment");
    assert!(log.cursors().iter().all(|(consumer, cursor)| cursor.read <= newest.get(consumer).unwrap().read));
    assert_eq!(salvaged.end.0, base + HEADER_BYTES + FRAME_HEADER_BYTES + 8 + 24);
}

#[test]
fn a_group_that_a_gap_cuts_leaves_nothing_before_the_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    append(&mut log, b"before");
    let cursor = Cursor { read: log.end(), pending: vec![] };
    log.append_with_cursor(Fsync::Always, 9, cursor, &[1; 100]).unwrap();
    let group: [(Kind, &[&[u8]]); 3] = [(EVENT, &[&[2; 100]]), (EVENT, &[&[3; 100]]), (EVENT, &[&[4; 100]])];
    log.append_group(0, Fsync::Always, &group).unwrap();
    append(&mut log, b"behind");
    flush(&mut log).unwrap();
    append(&mut log, b"last");
    flush(&mut log).unwrap();
    let entries = read_all(&log);
    drop(log);
    let file = dir.path().join(format!("{}.segment", Lsn(0)));
    let original = fs::read(&file).unwrap();
    let left_of = |damaged: usize| {
        let mut bytes = original.clone();
        bytes[entries[damaged].lsn.0 as usize + 60] ^= 1;
        fs::write(&file, bytes).unwrap();
        let target = tempfile::tempdir().unwrap();
        let new = target.path().join("new");
        salvage(dir.path(), &new).unwrap();
        assert!(verify(&new).unwrap().is_sound());
        let log = open(&new);
        let bodies: Vec<u8> = read_all(&log).iter().map(|entry| entry.body[0]).collect();
        (bodies, log.cursors().get(9).is_some())
    };
    assert_eq!(left_of(1), (vec![b'b', 2, 3, 4, b'b', b'l'], false), "no cursor without its record");
    assert_eq!(left_of(2), (vec![b'b', 1, 3, 4, b'b', b'l'], true));
    assert_eq!(left_of(3), (vec![b'b', 1, 4, b'b', b'l'], true));
    assert_eq!(left_of(4), (vec![b'b', 1, b'b', b'l'], true));
}

#[test]
fn a_salvage_can_be_salvaged() {
    let sample = Sample::new();
    sample.damage(SEGMENT_BYTES, |bytes| bytes[6000] ^= 1);
    let (target, first) = check_salvage(&sample, 1);
    let new = target.path().join("new");
    let file = new.join(format!("{}.segment", Lsn(2 * SEGMENT_BYTES)));
    let mut bytes = fs::read(&file).unwrap();
    bytes[6000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let again = target.path().join("again");
    salvage(&new, &again).unwrap();
    let second = verify(&again).unwrap();
    assert!(second.is_sound());
    assert_eq!(second.gaps[0], first.gaps[0]);
    assert_eq!(second.gaps.len(), 2);
    let lost = records(&again, Since::Lsn(Lsn::ZERO)).unwrap();
    let gaps = lost.filter(|read| matches!(read, Ok(Read::Record(record)) if record.kind == Kind::GAP));
    assert_eq!(gaps.count(), 2);
}

#[test]
fn whatever_is_damaged_the_rest_is_kept() {
    let originals = Sample::new();
    let files = image(originals.path());
    let segments: Vec<_> = files.keys().filter(|name| name.ends_with(".segment")).collect();
    for seed in 0..40 {
        let mut random = Random(seed);
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
        for _ in 0..=random.below(6) {
            let name = segments[random.below(segments.len() as u64 - 2) as usize];
            let path = dir.path().join(name);
            let Ok(mut bytes) = fs::read(&path) else { continue };
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(8) {
                0 => bytes.truncate(at),
                1 => {
                    fs::remove_file(&path).unwrap();
                    continue;
                }
                2 => bytes[at / 512 * 512..].iter_mut().take(512).for_each(|byte| *byte = 0),
                3 => bytes[at..].iter_mut().take(64).for_each(|byte| *byte = random.next() as u8),
                _ if bytes.is_empty() => {}
                _ => bytes[at] ^= 1 << random.below(8),
            }
            fs::write(&path, bytes).unwrap();
        }
        let before = image(dir.path());
        let target = tempfile::tempdir().unwrap();
        let new = target.path().join("new");
        let salvaged = match salvage(dir.path(), &new) {
            Ok(salvaged) => salvaged,
            Err(SalvageError::Nothing { .. }) => continue,
            Err(error) => panic!("seed {seed}: {error}"),
        };
        assert!(image(dir.path()) == before, "seed {seed}");
        let verified = verify(&new).unwrap();
        let cut_at_the_front = !salvaged.source.outside.is_empty();
        assert!(verified.is_sound() || cut_at_the_front, "seed {seed}: {:#?}", verified.damages);
        let lost =
            |entry: &Entry| salvaged.source.damages.iter().any(|d| d.from <= entry.lsn && entry.lsn < d.to);
        let first = verified.inspection.first;
        let whole = read_all(&open(&new));
        let mut expected = originals.entries.iter().filter(|entry| entry.lsn >= first && !lost(entry));
        assert!(whole.iter().all(|entry| originals.entries.contains(entry)), "seed {seed}: a wrong record");
        assert!(expected.all(|entry| whole.contains(entry)), "seed {seed}: a whole record is not kept");
    }
}

#[test]
fn what_is_no_place_to_salvage_to_is_refused() {
    let sample = Sample::new();
    let full = tempfile::tempdir().unwrap();
    fs::write(full.path().join("x"), b"x").unwrap();
    assert!(matches!(salvage(sample.path(), full.path()), Err(SalvageError::NotEmpty { .. })));
    let empty = tempfile::tempdir().unwrap();
    let log = open(sample.path());
    let refused = salvage(sample.path(), empty.path());
    assert!(matches!(refused, Err(SalvageError::InUse { holder, .. }) if holder == std::process::id()));
    drop(log);
    salvage(sample.path(), empty.path()).unwrap();
}

#[test]
fn a_salvage_ends_with_a_segment_that_begins_with_all_cursors() {
    let sample = Sample::new();
    fs::remove_file(sample.file(SEGMENT_BYTES)).unwrap();
    let (target, verified) = check_salvage(&sample, sample.records_in(SEGMENT_BYTES, 2 * SEGMENT_BYTES));
    assert_eq!(verified.gaps[0].from, Lsn(SEGMENT_BYTES + HEADER_BYTES));
    let last = verified.inspection.segments.last().unwrap().base;
    let mut all = records(&target.path().join("new"), Since::Lsn(last)).unwrap();
    assert!(matches!(all.next(), Some(Ok(Read::Record(record))) if record.kind == Kind::CHECKPOINT));
    assert_eq!(verified.inspection.segments[1].header.unwrap().segment_bytes, SEGMENT_BYTES);
}

#[test]
fn what_changed_of_a_cursor_behind_a_change_that_is_lost_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let events: Vec<_> = (0..4).map(|_| append(&mut log, b"event")).collect();
    let many = (0..9).map(|n| Pending { lsn: Lsn(1 + n), ..Pending::default() }).collect();
    log.register(1, Place::Here, &Cursor { read: events[0], pending: vec![] }).unwrap();
    log.register(2, Place::Elsewhere, &Cursor { read: Lsn(100), pending: many }).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    flush(&mut log).unwrap();
    // The second event is handed out, and then the third; the first of these is lost.
    let lost = log.end();
    for (read, changed) in [(101, vec![Pending { lsn: Lsn(100), ..Pending::default() }]), (102, vec![])] {
        let progress =
            Progress { place: Place::Elsewhere, read: Lsn(read), changed: &changed, finished: &[] };
        log.progress(2, &progress).unwrap();
        log.append_cursors(0, Fsync::Always).unwrap();
        flush(&mut log).unwrap();
    }
    // Whole cursors behind it are as good as ever.
    log.update_cursor(1, Place::Here, &Cursor { read: events[3], pending: vec![] }).unwrap();
    log.append_cursors(0, Fsync::Always).unwrap();
    append(&mut log, b"behind");
    flush(&mut log).unwrap();
    drop(log);
    let file = dir.path().join(format!("{}.segment", Lsn(0)));
    let mut bytes = fs::read(&file).unwrap();
    bytes[lost.0 as usize + 60] ^= 1;
    fs::write(&file, bytes).unwrap();
    let told = verify(dir.path()).unwrap();
    let new = tempfile::tempdir().unwrap();
    salvage(dir.path(), &new.path().join("new")).unwrap();
    let log = open(&new.path().join("new"));
    for cursors in [&told.cursors, log.cursors()] {
        assert_eq!(cursors.get(1).unwrap().read, events[3]);
        let cursor = cursors.get(2).unwrap();
        assert_eq!((cursor.read, cursor.pending.len()), (Lsn(100), 9), "it is read from there again");
    }
}
