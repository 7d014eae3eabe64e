//! A shortage of descriptors is nobody's failure: what was accepted is delivered or
//! kept, no attempt is counted, and the process goes on.

mod support;

use std::{net::TcpStream, process::Command};

use eagre_snapshot::{Counter, StatsReader, TriggerStats};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

/// What the process may have in these tests, and connections that try to take more.
const OPEN_FILES: u64 = 256;
const FLOOD: usize = 600;

const SMALL_LOG: &str = "[wal]\nsegment_bytes = \"1MiB\"\nmax_bytes = \"128MiB\"\n[ingress]\nbody_bytes_max = \"64KiB\"\n\
head_bytes_max = \"4KiB\"\nheader_deadline = \"1h\"\n[delivery]\nresponse_body_bytes_max = \"64KiB\"\n";
const BODY_BYTES: usize = 32 * 1024;
/// Eight segments.
const EVENTS: usize = 256;

struct Setting {
    plane: Plane,
    _config: tempfile::NamedTempFile,
}

/// A plane with at most `OPEN_FILES` descriptors.
fn start(snapshot: &eagre_snapshot::Snapshot, options: &[&str]) -> Setting {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), SMALL_LOG).unwrap();
    let options = [&["--shards", "1", "--config", config.path().to_str().unwrap()], options].concat();
    let mut plane = Plane::start(snapshot, &options);
    assert_eq!(plane.stop(), Some(0));
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {OPEN_FILES} && exec \"$0\" \"$@\"")]);
    let command = plane.command();
    limited.arg(command.get_program()).args(command.get_args());
    plane.start_by(limited);
    Setting { plane, _config: config }
}

impl Setting {
    /// What is told of a trigger in shared memory, which takes no connection.
    fn stats(&self, trigger: &eagre_snapshot::Trigger) -> TriggerStats {
        let reader = StatsReader::open(&self.plane.directory.path().join("run")).unwrap();
        let stats = reader.read().unwrap().expect("the data plane runs");
        stats.triggers.get(&trigger.id).copied().unwrap_or_default()
    }

    /// Posts an event, on another connection where the one before was closed at
    /// rest.
    fn post(&self, id: usize) {
        let request = event(&id.to_string(), "", &vec![b'x'; BODY_BYTES]);
        eventually("the event is accepted", || {
            match Client::connect(self.plane.ingress).try_exchange(&request) {
                Ok(response) => {
                    assert!([202, 503].contains(&response.status), "{}", response.text());
                    response.status == 202
                }
                Err(_) => false,
            }
        });
    }
}

#[test]
fn idle_connections_give_way_to_everything_else() {
    let subscriber = Subscriber::start(|_| answer(200));
    let refusing = Subscriber::start(|_| answer(422));
    let (healthy, kept) = (trigger("healthy", subscriber.address), trigger("kept", refusing.address));
    let mut setting = start(&snapshot(vec![healthy, kept]), &[]);
    let mut idle = Vec::new();
    for id in 0..EVENTS {
        // Connections come faster than events.
        idle.extend((0..4).map(|_| TcpStream::connect(setting.plane.ingress).unwrap()));
        setting.post(id);
    }
    assert!(idle.len() > FLOOD);
    subscriber.wait_for(EVENTS);
    eventually("all are kept", || setting.plane.count("kept", "kept") == EVENTS as u64);
    for (name, failed) in [("healthy", 0), ("kept", EVENTS as u64)] {
        assert_eq!(setting.plane.count(name, "failed"), failed, "{name}");
        assert_eq!(setting.plane.count(name, "dropped"), 0, "{name}");
    }
    assert!(setting.plane.is_running());
    drop(idle);
    setting.post(EVENTS);
    subscriber.wait_for(EVENTS + 1);
    assert_eq!(setting.plane.stop(), Some(0));
}

#[test]
fn connections_that_never_finish_a_request_keep_no_event_from_its_subscriber() {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 20);
    let refusing = Absent::reserve();
    let mut kept = trigger("kept", refusing.address);
    kept.delivery = delivery(60_000, 20);
    let setting = start(&snapshot(vec![patient.clone(), kept.clone()]), &[]);
    (0..EVENTS).for_each(|id| setting.post(id));
    let begun: Vec<_> = (0..FLOOD)
        .map(|_| {
            let mut client = Client::connect(setting.plane.ingress);
            client.write(b"POST /default/b HTTP/1.1\r\n");
            client
        })
        .collect();
    eventually("no place is left", || setting.plane.metric("eagre_ingress_accept_pauses_total") > 0);
    let (subscriber, _refusing) = (absent.start(|_| answer(200)), refusing.start(|_| answer(422)));
    subscriber.wait_for(EVENTS);
    eventually("all are kept", || setting.stats(&kept)[Counter::Kept] == EVENTS as u64);
    assert_eq!(setting.stats(&kept)[Counter::Dropped], 0);
    // They have been at it all the time.
    drop(begun);
    setting.post(EVENTS);
    subscriber.wait_for(EVENTS + 1);
}

#[test]
fn subscribers_that_hang_take_no_descriptor_from_the_log() {
    let hanging = Subscriber::start(|_| {
        loop {
            std::thread::park();
        }
    });
    let healthy = Subscriber::start(|_| answer(200));
    let mut triggers: Vec<_> = (0..40).map(|n| trigger(&format!("hangs-{n}"), hanging.address)).collect();
    for trigger in &mut triggers {
        trigger.delivery.timeout_ms = Some(500);
    }
    triggers.push(trigger("healthy", healthy.address));
    let mut setting = start(&snapshot(triggers), &[]);
    (0..EVENTS / 8).for_each(|id| setting.post(id));
    healthy.wait_for(EVENTS / 8);
    eventually("all are delivered", || setting.plane.count("healthy", "delivered") == EVENTS as u64 / 8);
    assert_eq!(setting.plane.count("healthy", "failed"), 0);
    assert!(setting.plane.is_running());
}

/// Lets the process open nothing more.
fn limit(plane: &Plane) {
    set_limit(plane, 3);
}

/// Lets it open what it may.
fn lift_limit(plane: &Plane) {
    set_limit(plane, OPEN_FILES);
}

fn set_limit(plane: &Plane, open_files: u64) {
    let pid = Pid::from_raw(plane.pid().cast_signed());
    let new = Rlimit { current: Some(open_files), maximum: Some(OPEN_FILES) };
    prlimit(pid, Resource::Nofile, new).unwrap();
}

#[test]
fn while_nothing_can_be_opened_all_waits_and_afterwards_all_is_well() {
    for driver in ["auto", "epoll"] {
        let subscriber = Subscriber::start(|_| answer(200));
        let refusing = Subscriber::start(|_| answer(422));
        let (healthy, kept) = (trigger("healthy", subscriber.address), trigger("kept", refusing.address));
        let both = snapshot(vec![healthy.clone(), kept.clone()]);
        let mut setting = start(&both, &["--driver", driver]);
        let mut client = Client::connect(setting.plane.ingress);
        assert_eq!(client.exchange(b"OPTIONS / HTTP/1.1\r\nhost: b\r\n\r\n").status, 200);
        limit(&setting.plane);
        // The segments that are open take some, then there is no other.
        let (mut accepted, mut refused) = (0, 0);
        while refused < 20 {
            let response = client.exchange(&event(&accepted.to_string(), "", &vec![b'x'; BODY_BYTES]));
            match response.status {
                202 => accepted += 1,
                503 => refused += 1,
                status => panic!("{status}: {}", response.text()),
            }
            assert!(accepted < EVENTS, "the log needs no descriptor for its segments");
        }
        assert!(accepted > 0);
        assert_eq!(subscriber.count() + refusing.count(), 0, "a connection was opened");
        assert!(setting.plane.is_running());
        for trigger in [&healthy, &kept] {
            let stats = setting.stats(trigger);
            let ended = (stats[Counter::Delivered], stats[Counter::Kept], stats[Counter::Dropped]);
            assert_eq!((stats[Counter::FailedAttempts], ended), (0, (0, 0, 0)), "{driver}");
        }
        lift_limit(&setting.plane);
        subscriber.wait_for(accepted);
        eventually("all are kept", || setting.stats(&kept)[Counter::Kept] == accepted as u64);
        let (healthy, kept) = (setting.stats(&healthy), setting.stats(&kept));
        assert_eq!(
            (healthy[Counter::Delivered], healthy[Counter::FailedAttempts]),
            (accepted as u64, 0),
            "{driver}"
        );
        assert_eq!((kept[Counter::FailedAttempts], kept[Counter::Dropped]), (accepted as u64, 0), "{driver}");
        setting.post(accepted);
        assert!(setting.plane.metric("eagre_delivery_pauses_total") > 0);
        assert_eq!(setting.plane.stop(), Some(0));
    }
}

#[test]
fn a_dead_letter_waits_while_its_log_cannot_be_opened() {
    let (tell, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let refusing = Subscriber::start(move |_| {
        told.lock().unwrap().recv().unwrap();
        answer(422)
    });
    let kept = trigger("kept", refusing.address);
    let mut setting = start(&snapshot(vec![kept.clone()]), &[]);
    setting.post(1);
    // Its connection is open, its answer comes now.
    eventually("the attempt has begun", || setting.stats(&kept)[Counter::InFlight] == 1);
    limit(&setting.plane);
    tell.send(()).unwrap();
    eventually("the attempt has failed", || setting.stats(&kept)[Counter::FailedAttempts] == 1);
    let run = setting.plane.directory.path().join("run");
    let beats = || StatsReader::open(&run).unwrap().read().unwrap().unwrap().shards[0].heartbeat_ms;
    let before = beats();
    eventually("the shard goes on", || beats() > before + 1000);
    let stats = setting.stats(&kept);
    assert_eq!((stats[Counter::Kept], stats[Counter::Dropped]), (0, 0));
    lift_limit(&setting.plane);
    eventually("it is kept", || setting.stats(&kept)[Counter::Kept] == 1);
    let stats = setting.stats(&kept);
    assert_eq!((stats[Counter::FailedAttempts], stats[Counter::Dropped]), (1, 0));
    assert_eq!(refusing.count(), 1);
    assert!(setting.plane.is_running());
}
