//! Every answer of contract 1.2, with the server alive and the connection in the
//! right state afterwards.

mod support;

use support::{Client, Plane, Subscriber, answer, event, snapshot, trigger};

fn plane() -> (Plane, Subscriber) {
    let subscriber = Subscriber::start(|_| answer(200));
    let plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &["--shards", "1"]);
    (plane, subscriber)
}

/// Request, expected status, and whether the connection is kept.
fn cases() -> Vec<(&'static str, Vec<u8>, u16, bool)> {
    let bare = |line: &str| format!("{line} HTTP/1.1\r\nhost: b\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let edit = |from: &str, to: &str| {
        String::from_utf8(event("1", "", b"{}")).unwrap().replace(from, to).into_bytes()
    };
    let with = |field: &str| event("1", &format!("{field}\r\n"), b"{}");
    vec![
        ("a good event", event("1", "", b"{}"), 202, true),
        ("a trailing slash", edit("/default/b ", "/default/b/ "), 202, true),
        ("an unknown broker", edit("/default/b", "/default/none"), 404, true),
        ("a query", edit("/default/b", "/default/b?x=1"), 404, true),
        ("the root", edit("/default/b", "/"), 404, true),
        ("one part", edit("/default/b", "/default"), 400, true),
        ("three parts", edit("/default/b", "/a/b/c"), 400, true),
        ("GET", bare("GET /default/b"), 405, true),
        ("PUT", bare("PUT /default/b"), 405, true),
        ("DELETE", bare("DELETE /default/b"), 405, true),
        ("HEAD", bare("HEAD /default/b"), 405, true),
        ("OPTIONS anywhere", bare("OPTIONS /whatever"), 200, true),
        ("no specversion", edit("ce-specversion: 1.0\r\n", ""), 400, true),
        ("specversion 19.0", edit("specversion: 1.0", "specversion: 19.0"), 400, true),
        ("an empty id", edit("ce-id: 1", "ce-id: "), 400, true),
        ("no source", edit("ce-source: /test\r\n", ""), 400, true),
        ("no type", edit("ce-type: com.example.test\r\n", ""), 400, true),
        ("a bad time", with("ce-time: yesterday"), 400, true),
        ("a bad extension name", with("ce-my_ext: x"), 400, true),
        ("time to live used up", with("ce-knativebrokerttl: 1"), 400, true),
        ("time to live left", with("ce-knativebrokerttl: 2"), 202, true),
        (
            "a bad event to an unknown broker",
            edit("b HTTP/1.1\r\nhost: broker\r\nce-specversion: 1.0", "n HTTP/1.1\r\nhost: broker"),
            400,
            true,
        ),
        (
            "a structured list",
            edit("ce-specversion: 1.0", "content-type: application/cloudevents+json"),
            400,
            true,
        ),
        (
            "a body over the limit",
            b"POST /default/b HTTP/1.1\r\nhost: b\r\ncontent-length: 1048577\r\n\r\n".to_vec(),
            413,
            false,
        ),
        ("two lengths", with("content-length: 2"), 400, false),
        ("length and chunked", with("transfer-encoding: chunked"), 400, false),
        ("no host", edit("host: broker\r\n", ""), 400, false),
        ("not HTTP", b"hello there\r\n\r\n".to_vec(), 400, false),
        ("a kubelet probe", edit("ce-id: 1\r\n", "user-agent: kube-probe/1.31\r\n"), 200, true),
    ]
}

#[test]
fn each_request_gets_the_answer_of_the_contract() {
    let (plane, _subscriber) = plane();
    for (name, request, status, kept) in cases() {
        let mut client = Client::connect(plane.ingress);
        let response = client.exchange(&request);
        assert_eq!(response.status, status, "{name}: {response:?}");
        assert_eq!(response.field("allow"), Some("POST, OPTIONS"), "{name}");
        if kept {
            assert_eq!(client.exchange(&event("next", "", b"")).status, 202, "after {name}");
        } else {
            assert_eq!(response.field("connection"), Some("close"), "{name}");
            assert!(client.is_closed(), "{name}");
        }
    }
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let (plane, _subscriber) = plane();
    let response = plane.send(&event("1", "ce-time: yesterday\r\n", b""));
    assert!(response.text().contains("time"), "{}", response.text());
    let request = String::from_utf8(event("1", "", b"")).unwrap().replace("/default/b", "/default/none");
    assert!(plane.send(request.as_bytes()).text().contains("default/none"));
}

#[test]
fn a_chunked_body_over_the_limit_is_413() {
    let (plane, _subscriber) = plane();
    let mut client = Client::connect(plane.ingress);
    client.write(
        b"POST /default/b HTTP/1.1\r\nhost: b\r\nce-specversion: 1.0\r\nce-id: 4\r\nce-source: /s\r\n\
          ce-type: t\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..17 {
        client.write(&chunk);
    }
    assert_eq!(client.response().status, 413);
    assert!(client.is_closed());
}

#[test]
fn a_request_that_does_not_arrive_in_time_is_408() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[ingress]\nheader_deadline = \"200ms\"\nbody_deadline = \"200ms\"\n")
        .unwrap();
    let plane = Plane::start(&snapshot(vec![]), &["--config", config.path().to_str().unwrap()]);
    let request = event("1", "", b"payload");
    for sent in [10, request.len() - 1] {
        let mut client = Client::connect(plane.ingress);
        client.write(&request[..sent]);
        assert_eq!(client.response().status, 408, "after {sent} bytes");
        assert!(client.is_closed());
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (plane, subscriber) = plane();
    let mut client = Client::connect(plane.ingress);
    let bad = String::from_utf8(event("x", "", b"{}")).unwrap().replace("ce-id: x\r\n", "");
    client.write(&[event("1", "", b"one"), bad.into_bytes(), event("2", "", b"two")].concat());
    assert_eq!([202, 400, 202], [(); 3].map(|()| client.response().status));
    assert_eq!(subscriber.wait_for(2).len(), 2);
}

#[test]
fn a_webhook_handshake_is_granted() {
    let (plane, _subscriber) = plane();
    let request = b"OPTIONS /default/b HTTP/1.1\r\nhost: b\r\nwebhook-request-origin: example.com\r\n\r\n";
    let response = plane.send(request);
    assert_eq!(response.field("webhook-allowed-origin"), Some("*"));
    assert_eq!(response.field("webhook-allowed-rate"), Some("*"));
}

#[test]
fn a_network_probe_gets_its_hash_back() {
    let (plane, _subscriber) = plane();
    let probe = |hash: &str| {
        plane.send(format!("GET / HTTP/1.1\r\nhost: b\r\nk-network-probe: probe\r\n{hash}\r\n").as_bytes())
    };
    assert_eq!(probe("k-network-hash: abc\r\n").field("k-network-hash"), Some("abc"));
    assert_eq!(probe("").status, 400);
}
