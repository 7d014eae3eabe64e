//! What requests may hold is bounded, whatever is sent; who sends little is served
//! meanwhile.

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

const MIB: u64 = 1 << 20;

fn start(snapshot: &eagre_snapshot::Snapshot, tuning: &str) -> (Plane, tempfile::NamedTempFile) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), tuning).unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    (Plane::start(snapshot, &options), config)
}

/// The most memory that the process has had so far, bytes.
fn peak(plane: &Plane) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", plane.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// A batch of `events` small ones with a field of `field_bytes` that passes through.
fn batch(events: usize, field_bytes: usize) -> Vec<u8> {
    let one = |n| format!(r#"{{"specversion":"1.0","id":"{n}","source":"/s","type":"t"}}"#);
    let body = format!("[{}]", (0..events).map(one).collect::<Vec<_>>().join(","));
    let head = format!(
        "POST /default/b HTTP/1.1\r\nhost: b\r\ncontent-type: application/cloudevents-batch+json\r\nbaggage: {}\r\n\
         content-length: {}\r\n\r\n",
        "b".repeat(field_bytes),
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

#[test]
fn a_batch_that_would_be_a_thousand_times_itself_is_refused_before_it_is() {
    let subscriber = Subscriber::start(|_| answer(200));
    let (plane, _config) = start(&snapshot(vec![trigger("t", subscriber.address)]), "");
    let request = batch(4096, 60_000);
    assert!(request.len() < 512 * 1024, "{}", request.len());
    let before = peak(&plane);
    let mut producers: Vec<_> = (0..8).map(|_| Client::connect(plane.ingress)).collect();
    producers.iter_mut().for_each(|producer| producer.write(&request));
    // Who sends little is not kept waiting by any of them.
    let mut small = Client::connect(plane.ingress);
    for n in 0..50 {
        assert_eq!(small.exchange(&event(&n.to_string(), "", b"x")).status, 202);
    }
    for producer in &mut producers {
        let refused = producer.response();
        assert_eq!(refused.status, 413);
        assert!(refused.text().contains("fields that pass through"), "{}", refused.text());
        // It read the request, and the connection goes on.
        assert_eq!(producer.exchange(&event("next", "", b"x")).status, 202);
    }
    let grown = peak(&plane).saturating_sub(before);
    assert!(grown < 48 * MIB, "eight requests of {} bytes took {grown}", request.len());
    // None of their events was stored.
    subscriber.wait_for(58);
    assert_eq!(plane.metric("eagre_ingress_events_total"), 58);
}

#[test]
fn a_large_batch_with_few_fields_is_taken() {
    let subscriber = Subscriber::start(|_| answer(200));
    let (plane, _config) = start(&snapshot(vec![trigger("t", subscriber.address)]), "");
    assert_eq!(plane.send(&batch(4096, 100)).status, 202);
    assert_eq!(plane.send(&batch(32, 60_000)).status, 202);
    subscriber.wait_for(4096 + 32);
}

/// Sends a request that it never finishes; false once it is answered instead.
fn begin(plane: &Plane, request: &[u8]) -> (TcpStream, bool) {
    let mut stream = TcpStream::connect(plane.ingress).unwrap();
    let held = stream.write_all(request).is_ok();
    stream.set_nonblocking(true).unwrap();
    (stream, held)
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let head = "POST /default/b HTTP/1.1\r\nhost: b\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\n\
                ce-type: t\r\ntransfer-encoding: chunked\r\n\r\n";
    let size = format!("{:x}\r\n", body.len());
    [head.as_bytes(), size.as_bytes(), body].concat()
}

#[test]
fn bodies_that_never_end_hold_no_more_than_their_budget() {
    const BUDGET: u64 = 32 * MIB;
    let body = vec![b'x'; 1 << 20];
    let whole = event("never", "", &body);
    for unfinished in [whole[..whole.len() - 1].to_vec(), chunked(&body)] {
        let subscriber = Subscriber::start(|_| answer(200));
        // Long enough that nothing ends by itself.
        let tuning = "[ingress]\nbodies_bytes_max = \"32MiB\"\nbody_deadline = \"1h\"\n";
        let (plane, _config) = start(&snapshot(vec![trigger("t", subscriber.address)]), tuning);
        let before = peak(&plane);
        let mut begun: Vec<_> = (0..200).map(|_| begin(&plane, &unfinished)).collect();
        let mut answers = String::new();
        eventually("some are refused", || {
            for (stream, _) in &mut begun {
                let mut chunk = [0; 1024];
                if let Ok(bytes) = stream.read(&mut chunk) {
                    answers += &String::from_utf8_lossy(&chunk[..bytes]);
                }
            }
            answers.contains("\r\n\r\n")
        });
        assert!(answers.starts_with("HTTP/1.1 503 "), "{answers}");
        assert!(answers.contains("retry-after: 1\r\n"), "{answers}");
        // Who sends little is served.
        let mut small = Client::connect(plane.ingress);
        for n in 0..50 {
            assert_eq!(small.exchange(&event(&n.to_string(), "", &[b'x'; 4096])).status, 202);
        }
        subscriber.wait_for(50);
        let grown = peak(&plane).saturating_sub(before);
        assert!(grown < 2 * BUDGET, "200 MiB of bodies took {grown}");
        drop(begun);
        eventually("what they held is free", || plane.send(&event("large", "", &body)).status == 202);
    }
}

#[test]
fn the_smallest_budget_holds_two_of_the_largest_requests() {
    let body = vec![b'x'; 1 << 20];
    for (whole, end) in [(event("1", "", &body), &b""[..]), (chunked(&body), b"\r\n0\r\n\r\n")] {
        let tuning = "[ingress]\nbodies_bytes_max = \"2MiB\"\nbody_deadline = \"1h\"\n";
        let (plane, _config) = start(&snapshot(vec![]), tuning);
        let whole = [&whole, end].concat();
        let mut clients: Vec<_> = (0..2).map(|_| Client::connect(plane.ingress)).collect();
        clients.iter_mut().for_each(|client| client.write(&whole[..whole.len() - 1]));
        clients.iter_mut().for_each(|client| client.write(&whole[whole.len() - 1..]));
        assert_eq!(clients.iter_mut().map(|client| client.response().status).collect::<Vec<_>>(), [202, 202]);
        // What they held is free again.
        assert_eq!(clients[0].exchange(&whole).status, 202);
    }
}

#[test]
fn a_trigger_that_catches_up_over_large_events_holds_nobody() {
    let absent = Absent::reserve();
    let mut late = trigger("late", absent.address);
    late.delivery = delivery(60_000, 20);
    late.filter = eagre_filter::Filter::Exact(vec![("size".into(), "large".into())]);
    let quick = Subscriber::start(|_| answer(200));
    let mut small = trigger("small", quick.address);
    small.filter = eagre_filter::Filter::Exact(vec![("size".into(), "small".into())]);
    let tuning = "[limits]\nqueue_per_trigger = 16\npending_per_trigger = 16\n[delivery]\nparallelism = 4\n";
    let (mut plane, _config) = start(&snapshot(vec![late, small]), tuning);
    let body = vec![b'x'; 1_000_000];
    let mut client = Client::connect(plane.ingress);
    for n in 0..64 {
        assert_eq!(client.exchange(&event(&n.to_string(), "ce-size: large\r\n", &body)).status, 202);
    }
    drop(client);
    plane.kill();
    plane.restart();
    let subscriber = absent.start(|_| answer(200));
    let before = peak(&plane);
    let mut client = Client::connect(plane.ingress);
    for n in 0..500 {
        assert_eq!(client.exchange(&event(&n.to_string(), "ce-size: small\r\n", b"x")).status, 202);
    }
    quick.wait_for(500);
    subscriber.wait_for(64);
    // Events go out from the log's map, which counts as the process's: so does what
    // is read of it. What is copied is a small part.
    let grown = peak(&plane).saturating_sub(before);
    assert!(grown < 2 * 64 * MIB, "{grown}");
}
