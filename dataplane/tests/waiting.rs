//! Waiting always has an end: an answer, the end of an attempt, or the end of the
//! process with its reason.

mod support;

use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{Mutex, mpsc},
};

use eagre_faultdisk::{Errno, FaultDisk, Operation, Options};
use support::{Absent, Client, Plane, Subscriber, answer, endpoint, event, eventually, snapshot, trigger};

/// Longer than a test may take: what ends before does not end by this.
const NEVER: &str = "[limits]\ndrain_deadline = \"1h\"\n";

/// The options for a tuning file, which lives as long as the first.
fn tuned(text: &str) -> (tempfile::NamedTempFile, [String; 4]) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), text).unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()].map(String::from);
    (config, options)
}

fn start(snapshot: &eagre_snapshot::Snapshot, tuning: &str) -> (Plane, tempfile::NamedTempFile) {
    let (config, options) = tuned(tuning);
    (Plane::start(snapshot, &options.each_ref().map(String::as_str)), config)
}

const EMPTY_BATCH: &[u8] = b"POST /default/b HTTP/1.1\r\nhost: b\r\ncontent-type: \
application/cloudevents-batch+json\r\ncontent-length: 2\r\n\r\n[]";

#[test]
fn an_empty_batch_is_answered_where_nothing_else_happens_and_holds_no_drain() {
    for fsync in ["always", "interval:5", "never"] {
        let (mut plane, _config) = start(&snapshot(vec![]), &format!("{NEVER}[wal]\nfsync = {fsync:?}\n"));
        let mut client = Client::connect(plane.ingress);
        for _ in 0..3 {
            assert_eq!(client.exchange(EMPTY_BATCH).status, 202, "{fsync}");
        }
        assert_eq!(plane.stop(), Some(0), "{fsync}");
    }
}

#[test]
fn a_drain_ends_with_the_last_answer_in_every_fsync_mode() {
    for fsync in ["always", "60s", "never"] {
        let subscriber = Subscriber::start(|_| answer(200));
        let both = snapshot(vec![trigger("t", subscriber.address)]);
        let (mut plane, _config) = start(&both, &format!("{NEVER}[wal]\nfsync = {fsync:?}\n"));
        let mut client = Client::connect(plane.ingress);
        assert_eq!(client.exchange(&event("1", "", b"x")).status, 202, "{fsync}");
        subscriber.wait_for(1);
        // The connection stays open, and the producer has begun nothing.
        assert_eq!(plane.stop(), Some(0), "{fsync}");
    }
}

#[test]
fn health_is_told_while_idle_connections_flood_the_admin_port() {
    let (plane, _config) = start(&snapshot(vec![]), "");
    let idle: Vec<_> = (0..64).map(|_| TcpStream::connect(plane.admin).unwrap()).collect();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(plane.get(path).status, 200, "{path}");
    }
    drop(idle);
}

/// A subscriber whose event ends in the dead letter sink, and what is said of it.
fn failure_of(subscriber: &str, tuning: &str, command: impl FnOnce(&Plane) -> Option<Command>) -> String {
    let sink = Subscriber::start(|_| answer(202));
    let mut unreachable = trigger("t", SocketAddr::from(([127, 0, 0, 1], 1)));
    unreachable.subscriber = endpoint(subscriber);
    unreachable.dead_letter = Some(endpoint(&format!("http://{}", sink.address)));
    let (mut plane, _config) = start(&snapshot(vec![unreachable]), tuning);
    if let Some(command) = command(&plane) {
        assert_eq!(plane.stop(), Some(0));
        plane.start_by(command);
    }
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    let letter = sink.wait_for(1)[0].clone();
    assert_eq!(letter.fields["ce-knativeerrorcode"], "500");
    let data = support::decode_base64(&letter.fields["ce-knativeerrordata"]);
    String::from_utf8(data).unwrap()
}

const IMPATIENT: &str = "[delivery]\nconnect_timeout = \"300ms\"\n";

/// A listener that takes no further connection, so that the kernel drops what asks
/// for one.
fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener: TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200));
    let queued = std::iter::from_fn(|| connect().ok()).collect();
    (listener, queued)
}

#[test]
fn an_address_that_swallows_everything_ends_the_attempt_at_the_connect_timeout() {
    let (listener, _queued) = black_hole();
    let address = listener.local_addr().unwrap();
    let told = failure_of(&format!("http://{address}/"), IMPATIENT, |_| None);
    // The kernel's own patience would be an `os error`.
    assert!(told.contains("timed out") && !told.contains("os error"), "{told}");
}

#[test]
fn a_name_server_that_is_silent_ends_the_attempt_at_the_connect_timeout() {
    let silent = UdpSocket::bind("127.53.53.53:53").expect("this test binds port 53, which is root's");
    let resolv = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(resolv.path(), "nameserver 127.53.53.53\noptions timeout:30 attempts:5\n").unwrap();
    let with_name_server = |plane: &Plane| {
        let command = plane.command();
        let mut inside = Command::new("unshare");
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        inside.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(resolv.path());
        inside.arg(command.get_program()).args(command.get_args());
        Some(inside)
    };
    let told = failure_of("http://subscriber.example/", IMPATIENT, with_name_server);
    assert!(told.contains("subscriber.example was not resolved in time"), "{told}");
    silent.recv(&mut [0; 512]).unwrap();
}

#[test]
fn who_waits_for_a_place_among_the_connections_does_not_fail_of_it() {
    let hanging = Subscriber::start(|_| {
        loop {
            std::thread::park();
        }
    });
    let healthy = Subscriber::start(|_| answer(200));
    let mut slow = trigger("slow", hanging.address);
    slow.delivery.timeout_ms = Some(1000);
    let both = snapshot(vec![slow, trigger("quick", healthy.address)]);
    let tuning = "[delivery]\nconnect_timeout = \"50ms\"\nmax_connections = 1\n";
    let (plane, _config) = start(&both, tuning);
    for n in 0..3 {
        assert_eq!(plane.send(&event(&n.to_string(), "", b"x")).status, 202);
    }
    healthy.wait_for(3);
    eventually("all are delivered", || plane.count("quick", "delivered") == 3);
    assert_eq!(plane.count("quick", "failed"), 0);
}

#[test]
fn a_dead_letter_that_cannot_be_made_durable_ends_the_process() {
    let mount = tempfile::tempdir().unwrap();
    let mut disk = FaultDisk::new(Options { capacity_bytes: 1 << 30 });
    disk.mount(mount.path()).unwrap_or_else(|error| panic!("this test needs a mount: {error}"));
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let subscriber = Subscriber::start(move |received| {
        if received.id() == "2" {
            told.lock().unwrap().recv().unwrap();
        }
        answer(422)
    });
    // The shard's own log rests, so that the sync that fails is not one of its.
    let tuning = "[limits]\ncursor_flush_interval = \"60s\"\n[wal]\nsegment_bytes = \"4MiB\"\n";
    let (_config, options) = tuned(tuning);
    let with = snapshot(vec![trigger("t", subscriber.address)]);
    let mut plane = Plane::start_in(&with, &options.each_ref().map(String::as_str), mount.path());
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    eventually("the first is kept", || plane.count("t", "kept") == 1);
    assert_eq!(plane.send(&event("2", "", b"x")).status, 202);
    subscriber.wait_for(1);
    disk.faults().fail_from(Operation::Sync, 1, Errno::IO);
    tell.send(()).unwrap();
    eventually("the process ends", || !plane.is_running());
    assert_eq!(plane.ended_with(), Some(74));
}

#[test]
fn what_a_trigger_owes_to_an_absent_subscriber_holds_no_drain() {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = support::delivery(60_000, 3_600_000);
    let (mut plane, _config) = start(&snapshot(vec![patient]), NEVER);
    assert_eq!(plane.send(&event("1", "", b"x")).status, 202);
    eventually("it was tried", || plane.count("t", "failed") == 1);
    assert_eq!(plane.stop(), Some(0));
}
