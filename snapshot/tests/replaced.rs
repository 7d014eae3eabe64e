//! What the planes watch is replaced under them: the directory or files of it
//! are removed and made again, by anybody, in any order.

#![allow(clippy::disallowed_methods, reason = "tests move files as an administrator does")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eagre_snapshot::{
    Counter, DirProblem, Generation, Id, Publisher, Stats, StatsReader, StatsWriter, Subscriber,
};
use support::{mark_of, marked};

/// Far more than any step takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn published(dir: &Path, marks: impl IntoIterator<Item = u64>) -> Publisher {
    let mut publisher = Publisher::open(dir).unwrap();
    marks.into_iter().for_each(|mark| _ = publisher.publish(&marked(1, mark)).unwrap());
    publisher
}

/// Number and mark of what is loaded now.
fn load(subscriber: &mut Subscriber) -> Option<(u64, String)> {
    subscriber.load().unwrap().map(|(generation, snapshot)| (generation.number, mark_of(&snapshot)))
}

fn read(dir: &Path) -> Stats {
    StatsReader::open(dir).unwrap().read().unwrap().unwrap()
}

/// A directory that can be removed with all that is in it.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("run");
    (parent, dir)
}

#[test]
fn a_subscriber_goes_on_from_any_number_of_a_new_publisher() {
    let (_parent, dir) = directory();
    let first = published(&dir, 1..=3);
    let mut subscriber = Subscriber::open(&dir).unwrap();
    assert_eq!(load(&mut subscriber), Some((3, "/3".into())));
    // Fewer generations, as many, and more than the publisher before had.
    let mut publisher = first;
    for (count, mark) in [(1, 11), (1, 22), (5, 33)] {
        fs::remove_dir_all(&dir).unwrap();
        assert!(publisher.is_displaced());
        assert_eq!(load(&mut subscriber), None, "nothing there, nothing new");
        let before = publisher.generation();
        publisher = published(&dir, std::iter::repeat_n(mark, count));
        assert!(!publisher.is_displaced());
        assert!(!before.has_reached(publisher.generation()) && !publisher.generation().has_reached(before));
        assert!(subscriber.wait(PATIENCE));
        assert_eq!(load(&mut subscriber), Some((count as u64, format!("/{mark}"))));
        assert_eq!(load(&mut subscriber), None);
    }
}

#[test]
fn a_waiting_subscriber_notices_a_directory_that_is_made_again() {
    let (_parent, dir) = directory();
    let first = published(&dir, 1..=3);
    let mut subscriber = Subscriber::open(&dir).unwrap();
    load(&mut subscriber);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| subscriber.wait(PATIENCE));
        fs::remove_dir_all(&dir).unwrap();
        drop(first);
        let second = published(&dir, [7]);
        assert!(waiting.join().unwrap());
        drop(second);
    });
    assert_eq!(load(&mut subscriber), Some((1, "/7".into())));
}

#[test]
fn a_new_directory_without_a_publisher_changes_nothing() {
    let (_parent, dir) = directory();
    let _first = published(&dir, [1]);
    let mut subscriber = Subscriber::open(&dir).unwrap();
    load(&mut subscriber);
    fs::remove_dir_all(&dir).unwrap();
    assert!(!subscriber.follow().unwrap());
    fs::create_dir(&dir).unwrap();
    assert!(!subscriber.follow().unwrap());
    // A page without a generation.
    let _second = published(&dir, []);
    assert!(subscriber.follow().unwrap());
    assert!(!subscriber.follow().unwrap(), "told once");
    assert_eq!((load(&mut subscriber), subscriber.wait(Duration::from_millis(1))), (None, false));
}

#[test]
fn a_directory_that_is_moved_away_and_back_is_the_same_publishers() {
    let (parent, dir) = directory();
    let aside = parent.path().join("aside");
    let publisher = published(&dir, 1..=3);
    let mut subscriber = Subscriber::open(&dir).unwrap();
    load(&mut subscriber);
    fs::rename(&dir, &aside).unwrap();
    let other = published(&dir, [9]);
    assert_eq!(load(&mut subscriber), Some((1, "/9".into())));
    drop(other);
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&aside, &dir).unwrap();
    assert!(!publisher.is_displaced());
    assert_eq!(load(&mut subscriber), Some((3, "/3".into())));
}

#[test]
fn a_directory_that_others_can_write_to_is_not_followed() {
    use std::os::unix::fs::PermissionsExt;
    let (_parent, dir) = directory();
    let _first = published(&dir, [1]);
    let mut subscriber = Subscriber::open(&dir).unwrap();
    let mut stats = StatsWriter::create(&dir, 1, 1).unwrap();
    load(&mut subscriber);
    fs::remove_dir_all(&dir).unwrap();
    let _second = published(&dir, [2]);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(subscriber.follow().unwrap_err().problem, DirProblem::Writable(0o777)));
    assert!(matches!(stats.follow().unwrap_err().problem, DirProblem::Writable(0o777)));
    assert_eq!(load(&mut subscriber), None);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(load(&mut subscriber), Some((1, "/2".into())));
    assert!(stats.follow().unwrap());
}

#[test]
fn counts_reach_a_directory_that_is_made_again() {
    let (_parent, dir) = directory();
    let mut writer = StatsWriter::create(&dir, 2, 2).unwrap();
    let (mut one, mut other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    let (a, b) = (one.claim(0, Id(1)).unwrap(), other.claim(3, Id(2)).unwrap());
    let generation = Generation { publisher: 5, number: 8 };
    for shard in [&one, &other] {
        shard.applied(generation);
        shard.beat(1_000);
    }
    a.add(Counter::Matched, 3);
    writer.refuse(generation, "of the publisher before");
    let before = read(&dir);
    for round in 1..=3 {
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(StatsReader::open(&dir).unwrap().read().unwrap(), None);
        assert!(writer.follow().unwrap());
        assert!(!writer.follow().unwrap(), "told once");
        b.add(Counter::Delivered, 1);
        other.beat(1_000 + round);
        assert!(!writer.follow().unwrap());
        let after = read(&dir);
        assert_eq!(after.triggers[&Id(1)], before.triggers[&Id(1)]);
        assert_eq!(after.triggers[&Id(2)][Counter::Delivered], round);
        assert_eq!((after.shards[1].heartbeat_ms, after.applied()), (1_000 + round, generation));
        assert_eq!((after.instance, after.refused.clone()), (before.instance, None));
        let own = writer.own().read();
        assert_eq!((&own.triggers, &own.shards), (&after.triggers, &after.shards));
    }
    // A trigger that goes is gone there, too, and one that takes its slot starts at 0.
    a.release();
    writer.follow().unwrap();
    assert_eq!(read(&dir).triggers.keys().collect::<Vec<_>>(), [&Id(2)]);
    one.claim(0, Id(3)).unwrap().add(Counter::Kept, 1);
    writer.follow().unwrap();
    assert_eq!(read(&dir).triggers[&Id(3)], [(Counter::Kept, 1)].into_iter().collect());
    writer.refuse(generation, "now");
    assert_eq!(read(&dir).refused.unwrap().reason, "now");
}

#[test]
fn a_single_file_that_is_removed_is_made_again() {
    let (_parent, dir) = directory();
    let mut writer = StatsWriter::create(&dir, 1, 1).unwrap();
    writer.shard(0).unwrap().claim(0, Id(1)).unwrap().add(Counter::Matched, 3);
    for name in ["stats", "dataplane.lock", "stats"] {
        fs::remove_file(dir.join(name)).unwrap();
        assert!(writer.follow().unwrap(), "{name}");
        assert_eq!(read(&dir).triggers[&Id(1)][Counter::Matched], 3, "{name}");
        assert!(matches!(StatsWriter::create(&dir, 1, 1).unwrap_err().problem, DirProblem::Held), "{name}");
    }
    for name in ["control", "publisher.lock"] {
        let publisher = published(&dir, [1, 2]);
        fs::remove_file(dir.join(name)).unwrap();
        assert!(publisher.is_displaced(), "{name}");
        drop(publisher);
    }
    assert_eq!(published(&dir, [3]).generation().number, 5, "numbers go on where files are left");
}

#[test]
fn a_data_plane_that_another_one_has_replaced_counts_on_and_comes_back() {
    let (_parent, dir) = directory();
    let mut first = StatsWriter::create(&dir, 1, 1).unwrap();
    let counters = first.shard(0).unwrap().claim(0, Id(1)).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    let second = StatsWriter::create(&dir, 1, 1).unwrap();
    assert!(matches!(first.follow().unwrap_err().problem, DirProblem::Held));
    counters.add(Counter::Matched, 1);
    assert!(read(&dir).triggers.is_empty());
    drop(second);
    assert!(first.follow().unwrap());
    assert_eq!(read(&dir).triggers[&Id(1)][Counter::Matched], 1);
}

#[test]
fn generations_of_two_publishers_are_not_taken_for_each_other() {
    let (_parent, dir) = directory();
    let writer = StatsWriter::create(&dir, 2, 1).unwrap();
    let (one, other) = (writer.shard(0).unwrap(), writer.shard(1).unwrap());
    let of = |publisher, number| Generation { publisher, number };
    one.applied(of(1, 7));
    other.applied(of(1, 7));
    assert!(read(&dir).has_applied(of(1, 6)) && !read(&dir).has_applied(of(2, 1)));
    other.applied(of(2, 1));
    assert!(!read(&dir).has_applied(of(2, 1)) && !read(&dir).has_applied(of(1, 7)));
    assert_eq!(read(&dir).applied(), Generation::NONE);
    one.applied(of(2, 1));
    assert!(read(&dir).has_applied(of(2, 1)) && !read(&dir).has_applied(of(1, 1)));
    assert_eq!(read(&dir).applied(), of(2, 1));
}
