//! Retries, dead letters, replies, and what a misbehaving subscriber cannot do.

mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use eagre_filter::Filter;
use support::{
    Absent, Plane, Received, Subscriber, answer, decode_base64, delivery, endpoint, event, eventually,
    snapshot, trigger,
};

#[test]
fn a_transient_failure_is_retried_until_it_passes() {
    let failures = AtomicUsize::new(0);
    let subscriber =
        Subscriber::start(move |_| answer(if failures.fetch_add(1, SeqCst) < 3 { 503 } else { 200 }));
    let mut retried = trigger("t", subscriber.address);
    retried.delivery = delivery(5, 20);
    let plane = Plane::start(&snapshot(vec![retried]), &[]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    let attempts = subscriber.wait_for(4);
    let waits: Vec<_> = attempts.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for (wait, least) in waits.iter().zip([20, 40, 60]) {
        assert!(*wait >= Duration::from_millis(least), "{waits:?}");
    }
}

fn dead_letter_of(subscriber_answer: &'static [u8], retry_max: u32) -> (Received, usize, String) {
    let subscriber = Subscriber::start(move |_| subscriber_answer.to_vec());
    let sink = Subscriber::start(|_| answer(202));
    let mut failing = trigger("t", subscriber.address);
    failing.delivery = delivery(retry_max, 5);
    failing.dead_letter = Some(endpoint(&format!("http://{}/dead", sink.address)));
    let uri = failing.subscriber.uri.clone();
    let plane = Plane::start(&snapshot(vec![failing]), &[]);
    assert_eq!(plane.send(&event("1", "ce-knativebrokerttl: 7\r\n", b"x")).status, 202);
    let letter = sink.wait_for(1)[0].clone();
    eventually("the event is finished", || plane.get("/v1/triggers").text().contains("\"lag_events\":0"));
    (letter, subscriber.count(), uri)
}

#[test]
fn exhausted_retries_end_in_the_dead_letter_sink() {
    let (letter, attempts, uri) = dead_letter_of(b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\noops", 2);
    assert_eq!(attempts, 3);
    assert_eq!(letter.target, "/dead");
    assert_eq!(letter.fields["ce-knativeerrordest"], uri);
    assert_eq!(letter.fields["ce-knativeerrorcode"], "500");
    assert_eq!(decode_base64(&letter.fields["ce-knativeerrordata"]), b"oops");
    assert_eq!(letter.fields["ce-knativebrokerttl"], "6");
    assert_eq!(letter.body, b"x");
    assert!(!letter.fields.contains_key("prefer"));
}

#[test]
fn an_event_that_no_sink_takes_is_kept_and_counted() {
    let subscriber = Subscriber::start(|_| answer(422));
    let sink = Subscriber::start(|_| answer(422));
    let without_sink = trigger("without", subscriber.address);
    let mut refused = trigger("refused", subscriber.address);
    refused.dead_letter = Some(endpoint(&format!("http://{}/dead", sink.address)));
    let plane = Plane::start(&snapshot(vec![without_sink, refused]), &["--shards", "1"]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    for state in ["\"kept\":1", "\"lag_events\":0"] {
        eventually("both triggers keep it", || plane.get("/v1/triggers").text().matches(state).count() == 2);
    }
    assert!(plane.directory.path().join("data/shard-0/dead-letters").is_dir());
}

#[test]
fn kept_events_stay_when_their_log_has_many_segments() {
    let subscriber = Subscriber::start(|_| answer(422));
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[wal]\nsegment_bytes = \"4MiB\"\nmax_bytes = \"256MiB\"\n").unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    let plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &options);
    let mut client = support::Client::connect(plane.ingress);
    for n in 0..40 {
        assert_eq!(client.exchange(&event(&n.to_string(), "", &vec![b'x'; 256 * 1024])).status, 202);
    }
    eventually("all are kept", || plane.get("/v1/triggers").text().contains("\"kept\":40"));
    let files = std::fs::read_dir(plane.directory.path().join("data/shard-0/dead-letters")).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes > 40 * 256 * 1024, "only {bytes} bytes are left");
}

#[test]
fn a_permanent_failure_is_not_retried() {
    for response in [
        b"HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n".as_slice(),
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (letter, attempts, _) = dead_letter_of(response, 5);
        assert_eq!(attempts, 1);
        assert!(["422", "302"].contains(&letter.fields["ce-knativeerrorcode"].as_str()));
    }
}

#[test]
fn an_unreachable_subscriber_is_named_exactly() {
    let sink = Subscriber::start(|_| answer(202));
    let absent = Absent::reserve();
    let mut unreachable = trigger("t", absent.address);
    unreachable.subscriber = endpoint(&format!("http://{}", absent.address));
    unreachable.dead_letter = Some(endpoint(&format!("http://{}", sink.address)));
    let uri = unreachable.subscriber.uri.clone();
    let plane = Plane::start(&snapshot(vec![unreachable]), &[]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    let letter = sink.wait_for(1)[0].clone();
    assert_eq!(letter.fields["ce-knativeerrordest"], uri);
    assert_eq!(letter.target, "/");
}

#[test]
fn a_malformed_or_endless_response_fails_the_attempt_and_nothing_else() {
    let huge_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for response in [
        b"garbage\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello".to_vec(),
        huge_head.into_bytes(),
        b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50),
    ] {
        let (letter, _, _) = dead_letter_of(response.leak(), 0);
        assert_eq!(letter.fields["ce-knativeerrorcode"], "500");
    }
}

/// Never answers.
fn hang() -> Vec<u8> {
    loop {
        std::thread::park();
    }
}

#[test]
fn an_attempt_ends_at_its_timeout() {
    let subscriber = Subscriber::start(|_| hang());
    let sink = Subscriber::start(|_| answer(202));
    let mut slow = trigger("t", subscriber.address);
    slow.delivery.timeout_ms = Some(100);
    slow.dead_letter = Some(endpoint(&format!("http://{}", sink.address)));
    let plane = Plane::start(&snapshot(vec![slow]), &[]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    assert_eq!(sink.wait_for(1)[0].id(), "1");
}

#[test]
fn a_reply_reaches_the_triggers_it_matches() {
    let reply = "HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: r1\r\nce-source: /reply\r\n\
                 ce-type: com.example.reply\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nreply";
    let asked = Subscriber::start(move |_| reply.as_bytes().to_vec());
    let told = Subscriber::start(|_| answer(200));
    let mut first = trigger("asked", asked.address);
    first.filter = Filter::Exact(vec![("type".into(), "com.example.test".into())]);
    let mut second = trigger("told", told.address);
    second.filter = Filter::Exact(vec![("type".into(), "com.example.reply".into())]);
    let plane = Plane::start(&snapshot(vec![first, second]), &[]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    let received = &told.wait_for(1)[0];
    assert_eq!((received.id(), received.body.as_slice()), ("r1", b"reply".as_slice()));
    assert_eq!(asked.count(), 1);
}

#[test]
fn a_loop_of_replies_ends_when_its_time_to_live_is_used_up() {
    let echo = "HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: again\r\nce-source: /loop\r\n\
                ce-type: t\r\ncontent-length: 0\r\n\r\n";
    let subscriber = Subscriber::start(move |_| echo.as_bytes().to_vec());
    let sink = Subscriber::start(|_| answer(202));
    let mut looping = trigger("t", subscriber.address);
    looping.dead_letter = Some(endpoint(&format!("http://{}", sink.address)));
    let plane = Plane::start(&snapshot(vec![looping]), &[]);
    assert_eq!(plane.send(&event("1", "ce-knativebrokerttl: 5\r\n", b"")).status, 202);
    let letter = &sink.wait_for(1)[0];
    assert_eq!(letter.fields["ce-knativeerrorcode"], "400");
    assert!(letter.fields["ce-knativeerrordest"].ends_with("/default/b"));
    assert_eq!(subscriber.count(), 4);
}

#[test]
fn a_malformed_reply_fails_the_delivery() {
    let (letter, attempts, _) =
        dead_letter_of(b"HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\ncontent-length: 0\r\n\r\n", 1);
    assert_eq!((letter.fields["ce-knativeerrorcode"].as_str(), attempts), ("502", 2));
}

#[test]
fn a_body_that_is_no_event_and_a_reply_in_202_are_ignored() {
    let subscriber = Subscriber::start(|request| {
        match request.id() {
        "1" => b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}".to_vec(),
        _ => b"HTTP/1.1 202 OK\r\nce-specversion: 1.0\r\nce-id: r\r\nce-source: /r\r\nce-type: t\r\ncontent-length: 0\r\n\r\n".to_vec(),
    }
    });
    let plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    assert_eq!(plane.send(&event("2", "", b"x")).status, 202);
    eventually("both are delivered", || plane.get("/v1/triggers").text().contains("\"delivered\":2"));
    assert_eq!(subscriber.count(), 2);
}

#[test]
fn one_subscriber_that_hangs_does_not_slow_the_other_nine() {
    let healthy = Subscriber::start(|_| answer(200));
    let hanging = Subscriber::start(|_| hang());
    let mut triggers = vec![trigger("hangs", hanging.address)];
    triggers.extend((1..10).map(|n| trigger(&format!("t{n}"), healthy.address)));
    let plane = Plane::start(&snapshot(triggers), &["--shards", "1"]);
    let events = 3_000;
    let mut client = support::Client::connect(plane.ingress);
    for n in 0..events {
        assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
    }
    let received = healthy.wait_for(9 * events);
    assert_eq!(received.len(), 9 * events);
}

#[test]
fn a_filter_change_never_judges_an_accepted_event_again() {
    let failing = Subscriber::start(|_| answer(503));
    let mut first = trigger("t", failing.address);
    first.delivery = delivery(1000, 20);
    let mut plane = Plane::start(&snapshot(vec![first.clone()]), &[]);
    assert_eq!(plane.send(&event("before", "", b"x")).status, 202);
    failing.wait_for(2);
    let healthy = Subscriber::start(|_| answer(200));
    first.filter = Filter::Exact(vec![("type".into(), "com.example.other".into())]);
    first.subscriber = endpoint(&format!("http://{}/t", healthy.address));
    plane.publish(&snapshot(vec![first]));
    assert_eq!(healthy.wait_for(1)[0].id(), "before");
    assert_eq!(plane.send(&event("after", "", b"x")).status, 202);
    eventually("nothing is left", || plane.get("/v1/triggers").text().contains("\"lag_events\":0"));
    assert_eq!(healthy.count(), 1);
}
