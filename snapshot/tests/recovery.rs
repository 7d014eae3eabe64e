//! Either process killed, restarted or late, at each step.

#![allow(clippy::disallowed_methods, reason = "tests move files as an editor or an intruder does")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eagre_snapshot::{Generation, LoadProblem, Publisher, Snapshot, Subscriber, encode};
use support::{mark_of, marked, small};

/// Far more than any step takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(180);

/// Publishes that often; the last number.
fn publish(dir: &Path, count: u64) -> u64 {
    let mut publisher = Publisher::open(dir).unwrap();
    (0..count).map(|_| publisher.publish(&small()).unwrap().number).last().unwrap()
}

/// The number that is loaded now.
fn load(subscriber: &mut Subscriber) -> Option<u64> {
    let (generation, snapshot) = subscriber.load().unwrap()?;
    assert_eq!(snapshot, small());
    Some(generation.number)
}

#[test]
fn a_restarted_publisher_goes_on_numbering() {
    let dir = tempfile::tempdir().unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    assert_eq!(publish(dir.path(), 2), 2);
    assert_eq!(load(&mut subscriber), Some(2));
    assert_eq!(publish(dir.path(), 1), 3);
    assert_eq!(load(&mut subscriber), Some(3), "the page mapped before must still be the page");
}

#[test]
fn a_restarted_subscriber_loads_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 3);
    for _ in 0..2 {
        let mut subscriber = Subscriber::open(dir.path()).unwrap();
        assert_eq!(load(&mut subscriber), Some(3));
        assert!(subscriber.load().unwrap().is_none());
    }
}

#[test]
fn a_subscriber_may_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("not/there/yet");
    let mut subscriber = Subscriber::open(&dir).unwrap();
    assert_eq!(subscriber.generation(), Generation::NONE);
    assert!(subscriber.load().unwrap().is_none());
    assert!(!subscriber.wait(Duration::from_millis(1)));
    std::thread::scope(|scope| {
        scope.spawn(|| publish(&dir, 1));
        assert!(subscriber.wait(PATIENCE));
    });
    assert_eq!(load(&mut subscriber), Some(1));
}

#[test]
fn a_waiting_subscriber_is_woken() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while load(&mut subscriber) != Some(100) {
                assert!(subscriber.wait(PATIENCE));
            }
        });
        for _ in 0..100 {
            publisher.publish(&small()).unwrap();
        }
    });
    assert!(started.elapsed() < PATIENCE, "a wake-up was lost");
}

#[test]
fn killed_while_writing_the_file() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 1);
    fs::write(dir.path().join(".new-snapshot-2"), b"EAGRSN").unwrap();
    assert_eq!(load(&mut Subscriber::open(dir.path()).unwrap()), Some(1));
    assert_eq!(publish(dir.path(), 1), 2);
    assert!(!dir.path().join(".new-snapshot-2").exists());
    assert_eq!(load(&mut Subscriber::open(dir.path()).unwrap()), Some(2));
}

#[test]
fn killed_between_writing_the_file_and_announcing_it() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 1);
    fs::write(dir.path().join("snapshot-2"), encode(2, &Snapshot::default()).unwrap()).unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    assert_eq!(load(&mut subscriber), Some(1), "what is not announced is not in force");
    assert_eq!(publish(dir.path(), 1), 3, "a number is never used twice");
    assert_eq!(load(&mut subscriber), Some(3));
    assert!(!dir.path().join("snapshot-1").exists());
}

#[test]
fn killed_before_old_files_were_removed() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 5);
    for old in 1..4 {
        fs::write(dir.path().join(format!("snapshot-{old}")), b"old").unwrap();
    }
    publish(dir.path(), 1);
    for old in 1..5 {
        assert!(!dir.path().join(format!("snapshot-{old}")).exists(), "snapshot-{old}");
    }
}

#[test]
fn killed_while_making_the_control_page() {
    for half_made in [0, 100, 4096] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("control"), vec![0; half_made]).unwrap();
        let mut subscriber = Subscriber::open(dir.path()).unwrap();
        assert!(subscriber.load().unwrap().is_none(), "{half_made}");
        publish(dir.path(), 1);
        assert_eq!(load(&mut subscriber), Some(1), "{half_made}");
    }
}

#[test]
fn a_lost_control_page_does_not_reset_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 4);
    fs::remove_file(dir.path().join("control")).unwrap();
    assert_eq!(publish(dir.path(), 1), 5);
}

#[test]
fn a_missing_file_is_refused_for_now_and_loaded_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 1);
    let (path, aside) = (dir.path().join("snapshot-1"), dir.path().join("aside"));
    fs::rename(&path, &aside).unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    assert!(matches!(subscriber.load().unwrap_err().reason, LoadProblem::Io(_)));
    assert!(matches!(subscriber.load().unwrap_err().reason, LoadProblem::Io(_)));
    fs::rename(&aside, &path).unwrap();
    assert!(subscriber.load().unwrap().is_some());
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["snapshot-", "snapshot-01", "snapshot-+1", "snapshot-x", "notes", ".new-notes"];
    for name in names {
        fs::write(dir.path().join(name), b"theirs").unwrap();
    }
    publish(dir.path(), 5);
    for name in names {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"theirs", "{name}");
    }
}

#[test]
fn a_link_in_place_of_a_snapshot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 1);
    let (path, aside) = (dir.path().join("snapshot-1"), dir.path().join("aside"));
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert!(matches!(Subscriber::open(dir.path()).unwrap().load().unwrap_err().reason, LoadProblem::Io(_)));
}

#[test]
fn two_processes_exchange_a_thousand_generations_and_none_is_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    let mut publisher = PublisherProcess::start(dir.path(), 1_000);
    let mut seen = 0;
    let started = Instant::now();
    while seen < 1_000 {
        assert!(started.elapsed() < PATIENCE, "stuck at {seen}");
        subscriber.wait(PATIENCE);
        let Some((generation, snapshot)) = subscriber.load().unwrap() else { continue };
        assert!(generation.number > seen);
        assert_eq!(mark_of(&snapshot), format!("/{generation}"));
        seen = generation.number;
    }
    assert!(publisher.0.wait().unwrap().success());
}

#[test]
fn a_publisher_killed_again_and_again_never_shows_half_a_generation() {
    let dir = tempfile::tempdir().unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    let mut seen = 0;
    let started = Instant::now();
    for _ in 0..20 {
        let _publisher = PublisherProcess::start(dir.path(), u64::MAX);
        let enough = seen + 5;
        while seen < enough {
            assert!(started.elapsed() < PATIENCE, "stuck at {seen}");
            subscriber.wait(PATIENCE);
            let Some((generation, snapshot)) = subscriber.load().unwrap() else { continue };
            assert!(generation.number > seen);
            mark_of(&snapshot);
            seen = generation.number;
        }
    }
}

const DIR: &str = "EAGRE_TEST_PUBLISHER_DIR";
const COUNT: &str = "EAGRE_TEST_PUBLISHER_COUNT";

/// This test binary again, as a publisher; killed when dropped.
struct PublisherProcess(Child);

impl PublisherProcess {
    fn start(dir: &Path, count: u64) -> PublisherProcess {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_publisher_process"]).stdout(Stdio::null());
        command.env(DIR, dir).env(COUNT, count.to_string());
        PublisherProcess(command.spawn().unwrap())
    }
}

impl Drop for PublisherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What [`PublisherProcess`] runs; nothing to do in a run of the tests.
#[test]
fn the_publisher_process() {
    let (Some(dir), Some(count)) = (std::env::var_os(DIR), std::env::var_os(COUNT)) else { return };
    let count = count.to_str().unwrap().parse().unwrap();
    let mut publisher = Publisher::open(Path::new(&dir)).unwrap();
    for number in 1..=count {
        publisher.publish(&marked(20, number)).unwrap();
    }
}
