//! A quota is a bound for as long as somebody is behind, and nothing afterwards; and
//! a smaller log than before strands nothing.

mod support;

use std::{collections::BTreeMap, path::PathBuf};

use eagre_snapshot::{BrokerSettings, Id, Snapshot};
use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

const QUOTA_BYTES: u64 = 8 << 20;
const BODY_BYTES: usize = 16 * 1024;

const SMALL_LOG: &str = r#"
[wal]
segment_bytes = "1MiB"
max_bytes = "4MiB"
backlog_bytes_max = "256MiB"
[ingress]
head_bytes_max = "4KiB"
body_bytes_max = "64KiB"
[delivery]
response_body_bytes_max = "64KiB"
[limits]
queue_per_trigger = 64
"#;

struct Tuning(tempfile::NamedTempFile);

impl Tuning {
    fn new(text: &str) -> Self {
        let tuning = Self(tempfile::NamedTempFile::new().unwrap());
        tuning.set(text);
        tuning
    }

    fn set(&self, text: &str) {
        std::fs::write(self.0.path(), text).unwrap();
    }

    fn options<'o>(&'o self, more: &[&'o str]) -> Vec<&'o str> {
        [&["--config", self.0.path().to_str().unwrap()], more].concat()
    }
}

/// A broker with a quota, and a trigger whose subscriber is away.
fn with_quota(absent: &Absent) -> Snapshot {
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let mut snapshot = snapshot(vec![stuck]);
    snapshot.brokers[0].settings =
        BrokerSettings { backlog_bytes_max: Some(QUOTA_BYTES), ..BrokerSettings::default() };
    snapshot
}

/// Posts events from `from` on until the broker is over its quota; gives the next
/// number.
fn post_until_refused(plane: &Plane, from: usize) -> usize {
    let mut client = Client::connect(plane.ingress);
    let mut next = from;
    eventually("the quota holds", || {
        let response = client.exchange(&event(&next.to_string(), "", &vec![b'x'; BODY_BYTES]));
        next += usize::from(response.status == 202);
        assert!([202, 429, 503].contains(&response.status), "{}", response.text());
        response.status == 429
    });
    next
}

fn backlogs(plane: &Plane) -> Vec<PathBuf> {
    let shards = std::fs::read_dir(plane.directory.path().join("data")).unwrap();
    let directories =
        shards.filter_map(|shard| std::fs::read_dir(shard.unwrap().path().join("backlog")).ok());
    directories.flatten().map(|backlog| backlog.unwrap().path()).collect()
}

fn arrived(subscriber: &Subscriber) -> BTreeMap<usize, usize> {
    let mut arrived = BTreeMap::new();
    for received in subscriber.received() {
        *arrived.entry(received.id().parse().unwrap()).or_default() += 1;
    }
    arrived
}

#[test]
fn a_quota_ends_with_what_filled_it_in_every_fsync_mode() {
    for fsync in ["always", "5ms", "never"] {
        let tuning = Tuning::new(SMALL_LOG);
        let absent = Absent::reserve();
        let options = tuning.options(&["--shards", "1", "--fsync", fsync]);
        let plane = Plane::start(&with_quota(&absent), &options);
        let accepted = post_until_refused(&plane, 0);
        assert_eq!(backlogs(&plane).len(), 1, "{fsync}");
        let late = absent.start(|_| answer(200));
        eventually("everything arrives", || arrived(&late).len() == accepted);
        let mut client = Client::connect(plane.ingress);
        let mut next = accepted;
        eventually("the broker is accepted again", || {
            let status = client.exchange(&event(&next.to_string(), "", b"x")).status;
            next += usize::from(status == 202);
            status == 202
        });
        eventually("nothing is left of its backlog", || backlogs(&plane).is_empty());
        eventually("and it is told so", || plane.metric("eagre_backlog_used_bytes") == 0);
        eventually("the last arrives", || arrived(&late).len() == next);
        assert!(arrived(&late).values().all(|times| *times == 1), "{fsync}");
    }
}

#[test]
fn a_backlog_is_made_again_after_it_was_removed() {
    let tuning = Tuning::new(SMALL_LOG);
    let absent = Absent::reserve();
    let mut configuration = with_quota(&absent);
    let mut plane = Plane::start(&configuration, &tuning.options(&["--shards", "1", "--fsync", "never"]));
    let mut accepted = post_until_refused(&plane, 0);
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || arrived(&late).len() == accepted);
    eventually("the backlog is removed", || backlogs(&plane).is_empty());
    // Its subscriber goes away, and comes back.
    let away = Absent::reserve();
    configuration.triggers[0].subscriber = support::endpoint(&format!("http://{}", away.address));
    plane.publish(&configuration);
    accepted = post_until_refused(&plane, accepted);
    plane.kill();
    plane.restart();
    let back = away.start(|_| answer(200));
    eventually("the others arrive", || {
        let mut both = arrived(&late);
        both.append(&mut arrived(&back));
        both.len() == accepted
    });
    eventually("the backlog is removed again", || backlogs(&plane).is_empty());
    plane.kill();
    plane.restart();
    assert_eq!(plane.send(&event("0", "", b"x")).status, 202);
}

#[test]
fn a_quota_is_divided_among_the_shards_that_run() {
    let tuning = Tuning::new(&SMALL_LOG.replace("\"4MiB\"", "\"12MiB\""));
    let absent = Absent::reserve();
    let configuration = with_quota(&absent);
    let mut plane = Plane::start(&configuration, &tuning.options(&["--shards", "3"]));
    let accepted = post_until_refused(&plane, 0);
    assert_eq!(plane.stop(), Some(0));
    // Three logs are there, so three shards run, each with its third.
    plane.set_options(&tuning.options(&["--shards", "1"]));
    plane.restart();
    let quotas = || -> Vec<u64> {
        let metrics = plane.get("/metrics").text();
        let lines = metrics.lines().filter(|line| line.starts_with("eagre_broker_backlog_max_bytes{"));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect()
    };
    eventually("quotas are told", || !quotas().is_empty());
    assert!(quotas().iter().all(|quota| *quota == QUOTA_BYTES / 3), "{:?}", quotas());
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || arrived(&late).len() == accepted);
}

#[test]
fn many_brokers_that_were_behind_leave_no_trace() {
    const BROKERS: usize = 8;
    let tuning = Tuning::new(SMALL_LOG);
    let absent = Absent::reserve();
    let mut all = Snapshot { brokers: Vec::new(), triggers: Vec::new(), ..snapshot(Vec::new()) };
    for n in 0..BROKERS {
        let mut one = with_quota(&absent);
        let name = format!("b{n}");
        one.brokers[0].id = Id::of("Broker", "default", &name, None);
        one.brokers[0].name = name.clone();
        one.triggers[0].broker = one.brokers[0].id;
        one.triggers[0].id = Id::of("Trigger", "default", &name, None);
        one.triggers[0].name = name;
        all.brokers.append(&mut one.brokers);
        all.triggers.append(&mut one.triggers);
    }
    let plane = Plane::start(&all, &tuning.options(&["--shards", "1"]));
    let mut client = Client::connect(plane.ingress);
    let mut accepted = 0;
    eventually("each is behind", || {
        for n in 0..BROKERS {
            let request = event(&accepted.to_string(), "", &vec![b'x'; BODY_BYTES]);
            let path = format!("POST /default/b{n} ").into_bytes();
            let request = [path.as_slice(), &request["POST /default/b ".len()..]].concat();
            accepted += usize::from(client.exchange(&request).status == 202);
        }
        backlogs(&plane).len() == BROKERS
    });
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || arrived(&late).len() == accepted);
    eventually("nothing is left of their backlogs", || backlogs(&plane).is_empty());
}

/// Events of nearly a megabyte, then a log that would not take one.
#[test]
fn smaller_limits_strand_nothing_that_was_accepted_before() {
    let tuning = Tuning::new("[wal]\nsegment_bytes = \"8MiB\"\nmax_bytes = \"24MiB\"\n");
    let (absent, refusing) = (Absent::reserve(), Absent::reserve());
    let (mut late, mut kept) = (trigger("late", absent.address), trigger("kept", refusing.address));
    late.delivery = delivery(60_000, 20);
    kept.delivery = delivery(60_000, 20);
    let mut plane = Plane::start(&snapshot(vec![late, kept]), &tuning.options(&["--shards", "1"]));
    let mut client = Client::connect(plane.ingress);
    const LARGE: usize = 8;
    let large = vec![b'l'; 1_000_000];
    for n in 0..LARGE {
        assert_eq!(client.exchange(&event(&n.to_string(), "", &large)).status, 202);
    }
    drop(client);
    assert_eq!(plane.stop(), Some(0));
    tuning.set(&SMALL_LOG.replace("\"4MiB\"", "\"12MiB\""));
    plane.restart();
    let mut client = Client::connect(plane.ingress);
    assert_eq!(client.exchange(&event("no", "", &large)).status, 413);
    drop(client);
    let mut client = Client::connect(plane.ingress);
    let mut next = LARGE;
    eventually("the oldest are moved", || {
        let response = client.exchange(&event(&next.to_string(), "", &vec![b'x'; BODY_BYTES]));
        next += usize::from(response.status == 202);
        assert!([202, 503].contains(&response.status), "{}", response.text());
        plane.metric("eagre_backlog_moved_events_total") > LARGE as u64
    });
    let (subscriber, _refusing) = (absent.start(|_| answer(200)), refusing.start(|_| answer(422)));
    eventually("everything arrives", || arrived(&subscriber).len() == next);
    let received = subscriber.received();
    let of = |n: usize| received.iter().find(|event| event.id() == n.to_string()).unwrap();
    assert!((0..LARGE).all(|n| of(n).body == large));
    eventually("everything is kept", || {
        plane.count("kept", "kept") + plane.count("kept", "dropped") >= next as u64
    });
    assert_eq!(plane.count("kept", "dropped"), 0);
}
