use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
};

use eagre_snapshot::Counter;
use serde_json::{Value, json};

use super::*;
use crate::metrics::{Counts, ShardMetrics, TriggerRow};

/// What takes longer hangs, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(180);

/// A data plane as a test wants it.
struct Fake {
    ages: Mutex<Vec<Duration>>,
    ready: Result<(), String>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { ages: Mutex::new(vec![Duration::ZERO; 2]), ready: Ok(()) }
    }
}

impl AdminState for Fake {
    fn heartbeat_ages(&self) -> Vec<Duration> {
        self.ages.lock().unwrap().clone()
    }
    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }
    fn shards(&self) -> Vec<Arc<ShardMetrics>> {
        vec![Arc::default()]
    }
    fn brokers(&self) -> Vec<BrokerRow> {
        let path = "/default/default".into();
        let (namespace, name) = ("default".into(), "default".into());
        vec![BrokerRow { namespace, name, path, triggers: 1, ..BrokerRow::default() }]
    }
    fn triggers(&self) -> Vec<TriggerRow> {
        let counts = Counts { stats: [(Counter::Delivered, 7)].into_iter().collect(), now_ms: 0 };
        vec![TriggerRow { name: "display".into(), cursor: vec![4096], counts, ..TriggerRow::default() }]
    }
    fn info(&self) -> Value {
        json!({ "version": "0.1.0" })
    }
}

/// A server and where it listens.
struct Running {
    address: SocketAddr,
    _server: Server,
}

fn start(state: Fake) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Running { address: listener.local_addr().unwrap(), _server: serve(listener, Arc::new(state)).unwrap() }
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `request` as it stands and splits what comes back at the end of the head.
fn send(server: &Running, request: &[u8]) -> (String, String) {
    let mut stream = connect(server);
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole head");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn get(server: &Running, path: &str) -> (String, String) {
    send(server, format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n").as_bytes())
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_healthy_data_plane_says_so() {
    let server = start(Fake::default());
    for path in ["/healthz", "/readyz", "/healthz?verbose"] {
        let (head, body) = get(&server, path);
        assert_eq!((status(&head), body.as_str()), (200, "ok\n"), "{path}");
        assert!(head.contains("connection: close"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    }
}

#[test]
fn a_stuck_shard_is_named() {
    let ages = Mutex::new(vec![Duration::from_secs(1), Duration::from_secs(7), Duration::from_secs(60)]);
    let (head, body) = get(&start(Fake { ages, ..Fake::default() }), "/healthz");
    assert_eq!(status(&head), 503);
    assert_eq!(body, "shard 1 has not shown itself for 7 s\nshard 2 has not shown itself for 60 s\n");
}

#[test]
fn what_is_missing_for_readiness_is_in_the_body() {
    let ready = Err("no snapshot is applied yet".to_owned());
    let (head, body) = get(&start(Fake { ready, ..Fake::default() }), "/readyz");
    assert_eq!((status(&head), body.as_str()), (503, "no snapshot is applied yet\n"));
}

#[test]
fn state_is_shown_as_json_and_numbers_as_prometheus_text() {
    let server = start(Fake::default());
    let json = |path| {
        let (head, body) = get(&server, path);
        assert!(head.contains("content-type: application/json"), "{head}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    assert_eq!(json("/v1/brokers")[0]["path"], "/default/default");
    assert_eq!(json("/v1/triggers")[0]["delivered"], 7);
    assert_eq!(json("/v1/triggers")[0]["cursor"][0], 4096);
    assert_eq!(json("/v1/info")["version"], "0.1.0");
    let (head, body) = get(&server, "/metrics");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\neagre_trigger_delivered_total{kn_trigger_name=\"display\""), "{body}");
}

#[test]
fn an_unknown_path_is_answered_with_the_known_ones() {
    let (head, body) = get(&start(Fake::default()), "/nothing");
    assert_eq!(status(&head), 404);
    for path in ["/healthz", "/readyz", "/metrics", "/v1/brokers", "/v1/triggers", "/v1/info"] {
        assert!(body.contains(path), "{body}");
    }
}

#[test]
fn only_get_and_head_are_served() {
    let server = start(Fake::default());
    let post = b"POST /metrics HTTP/1.1\r\nHost: admin\r\nContent-Length: 5\r\n\r\nhello";
    let (head, _) = send(&server, post);
    assert_eq!(status(&head), 405);
    assert!(head.contains("allow: get, head"), "{head}");
    let (head, body) = send(&server, b"HEAD /healthz HTTP/1.1\r\nHost: admin\r\n\r\n");
    assert_eq!((status(&head), body.as_str()), (200, ""));
    assert!(head.contains("content-length: 3"), "{head}");
}

#[test]
fn what_is_not_http_is_refused() {
    let server = start(Fake::default());
    assert_eq!(status(&send(&server, b"nonsense\r\n\r\n").0), 400);
    let long = [b"GET / HTTP/1.1\r\nHost: admin\r\nX: ".as_slice(), &[b'a'; 10_000], b"\r\n\r\n"].concat();
    assert_eq!(status(&send(&server, &long).0), 431);
}

/// The first bytes that come, or none at the end.
fn received(stream: &mut TcpStream) -> usize {
    stream.read(&mut [0; 64]).unwrap_or(0)
}

#[test]
fn a_probe_is_answered_however_many_connections_wait_for_their_request() {
    let server = start(Fake::default());
    let mut held: Vec<_> = (0..limits::CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    for _ in 0..3 {
        assert_eq!(status(&get(&server, "/healthz").0), 200);
    }
    // The longest had to leave.
    assert_eq!(received(&mut held[0]), 0);
}

#[test]
fn who_has_asked_is_not_the_first_to_leave() {
    let server = start(Fake { ready: Err("x".repeat(64 << 20)), ..Fake::default() });
    let mut reader = connect(&server);
    reader.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
    assert!(received(&mut reader) > 0);
    let mut silent: Vec<_> = (1..limits::CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    assert_eq!(status(&get(&server, "/healthz").0), 200);
    assert_eq!(received(&mut silent[0]), 0);
    let mut answer = String::new();
    reader.read_to_string(&mut answer).unwrap();
    assert!(answer.len() > 64 << 20, "its answer was cut off");
}

#[test]
fn a_probe_is_answered_though_nobody_reads_the_other_answers() {
    // More than the buffers of a connection hold.
    let server = start(Fake { ready: Err("x".repeat(64 << 20)), ..Fake::default() });
    let unread: Vec<_> = (0..limits::CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
            assert!(received(&mut stream) > 0);
            stream
        })
        .collect();
    assert_eq!(status(&get(&server, "/healthz").0), 200);
    drop(unread);
}

#[test]
fn a_stopped_server_frees_its_port() {
    let server = start(Fake::default());
    let address = server.address;
    assert_eq!(status(&get(&server, "/healthz").0), 200);
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
