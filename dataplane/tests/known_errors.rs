//! What another version or a wrong hand has left in the data directory is told of,
//! and never passed over.

mod support;

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use eagre_wal::{Backend, Fsync, Kind, Log, Options};
use support::{Absent, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

/// The exit code for damage: starting again changes nothing.
const DAMAGE: Option<i32> = Some(65);

const EVENT: Kind = Kind(16);
const MOVED: Kind = Kind(18);

/// Appends a record to a log that no process has open.
fn append(directory: &Path, kind: Kind, body: &[u8]) {
    let options = Options { backend: Backend::Thread, ..Options::default() };
    let (mut log, _) = Log::open(directory, options).unwrap();
    let at = log.append(kind, 0, Fsync::Always, &[body]).unwrap();
    eventually("the record is stored", || {
        log.submit().unwrap();
        log.poll().unwrap();
        log.durable() > at
    });
}

/// Stops the plane, lets `change` the data directory, and starts it again, to its
/// end.
fn start_after(plane: &mut Plane, change: impl FnOnce(&Path)) -> Output {
    assert_eq!(plane.stop(), Some(0));
    change(&plane.directory.path().join("data/shard-0"));
    plane.command().output().unwrap()
}

fn assert_refused(output: &Output, text: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), DAMAGE, "{told}");
    assert!(told.contains(text), "{told}");
}

#[test]
fn a_record_that_this_version_does_not_know_stops_the_process() {
    for (name, kind, body) in [
        ("a version to come", EVENT, [&[2, 0, 0, 0, 0, 0, 0, 0], [0; 8].as_slice(), b"event"].concat()),
        ("a cut head", EVENT, vec![1, 0, 0, 0, 1]),
        ("a cut list of triggers", EVENT, [&[1, 0, 0, 0, 9, 0, 0, 0], [0; 8].as_slice()].concat()),
        ("a kind to come", Kind(99), b"event".to_vec()),
    ] {
        let subscriber = Subscriber::start(|_| answer(200));
        let mut plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &["--shards", "1"]);
        assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
        subscriber.wait_for(1);
        let refused = start_after(&mut plane, |shard| append(shard, kind, &body));
        assert_refused(&refused, "newer Eagre");
        // It stays so: nothing was passed over.
        assert_eq!(plane.command().output().unwrap().status.code(), DAMAGE, "{name}");
    }
}

#[test]
fn so_it_does_where_nobody_has_come_so_far() {
    let absent = Absent::reserve();
    let mut stuck = trigger("t", absent.address);
    stuck.delivery = delivery(60_000, 1);
    let config = tempfile::NamedTempFile::new().unwrap();
    let few = "[limits]\nqueue_per_trigger = 64\npending_per_trigger = 64\n";
    std::fs::write(config.path(), few).unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    let mut plane = Plane::start(&snapshot(vec![stuck]), &options);
    let mut client = support::Client::connect(plane.ingress);
    for n in 0..500 {
        assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
    }
    drop(client);
    let refused = start_after(&mut plane, |shard| append(shard, EVENT, &[2; 16]));
    assert_refused(&refused, "newer Eagre");
}

/// A plane whose only trigger is far behind, so that there is a backlog.
fn with_a_backlog(subscriber: std::net::SocketAddr) -> (Plane, tempfile::NamedTempFile) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[wal]\nsegment_bytes = \"4MiB\"\nmax_bytes = \"16MiB\"\n").unwrap();
    let mut stuck = trigger("t", subscriber);
    stuck.delivery = delivery(60_000, 1);
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    let plane = Plane::start(&snapshot(vec![stuck]), &options);
    let mut client = support::Client::connect(plane.ingress);
    let mut number = 0;
    eventually("events were moved", || {
        number += 1;
        let status = client.exchange(&event(&number.to_string(), "", &vec![b'x'; 256 * 1024])).status;
        assert!([202, 429, 503].contains(&status), "{status}");
        backlog_of(&plane.directory.path().join("data/shard-0")).is_some()
    });
    drop(client);
    (plane, config)
}

/// The directory of the only backlog.
fn backlog_of(shard: &Path) -> Option<PathBuf> {
    let mut backlogs = std::fs::read_dir(shard.join("backlog")).ok()?;
    backlogs.next().map(|backlog| backlog.unwrap().path())
}

#[test]
fn such_a_record_in_a_backlog_stops_the_start() {
    for (kind, body) in [(MOVED, vec![0; 15]), (MOVED, vec![2; 48]), (Kind(99), vec![0; 48])] {
        let absent = Absent::reserve();
        let (mut plane, _config) = with_a_backlog(absent.address);
        let refused = start_after(&mut plane, |shard| append(&backlog_of(shard).unwrap(), kind, &body));
        assert_refused(&refused, "stopping");
    }
}
