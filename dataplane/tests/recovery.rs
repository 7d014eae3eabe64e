//! What was answered with 202 is there after the process died.

mod support;

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

/// Posts events from several connections until `count` are accepted.
fn post(ingress: SocketAddr, prefix: &str, count: usize) -> Vec<String> {
    let producers: Vec<_> = (0..8)
        .map(|producer| {
            let prefix = prefix.to_owned();
            thread::spawn(move || {
                let mut client = Client::connect(ingress);
                let ids = (producer..count).step_by(8).map(|n| format!("{prefix}{n}"));
                ids.inspect(|id| assert_eq!(client.exchange(&event(id, "", b"x")).status, 202))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect()
}

fn ids(subscriber: &Subscriber) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    for received in subscriber.received() {
        *seen.entry(received.id().to_owned()).or_default() += 1;
    }
    seen
}

#[test]
fn a_backlog_survives_sigkill_and_arrives_when_the_subscriber_comes_up() {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 50);
    let mut plane = Plane::start(&snapshot(vec![patient]), &[]);
    let accepted = post(plane.ingress, "e", 10_000);
    plane.kill();
    plane.restart();
    let subscriber = absent.start(|_| answer(200));
    eventually("all accepted events arrive", || ids(&subscriber).len() >= accepted.len());
    let seen = ids(&subscriber);
    assert!(accepted.iter().all(|id| seen.contains_key(id)));
    assert_eq!(seen.len(), 10_000);
}

#[test]
fn repeated_kills_under_load_lose_nothing_that_was_acknowledged() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    let mut acknowledged: HashSet<String> = HashSet::new();
    for round in 0..5 {
        let count = Arc::new(AtomicUsize::new(0));
        let producers: Vec<_> = (0..4)
            .map(|producer| {
                let (count, ingress) = (Arc::clone(&count), plane.ingress);
                thread::spawn(move || produce_until_killed(&count, ingress, &format!("{round}-{producer}")))
            })
            .collect();
        eventually("the load runs", || count.load(SeqCst) >= 60 + 37 * round);
        plane.kill();
        acknowledged.extend(producers.into_iter().flat_map(|producer| producer.join().unwrap()));
        plane.restart();
    }
    assert!(acknowledged.len() >= 200, "only {} events were acknowledged", acknowledged.len());
    eventually("every acknowledged event arrives", || {
        let seen = ids(&subscriber);
        acknowledged.iter().all(|id| seen.contains_key(id))
    });
}

/// Posts until the connection breaks. A reply that was not read is no
/// acknowledgement.
fn produce_until_killed(count: &AtomicUsize, ingress: SocketAddr, prefix: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(mut stream) = TcpStream::connect(ingress) else { return acknowledged };
    for n in 0.. {
        let id = format!("{prefix}-{n}");
        let mut response = [0; 512];
        let answered = stream.write_all(&event(&id, "", b"x")).and_then(|()| stream.read(&mut response));
        match answered {
            Ok(bytes) if response[..bytes].starts_with(b"HTTP/1.1 202") => acknowledged.push(id),
            Ok(_) | Err(_) => break,
        }
        count.fetch_add(1, SeqCst);
    }
    acknowledged
}

#[test]
fn a_delivered_event_is_not_delivered_again_after_a_clean_stop() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    post(plane.ingress, "e", 500);
    subscriber.wait_for(500);
    assert_eq!(plane.stop(), Some(0));
    plane.restart();
    assert_eq!(plane.send(&event("last", "", b"x")).status, 202);
    eventually("the last one arrives", || ids(&subscriber).contains_key("last"));
    assert!(ids(&subscriber).values().all(|times| *times == 1));
}

#[test]
fn retries_go_on_after_a_restart_where_they_were() {
    let subscriber = Subscriber::start(|_| answer(503));
    let sink = Subscriber::start(|_| answer(202));
    let mut failing = trigger("t", subscriber.address);
    failing.delivery = delivery(6, 200);
    failing.dead_letter = Some(support::endpoint(&format!("http://{}", sink.address)));
    let mut plane = Plane::start(&snapshot(vec![failing]), &["--shards", "1"]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    subscriber.wait_for(3);
    assert_eq!(plane.stop(), Some(0));
    plane.restart();
    sink.wait_for(1);
    assert_eq!(subscriber.count(), 7);
}

#[test]
fn fewer_shards_than_logs_still_deliver_every_log() {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 50);
    let mut plane = Plane::start(&snapshot(vec![patient]), &["--shards", "3"]);
    let accepted = post(plane.ingress, "e", 300);
    assert_eq!(plane.stop(), Some(0));
    plane.set_options(&["--shards", "1"]);
    plane.restart();
    let subscriber = absent.start(|_| answer(200));
    eventually("the events of all three logs arrive", || ids(&subscriber).len() >= accepted.len());
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let plane = Plane::start(&snapshot(vec![]), &[]);
    let output = plane
        .command_on(&plane.directory.path().join("data"), &plane.directory.path().join("other"))
        .output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains(&plane.pid().to_string()), "{text}");
}

#[test]
fn a_file_that_is_shortened_under_the_process_ends_it_with_the_reason_and_is_refused_afterwards() {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 20);
    let mut plane = Plane::start(&snapshot(vec![patient]), &["--shards", "1"]);
    post(plane.ingress, "e", 3000);
    let log = plane.directory.path().join("data/shard-0");
    let segment = std::fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .min();
    std::fs::OpenOptions::new().write(true).open(segment.unwrap()).unwrap().set_len(4096).unwrap();
    let _subscriber = absent.start(|_| answer(200));
    eventually("the process ends", || !plane.is_running());
    assert_eq!(plane.ended_with(), Some(74));
    let refused = plane.command().output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("eagre wal verify"));
}
