//! The way back: counts and reports from the data plane to the control plane.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use eagre_snapshot::{
    Counter, CounterKind, DirProblem, Generation, Id, REASON_BYTES_MAX, Refusal, SlotMap, Stats, StatsReader,
    StatsWriter, TriggerStats,
};

fn generation(number: u64) -> Generation {
    Generation { publisher: 9, number }
}

const A: Id = Id(0xa);
const B: Id = Id(0xb);

fn read(dir: &tempfile::TempDir) -> Stats {
    StatsReader::open(dir.path()).unwrap().read().unwrap().unwrap()
}

#[test]
fn there_is_nothing_to_read_before_the_first_data_plane() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(StatsReader::open(dir.path()).unwrap().read().unwrap(), None);
}

#[test]
fn counts_are_summed_over_shards_and_listed_per_trigger() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 2, 4).unwrap();
    let (mut one, mut other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    let (a0, b0, a1) = (one.claim(0, A).unwrap(), one.claim(1, B).unwrap(), other.claim(0, A).unwrap());
    a0.add(Counter::Matched, 3);
    a1.add(Counter::Matched, 4);
    a1.add(Counter::InFlight, 2);
    a1.sub(Counter::InFlight, 1);
    a0.sub(Counter::LagEvents, 1);
    b0.add(Counter::Dropped, 1);
    a0.set(Counter::LagSinceMs, 500);
    a1.set(Counter::LagSinceMs, 400);
    let stats = read(&dir);
    let counts = [(Counter::Matched, 7), (Counter::InFlight, 1), (Counter::LagSinceMs, 400)];
    let expected_a = TriggerStats::from_iter(counts);
    let expected_b = TriggerStats::from_iter([(Counter::Dropped, 1)]);
    assert_eq!(stats.triggers.into_iter().collect::<Vec<_>>(), [(A, expected_a), (B, expected_b)]);
    assert_eq!(stats.pid, std::process::id());
}

#[test]
fn every_counter_arrives_under_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 1, 1).unwrap();
    let counters = writer.shard(0).unwrap().claim(0, A).unwrap();
    let values = || (1..).zip(Counter::ALL).map(|(value, &counter)| (counter, value));
    for (counter, value) in values() {
        counters.set(counter, value);
        assert_eq!(counters.get(counter), value);
    }
    let stats = read(&dir).triggers[&A];
    assert_eq!(stats, TriggerStats::from_iter(values()));
    assert!(values().all(|(counter, value)| stats[counter] == value));
}

/// What is written down somewhere, in dashboards and scripts.
#[test]
fn words_and_names_of_counters_stay_as_they_are() {
    let names: Vec<_> = Counter::ALL
        .iter()
        .map(|&counter| {
            let shown = counter.shown().map(|shown| (shown.field, shown.metric));
            (counter as usize, counter.kind(), shown)
        })
        .collect();
    let total = |word, field, metric| (word, CounterKind::Total, Some((field, metric)));
    assert_eq!(
        names[..11],
        [
            (1, CounterKind::Total, None),
            total(2, "delivered", "eagre_trigger_delivered_total"),
            total(3, "failed", "eagre_trigger_failed_attempts_total"),
            total(4, "retries", "eagre_trigger_retries_total"),
            total(5, "dead_lettered", "eagre_trigger_dead_lettered_total"),
            total(6, "replies", "eagre_trigger_replies_total"),
            total(7, "dropped", "eagre_trigger_dropped_total"),
            (8, CounterKind::Gauge, Some(("in_flight", "eagre_trigger_in_flight"))),
            (9, CounterKind::Gauge, Some(("lag_events", "eagre_trigger_lag_events"))),
            (10, CounterKind::Since, Some(("lag_seconds", "eagre_trigger_lag_seconds"))),
            total(11, "kept", "eagre_trigger_kept_total"),
        ]
    );
}

/// Two shards with three slots: 7 of trigger A on each shard, 5 of B on the second.
fn counted(dir: &tempfile::TempDir) {
    let mut writer = StatsWriter::create(dir.path(), 2, 3).unwrap();
    let (mut one, mut other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    for counters in [one.claim(0, A), other.claim(0, A)] {
        counters.unwrap().add(Counter::Kept, 7);
    }
    other.claim(2, B).unwrap().add(Counter::Matched, 5);
    one.applied(generation(3));
    other.applied(generation(3));
    writer.refuse(generation(4), "a reason");
}

/// Changes the words of the only page whose name begins with `name`.
fn rewrite(dir: &tempfile::TempDir, name: &str, change: impl FnOnce(&mut Vec<u64>)) {
    let mut entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut words = bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    change(&mut words);
    fs::write(path, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()).unwrap();
}

#[test]
fn pages_of_the_version_before_are_read() {
    let dir = tempfile::tempdir().unwrap();
    counted(&dir);
    let now = read(&dir);
    // It knew no stride.
    for name in ["stats", "counters-"] {
        rewrite(&dir, name, |words| words[8] = 0);
    }
    assert_eq!(read(&dir), now);
}

#[test]
fn of_pages_of_a_later_version_all_that_is_known_is_read() {
    let dir = tempfile::tempdir().unwrap();
    counted(&dir);
    let now = read(&dir);
    // Cells of 24 words, strangers behind the known ones, in the headers and in the shards' lines.
    rewrite(&dir, "stats", |words| {
        words[8] = 24;
        words[9..16].fill(99);
        for shard in 0..2 {
            words[64 + 16 * shard + 3..64 + 16 * (shard + 1)].fill(99);
        }
    });
    rewrite(&dir, "counters-", |words| {
        let mut later = words[..16].to_vec();
        later[8] = 24;
        later[9..].fill(99);
        for cell in words[16..16 + 6 * 16].chunks(16) {
            let known = 1 + Counter::ALL.len();
            later.extend_from_slice(&cell[..known]);
            later.resize(later.len() + 24 - known, 99);
        }
        later.resize(words.len(), 0);
        *words = later;
    });
    assert_eq!(read(&dir), now);
    assert_eq!(now.triggers[&A][Counter::Kept], 14);
}

#[test]
fn sums_do_not_overflow() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 2, 1).unwrap();
    for shard in 0..2 {
        writer.shard(shard).unwrap().claim(0, A).unwrap().set(Counter::Matched, u64::MAX - 1);
    }
    assert_eq!(read(&dir).triggers[&A][Counter::Matched], u64::MAX);
}

#[test]
fn a_shard_reports_generation_and_heartbeat_and_the_slowest_shard_decides() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 2, 1).unwrap();
    let (one, other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    one.applied(generation(5));
    one.beat(1_000);
    assert_eq!(read(&dir).applied(), Generation::NONE);
    other.applied(generation(4));
    let stats = read(&dir);
    assert_eq!(stats.applied(), generation(4));
    assert_eq!((stats.shards[0].heartbeat_ms, stats.shards[1].heartbeat_ms), (1_000, 0));
}

#[test]
fn a_refusal_is_reported_with_as_much_of_its_reason_as_fits() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StatsWriter::create(dir.path(), 1, 1).unwrap();
    assert_eq!(read(&dir).refused, None);
    let long = "ü".repeat(REASON_BYTES_MAX);
    writer.refuse(generation(1), &long);
    let cut = long[..REASON_BYTES_MAX].to_owned();
    assert_eq!(read(&dir).refused, Some(Refusal { generation: generation(1), reason: cut }));
    writer.refuse(generation(2), "short");
    let refusal = Refusal { generation: generation(2), reason: "short".into() };
    assert_eq!(read(&dir).refused, Some(refusal));
}

#[test]
fn a_slots_next_trigger_starts_at_zero_and_a_stale_handle_counts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 1, 1).unwrap();
    let mut shard = writer.shard(0).unwrap();
    let stale = shard.claim(0, A).unwrap();
    stale.add(Counter::Matched, 9);
    shard.claim(0, A).unwrap().add(Counter::Matched, 1);
    assert_eq!(read(&dir).triggers[&A][Counter::Matched], 10, "claiming again goes on counting");
    let next = shard.claim(0, B).unwrap();
    stale.add(Counter::Matched, 1);
    assert_eq!((stale.get(Counter::Matched), next.get(Counter::Matched)), (0, 0));
    assert_eq!(read(&dir).triggers.into_iter().collect::<Vec<_>>(), [(B, TriggerStats::default())]);
    stale.release();
    assert_eq!(read(&dir).triggers.len(), 1, "the slot is another's");
    next.release();
    next.add(Counter::Matched, 1);
    assert!(read(&dir).triggers.is_empty());
}

#[test]
fn a_trigger_that_is_back_in_another_slot_counts_on_and_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 1, 4).unwrap();
    let mut shard = writer.shard(0).unwrap();
    let before = shard.claim(0, A).unwrap();
    before.add(Counter::Matched, 9);
    before.set(Counter::InFlight, 2);
    let now = shard.claim(1, A).unwrap();
    now.continue_from(&before);
    now.add(Counter::Matched, 1);
    before.add(Counter::Matched, 1);
    let counts = [(Counter::Matched, 10), (Counter::InFlight, 2)].into_iter().collect();
    assert_eq!(read(&dir).triggers.into_iter().collect::<Vec<_>>(), [(A, counts)]);
    now.continue_from(&now.clone());
    assert_eq!(read(&dir).triggers[&A], counts, "the same slot");
    let taken = shard.claim(0, B).unwrap();
    taken.add(Counter::Matched, 5);
    shard.claim(2, A).unwrap().continue_from(&before);
    assert_eq!(read(&dir).triggers[&B][Counter::Matched], 5, "the slot is another's");
}

#[test]
fn the_table_grows_without_losing_a_count() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 2, 2).unwrap();
    let (mut one, mut other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    let early = one.claim(0, A).unwrap();
    early.add(Counter::Matched, 1);
    other.claim(7, B).unwrap().add(Counter::Matched, 1);
    one.claim(7, B).unwrap().add(Counter::Matched, 1);
    early.add(Counter::Matched, 1);
    let stats = read(&dir);
    assert_eq!((stats.triggers[&A][Counter::Matched], stats.triggers[&B][Counter::Matched]), (2, 2));
}

#[test]
fn a_shards_handle_is_given_out_once() {
    let dir = tempfile::tempdir().unwrap();
    let writer = StatsWriter::create(dir.path(), 1, 1).unwrap();
    assert!(writer.shard(0).is_some());
    assert!(writer.shard(0).is_none());
    assert!(writer.shard(1).is_none());
}

#[test]
fn a_second_data_plane_is_refused_and_a_restarted_one_starts_at_zero() {
    let dir = tempfile::tempdir().unwrap();
    let reader = StatsReader::open(dir.path()).unwrap();
    let first = StatsWriter::create(dir.path(), 1, 1).unwrap();
    assert!(matches!(StatsWriter::create(dir.path(), 1, 1).unwrap_err().problem, DirProblem::Held));
    first.shard(0).unwrap().claim(3, A).unwrap().add(Counter::Matched, 1);
    let before = reader.read().unwrap().unwrap();
    drop(first);
    let _second = StatsWriter::create(dir.path(), 3, 1).unwrap();
    let after = reader.read().unwrap().unwrap();
    assert_ne!(before.instance, after.instance);
    assert_eq!((after.shards.len(), after.triggers.len()), (3, 0));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "chunks of the first instance are left: {left:?}");
}

#[test]
fn sizes_out_of_bounds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (shards, slots) in [(0, 1), (1, 0), (1025, 1), (1, usize::MAX), (1024, 1025)] {
        let error = StatsWriter::create(dir.path(), shards, slots).unwrap_err();
        assert!(matches!(error.problem, DirProblem::Size { .. }), "{shards} {slots}");
    }
}

#[test]
fn a_reader_survives_any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StatsWriter::create(dir.path(), 2, 2).unwrap();
    writer.refuse(generation(1), "a reason");
    writer.shard(0).unwrap().claim(0, A).unwrap().add(Counter::Matched, 1);
    drop(writer);
    let reader = StatsReader::open(dir.path()).unwrap();
    for name in fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()) {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            let _ = reader.read();
        }
        for word in 0..80.min(whole.len() / 8) {
            for value in [0, 1, u64::MAX, u64::MAX / 2, 1 << 32, 1025] {
                let mut bytes = whole.clone();
                bytes[word * 8..][..8].copy_from_slice(&u64::to_le_bytes(value));
                fs::write(&path, &bytes).unwrap();
                let _ = reader.read();
            }
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(reader.read().unwrap().unwrap().triggers[&A][Counter::Matched], 1);
    }
}

#[test]
fn a_concurrent_reader_never_takes_one_triggers_counts_for_anothers() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StatsWriter::create(dir.path(), 1, 1).unwrap();
    let mut shard = writer.shard(0).unwrap();
    let reader = StatsReader::open(dir.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in 1..=20_000 {
                let counters = shard.claim(0, Id(id)).unwrap();
                counters.set(Counter::Matched, id);
                counters.set(Counter::LagSinceMs, id);
                writer.refuse(generation(id), &id.to_string());
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let stats = reader.read().unwrap().unwrap();
            for (id, counts) in stats.triggers {
                assert!([0, id.0].contains(&counts[Counter::Matched]), "{id}: {counts:?}");
                assert!([0, id.0].contains(&counts[Counter::LagSinceMs]), "{id}: {counts:?}");
            }
            if let Some(refusal) = stats.refused {
                assert_eq!(refusal.reason, refusal.generation.to_string());
            }
        }
    });
    assert_eq!(read(&dir).triggers[&Id(20_000)][Counter::Matched], 20_000);
}

#[test]
fn a_slot_is_stable_while_its_trigger_exists_and_the_lowest_free_one_is_next() {
    let mut slots = SlotMap::new();
    assert_eq!([1, 2, 3].map(|id| slots.insert(Id(id))), [0, 1, 2]);
    assert_eq!(slots.insert(Id(2)), 1);
    slots.retain(|id| id == Id(3));
    assert_eq!((slots.get(Id(1)), slots.get(Id(3)), slots.end()), (None, Some(2), 3));
    assert_eq!([4, 5, 6].map(|id| slots.insert(Id(id))), [0, 1, 3]);
    assert_eq!(slots.remove(Id(3)), Some(2));
    assert_eq!(slots.remove(Id(3)), None);
    assert_eq!(slots.insert(Id(7)), 2);
    assert_eq!(slots.end(), 4);
}
