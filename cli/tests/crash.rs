//! The main promise, with the parts a user has: ten thousand events are accepted, every
//! process is killed, everything is started again, and all of them arrive.

mod support;

use std::{
    collections::HashSet,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::support::{PATIENCE, Up, is_gone, kill, wait_for};

const EVENTS: usize = 10_000;
const PRODUCERS: usize = 8;

#[test]
fn ten_thousand_accepted_events_survive_the_kill_of_every_process() {
    let (data, manifests) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (port, subscriber) = reserve();
    let file = manifests.path().join("manifest.yaml");
    std::fs::write(&file, manifest(subscriber)).unwrap();
    let options = ["-f", file.to_str().unwrap()];

    let mut up = Up::start(data.path(), &options);
    up.line("is ready");
    let accepted = post_all(up.listen);
    assert_eq!(accepted, EVENTS);
    let planes = [up.plane("eagre-dataplane"), up.plane("eagre-controlplane")];
    up.signal(Signal::KILL);
    for plane in planes {
        // It may follow its supervisor before the signal comes.
        if !is_gone(plane) {
            kill(plane, Signal::KILL);
        }
        wait_for("the end of a killed plane", || is_gone(plane).then_some(()));
    }
    drop(up);

    let mut up = Up::start(data.path(), &options);
    up.line("is ready");
    port.listen(1024).unwrap();
    let arrived = count_arrivals(port.into());
    let (mut count, mut since) = (0, Instant::now());
    while count < EVENTS && since.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
        let now = arrived.lock().unwrap().len();
        if now > count {
            (count, since) = (now, Instant::now());
        }
    }
    let arrived = arrived.lock().unwrap();
    let missing: Vec<_> = (0..EVENTS).filter(|id| !arrived.contains(&id.to_string())).take(5).collect();
    assert!(missing.is_empty(), "{} arrived; missing, among others: {missing:?}", arrived.len());
}

/// A port that refuses connections until it is listened on.
fn reserve() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn manifest(subscriber: SocketAddr) -> String {
    format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: default}}\n\
         spec: {{delivery: {{retry: 60000, backoffPolicy: linear, backoffDelay: PT0.05S}}}}\n---\n\
         apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: all}}\n\
         spec: {{broker: default, subscriber: {{uri: \"http://{subscriber}/\"}}}}\n"
    )
}

/// Posts every event on a few kept-alive connections; the number of 202s.
fn post_all(address: SocketAddr) -> usize {
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                (producer..EVENTS).step_by(PRODUCERS).filter(|id| is_accepted(&mut stream, *id)).count()
            })
        })
        .collect();
    producers.into_iter().map(|producer| producer.join().unwrap()).sum()
}

fn is_accepted(stream: &mut TcpStream, id: usize) -> bool {
    let request = format!(
        "POST /default/default HTTP/1.1\r\nhost: b\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: /t\r\n\
         ce-type: t\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    head(stream, &mut Vec::new()).is_some_and(|head| head.starts_with("HTTP/1.1 202"))
}

/// Answers 200 to everything and collects the ids.
fn count_arrivals(listener: TcpListener) -> Arc<Mutex<HashSet<String>>> {
    let arrived: Arc<Mutex<HashSet<String>>> = Arc::default();
    let collected = Arc::clone(&arrived);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let collected = Arc::clone(&collected);
            thread::spawn(move || collect(stream, &collected));
        }
    });
    arrived
}

fn collect(mut stream: TcpStream, arrived: &Mutex<HashSet<String>>) {
    let mut received = Vec::new();
    while let Some(head) = head(&mut stream, &mut received) {
        // Every event of this test has a body of two bytes.
        while received.len() < 2 {
            if read(&mut stream, &mut received) == 0 {
                return;
            }
        }
        received.drain(..2);
        let id = head.lines().find_map(|line| line.strip_prefix("ce-id: ")).expect("an event has an id");
        arrived.lock().unwrap().insert(id.to_owned());
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// Takes the next message head out of `received`; none at the end of the stream.
fn head(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = received.drain(..end + 4).collect();
            return String::from_utf8(head).ok();
        }
        if read(stream, received) == 0 {
            return None;
        }
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> usize {
    let mut chunk = [0; 8192];
    let bytes = stream.read(&mut chunk).unwrap_or(0);
    received.extend_from_slice(&chunk[..bytes]);
    bytes
}
