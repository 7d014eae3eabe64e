//! However an event is posted, the subscriber gets it in binary mode with every
//! attribute and byte.

mod support;

use support::{Client, Plane, Subscriber, answer, event, snapshot, trigger};

fn plane_and_subscriber() -> (Plane, Subscriber) {
    let subscriber = Subscriber::start(|_| answer(200));
    let plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    (plane, subscriber)
}

#[test]
fn a_binary_event_arrives_with_the_same_bytes() {
    let (plane, subscriber) = plane_and_subscriber();
    let payload: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let fields = "CE-Subject: a%20b\r\nce-time: 2026-01-01T00:00:00.10+02:00\r\nce-myext: \"q\"\r\n\
                  content-type: application/octet-stream\r\nx-request-id: r-1\r\nknative-hello: world\r\n\
                  authorization: secret\r\n";
    assert_eq!(plane.send(&event("1", fields, &payload)).status, 202);

    let received = &subscriber.wait_for(1)[0];
    assert_eq!(received.body, payload);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/test"),
        ("ce-type", "com.example.test"),
        ("ce-subject", "a%20b"),
        ("ce-time", "2026-01-01T00:00:00.10+02:00"),
        ("ce-myext", "\"q\""),
        ("content-type", "application/octet-stream"),
        ("x-request-id", "r-1"),
        ("knative-hello", "world"),
        ("prefer", "reply"),
        ("kn-namespace", "default"),
    ] {
        assert_eq!(received.fields.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(received.fields["ce-knativearrivaltime"].ends_with('Z'));
    assert!(!received.fields.contains_key("authorization"));
    assert!(!received.fields.contains_key("ce-knativebrokerttl"));
}

#[test]
fn a_structured_event_arrives_in_binary_mode() {
    let (plane, subscriber) = plane_and_subscriber();
    let body = r#"{"specversion":"1.0","id":"2","source":"/s","type":"t","qty":5,"active":true,
                   "datacontenttype":"application/json","data":{"a": [1, 2.50, "x"]}}"#;
    let request = format!(
        "POST /default/b HTTP/1.1\r\nhost: b\r\ncontent-type: application/cloudevents+json; charset=UTF-8\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(plane.send(request.as_bytes()).status, 202);

    let received = &subscriber.wait_for(1)[0];
    assert_eq!(String::from_utf8_lossy(&received.body).trim(), r#"{"a": [1, 2.50, "x"]}"#);
    for (name, value) in
        [("ce-id", "2"), ("ce-qty", "5"), ("ce-active", "true"), ("content-type", "application/json")]
    {
        assert_eq!(received.fields.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn spec_version_0_3_stays_0_3() {
    let (plane, subscriber) = plane_and_subscriber();
    let request = event("3", "", b"{}");
    let request = String::from_utf8(request).unwrap().replace("ce-specversion: 1.0", "ce-specversion: 0.3");
    assert_eq!(plane.send(request.as_bytes()).status, 202);
    assert_eq!(subscriber.wait_for(1)[0].fields["ce-specversion"], "0.3");
}

#[test]
fn a_chunked_body_arrives_whole() {
    let (plane, subscriber) = plane_and_subscriber();
    let mut client = Client::connect(plane.ingress);
    client.write(
        b"POST /default/b HTTP/1.1\r\nhost: b\r\nce-specversion: 1.0\r\nce-id: 4\r\nce-source: /s\r\n\
          ce-type: t\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for piece in ["5\r\nhello", "\r\n1;ext=1\r\n \r\n", "5\r\nworld\r\n0\r\n", "\r\n"] {
        client.write(piece.as_bytes());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(client.response().status, 202);
    assert_eq!(subscriber.wait_for(1)[0].body, b"hello world");
    // The connection carries another request.
    assert_eq!(client.exchange(&event("5", "", b"")).status, 202);
    assert_eq!(subscriber.wait_for(2)[1].body, b"");
}

#[test]
fn expect_100_continue_is_answered_before_the_body() {
    let (plane, subscriber) = plane_and_subscriber();
    let mut client = Client::connect(plane.ingress);
    let request = event("6", "expect: 100-continue\r\n", b"payload");
    let body_at = request.len() - 7;
    client.write(&request[..body_at]);
    assert_eq!(client.response().status, 100);
    client.write(&request[body_at..]);
    assert_eq!(client.response().status, 202);
    assert_eq!(subscriber.wait_for(1)[0].body, b"payload");
}

#[test]
fn every_cut_of_a_request_leads_to_the_same_event() {
    let (plane, subscriber) = plane_and_subscriber();
    let request = event("7", "content-type: text/plain\r\n", b"payload");
    let mut client = Client::connect(plane.ingress);
    let cuts = 1..request.len();
    let count = cuts.len();
    for cut in cuts {
        client.write(&request[..cut]);
        std::thread::yield_now();
        client.write(&request[cut..]);
        assert_eq!(client.response().status, 202, "cut at {cut}");
    }
    let received = subscriber.wait_for(count);
    assert!(received.iter().all(|event| event.body == b"payload" && event.id() == "7"));
}

#[test]
fn a_batch_is_stored_together_or_not_at_all() {
    let (plane, subscriber) = plane_and_subscriber();
    let post = |body: &str| {
        let head = "POST /default/b HTTP/1.1\r\nhost: b\r\ncontent-type: application/cloudevents-batch+json";
        plane.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
    };
    let good = |id: &str| format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"t","data":1}}"#);
    let refused = post(&format!("[{},{}]", good("x"), r#"{"specversion":"1.0","id":""}"#));
    assert_eq!(refused.status, 400);
    assert_eq!(post(&format!("[{},{}]", good("a"), good("b"))).status, 202);
    let mut ids: Vec<_> = subscriber.wait_for(2).iter().map(|event| event.id().to_owned()).collect();
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn a_trigger_with_format_json_sends_structured_events() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut json = trigger("t", subscriber.address);
    json.delivery.format = eagre_snapshot::Format::Json;
    let plane = Plane::start(&snapshot(vec![json]), &[]);
    let fields = "content-type: application/json\r\nknative-x: y\r\n";
    assert_eq!(plane.send(&event("8", fields, br#"{"k":1}"#)).status, 202);
    let received = &subscriber.wait_for(1)[0];
    assert!(received.fields["content-type"].starts_with("application/cloudevents+json"));
    assert!(received.fields.keys().all(|name| !name.starts_with("ce-")));
    assert_eq!(received.fields["knative-x"], "y");
    let event: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!((&event["id"], &event["data"]["k"]), (&"8".into(), &1.into()));
}
