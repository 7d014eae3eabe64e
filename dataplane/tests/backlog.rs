//! A trigger that is far behind holds the disk for nobody else, and loses
//! nothing.

mod support;

use std::collections::HashMap;

use eagre_snapshot::{BrokerSettings, Id, Snapshot};
use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

/// A log of four small segments: much less than what is sent in each test.
const SMALL_LOG: &str = r#"
[wal]
segment_bytes = "1MiB"
max_bytes = "4MiB"
backlog_bytes_max = "64MiB"
backlog_bytes_max_per_broker = "64MiB"
[ingress]
head_bytes_max = "4KiB"
body_bytes_max = "64KiB"
[limits]
queue_per_trigger = 64
[delivery]
response_body_bytes_max = "64KiB"
"#;
const BODY_BYTES: usize = 16 * 1024;
/// 24 MiB, six times the log.
const EVENTS: usize = 1536;

fn start(snapshot: &Snapshot) -> (Plane, tempfile::NamedTempFile) {
    start_with(snapshot, SMALL_LOG)
}

fn start_with(snapshot: &Snapshot, text: &str) -> (Plane, tempfile::NamedTempFile) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), text).unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    (Plane::start(snapshot, &options), config)
}

/// Posts until 202; what is refused while a segment is prepared or freed is
/// posted again, as a producer does.
fn post(client: &mut Client, request: &[u8]) {
    eventually("the log has room", || {
        let response = client.exchange(request);
        match response.status {
            202 => true,
            503 => false,
            status => panic!("{status}: {}", response.text()),
        }
    });
}

fn body(number: usize) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(BODY_BYTES, number as u8);
    body
}

fn counts(subscriber: &Subscriber) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for received in subscriber.received() {
        let number: usize = received.id().parse().unwrap();
        assert!(received.body == body(number), "event {number} is not what was sent");
        *counts.entry(number).or_default() += 1;
    }
    counts
}

fn gauge(plane: &Plane, name: &str) -> u64 {
    let metrics = plane.get("/metrics").text();
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
}

#[test]
fn a_stuck_trigger_does_not_hold_the_log_for_others() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let fast = Subscriber::start(|_| answer(200));
    let (plane, _config) = start(&snapshot(vec![stuck, trigger("fast", fast.address)]));
    let mut client = Client::connect(plane.ingress);
    for number in 0..EVENTS {
        post(&mut client, &event(&number.to_string(), "", &body(number)));
    }
    fast.wait_for(EVENTS);
    eventually("most of it was moved", || {
        gauge(&plane, "eagre_backlog_moved_events_total") > EVENTS as u64 / 2
    });
    assert!(gauge(&plane, "eagre_log_used_bytes") <= 4 << 20);
    eventually("it is seen", || gauge(&plane, "eagre_broker_backlog_used_bytes") > 8 << 20);

    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || counts(&late).len() == EVENTS);
    eventually("the backlog is empty", || gauge(&plane, "eagre_broker_backlog_used_bytes") == 0);
    for (name, subscriber) in [("late", &late), ("fast", &fast)] {
        let counts = counts(subscriber);
        assert!(counts.values().all(|count| *count == 1), "{name} got something twice");
    }
    // The segment it writes, and the one prepared behind it.
    eventually("its disk is given back", || gauge(&plane, "eagre_backlog_used_bytes{") < 3 << 20);
}

#[test]
fn what_was_moved_comes_before_what_was_not_and_in_order() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let text = SMALL_LOG.to_owned() + "parallelism = 1\n";
    let (plane, _config) = start_with(&snapshot(vec![stuck]), &text);
    // While the first one is retried, at most the pending ones overtake it.
    let mut client = Client::connect(plane.ingress);
    for number in 0..EVENTS {
        post(&mut client, &event(&number.to_string(), "", &body(number)));
    }
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || counts(&late).len() == EVENTS);
    let numbers: Vec<usize> = late.received().iter().map(|received| received.id().parse().unwrap()).collect();
    assert_eq!(numbers.len(), EVENTS, "none comes twice");
    // What was tried already comes when its retry is due; the rest in order.
    let mut highest = 0;
    let overtaken = numbers.iter().filter(|number| {
        let late = **number < highest;
        highest = highest.max(**number);
        late
    });
    let tried = gauge(&plane, "eagre_trigger_retries_total").max(1);
    let overtaken = overtaken.count();
    assert!((overtaken as u64) <= tried, "{overtaken} came late, and only {tried} were tried before");
}

#[test]
fn kills_while_events_are_moved_lose_nothing() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let fast = Subscriber::start(|_| answer(200));
    let (mut plane, _config) = start(&snapshot(vec![stuck, trigger("fast", fast.address)]));
    for part in 0..6 {
        let mut client = Client::connect(plane.ingress);
        for number in part * EVENTS / 6..(part + 1) * EVENTS / 6 {
            post(&mut client, &event(&number.to_string(), "", &body(number)));
        }
        drop(client);
        plane.kill();
        plane.restart();
    }
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || counts(&late).len() == EVENTS && counts(&fast).len() == EVENTS);
    assert!(gauge(&plane, "eagre_log_used_bytes") <= 4 << 20);
    plane.kill();
    plane.restart();
    eventually("the backlog stays empty", || gauge(&plane, "eagre_broker_backlog_used_bytes") == 0);
}

#[test]
fn a_reply_from_the_backlog_is_stored_with_the_end_of_its_delivery() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    stuck.filter = eagre_filter::Filter::Exact(vec![("type".into(), "com.example.test".into())]);
    let replies = Subscriber::start(|_| answer(200));
    let mut reader = trigger("reader", replies.address);
    reader.filter = eagre_filter::Filter::Exact(vec![("type".into(), "reply".into())]);
    let (mut plane, _config) = start(&snapshot(vec![stuck, reader]));
    let mut client = Client::connect(plane.ingress);
    for number in 0..EVENTS / 2 {
        post(&mut client, &event(&number.to_string(), "", &body(number)));
    }
    drop(client);
    plane.kill();
    plane.restart();
    let _late = absent.start(|received| {
        format!(
            "HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: {}\r\nce-source: /late\r\nce-type: reply\r\n\
             content-length: 2\r\n\r\nok",
            received.id()
        )
        .into_bytes()
    });
    eventually("every reply arrives", || {
        let received = replies.received();
        let ids: std::collections::HashSet<_> = received.iter().map(|reply| reply.id().to_owned()).collect();
        ids.len() == EVENTS / 2
    });
}

#[test]
fn over_its_quota_a_broker_is_refused_and_others_are_not() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let fast = Subscriber::start(|_| answer(200));
    let mut other = snapshot(vec![trigger("other", fast.address)]);
    other.brokers[0].name = "other".into();
    other.brokers[0].id = Id::of("Broker", "default", "other", None);
    other.triggers[0].broker = other.brokers[0].id;
    let mut both = snapshot(vec![stuck]);
    both.brokers[0].settings =
        BrokerSettings { backlog_bytes_max: Some(8 << 20), ..BrokerSettings::default() };
    both.brokers.append(&mut other.brokers);
    both.triggers.append(&mut other.triggers);
    let (plane, _config) = start(&both);
    let mut client = Client::connect(plane.ingress);
    let mut accepted = 0;
    let refused = loop {
        let response = client.exchange(&event(&accepted.to_string(), "", &body(accepted)));
        match response.status {
            202 => accepted += 1,
            503 => std::thread::sleep(std::time::Duration::from_millis(5)),
            _ => break response,
        }
        assert!(accepted < EVENTS, "the quota does not hold");
    };
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.field("retry-after").is_some());
    assert!(refused.text().contains("backlog.max-bytes"), "{}", refused.text());
    assert!(plane.get("/v1/brokers").text().contains("\"over_quota\":true"));

    // The other broker sends six times what the log holds.
    for number in 0..EVENTS {
        let request = event(&number.to_string(), "", &body(number));
        let request =
            String::from_utf8_lossy(&request[..20]).replace("default/b ", "default/other ").into_bytes();
        let rest = event(&number.to_string(), "", &body(number))[20..].to_vec();
        post(&mut client, &[request, rest].concat());
    }
    fast.wait_for(EVENTS);
    let late = absent.start(|_| answer(200));
    eventually("everything arrives", || counts(&late).len() == accepted);
    eventually("the broker is accepted again", || client.exchange(&event("0", "", &body(0))).status == 202);
}

#[test]
fn a_backlog_that_is_missing_is_not_passed_over() {
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 20);
    let (mut plane, _config) = start(&snapshot(vec![stuck]));
    let mut client = Client::connect(plane.ingress);
    for number in 0..EVENTS / 2 {
        post(&mut client, &event(&number.to_string(), "", &body(number)));
    }
    drop(client);
    eventually("events were moved", || gauge(&plane, "eagre_broker_backlog_used_bytes") > 1 << 20);
    plane.stop();
    std::fs::remove_dir_all(plane.directory.path().join("data/shard-0/backlog")).unwrap();
    let refused = plane.command().output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("backlog"));
}
