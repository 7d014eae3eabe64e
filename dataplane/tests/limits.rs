//! Full disks, drivers, sandboxes: the same promises.

mod support;

use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

#[test]
fn a_full_log_answers_503_and_resumes_when_there_is_room() {
    let wal = "[wal]\nsegment_bytes = \"4MiB\"\nmax_bytes = \"16MiB\"\nbacklog_bytes_max = \"8MiB\"\n";
    fill_and_drain(&format!("{wal}backlog_bytes_max_per_broker = \"1GiB\"\n"), None);
}

#[test]
fn a_full_disk_answers_503_and_resumes_when_there_is_room() {
    fill_and_drain("[wal]\nsegment_bytes = \"4MiB\"\n", Some(18 << 20));
}

fn fill_and_drain(config: &str, disk_bytes: Option<u64>) {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 20);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let options = ["--shards", "1", "--config", file.path().to_str().unwrap()];
    let plane = Plane::start_on(&snapshot(vec![patient]), &options, disk_bytes);
    let body = vec![b'x'; 256 * 1024];
    let mut client = Client::connect(plane.ingress);
    let mut accepted = 0;
    let refused = loop {
        let response = client.exchange(&event(&accepted.to_string(), "", &body));
        match response.status {
            202 => accepted += 1,
            // The next segment is on its way; only a lasting shortage counts.
            503 if response.text().contains("prepared") => {}
            _ => break response,
        }
        assert!(accepted < 1000, "the limit does not hold");
    };
    assert_eq!(refused.status, 503);
    assert!(refused.field("retry-after").is_some());
    assert!(accepted >= 20, "only {accepted} events of 256 KiB fit");
    // The connection carries on, and so does everything else.
    assert_eq!(client.exchange(b"OPTIONS / HTTP/1.1\r\nhost: b\r\n\r\n").status, 200);
    let subscriber = absent.start(|_| answer(200));
    subscriber.wait_for(accepted);
    eventually("service resumes", || client.exchange(&event("after", "", &body)).status == 202);
}

fn serves_with(options: &[&str]) -> String {
    let subscriber = Subscriber::start(|_| answer(200));
    let plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), options);
    let mut client = Client::connect(plane.ingress);
    for n in 0..200 {
        assert_eq!(client.exchange(&event(&n.to_string(), "", &vec![b'x'; n * 100])).status, 202);
    }
    let received = subscriber.wait_for(200);
    assert!(received.iter().all(|event| event.body.len() == event.id().parse::<usize>().unwrap() * 100));
    plane.driver.clone()
}

#[test]
fn the_epoll_driver_gives_the_same_results() {
    assert_eq!(serves_with(&["--driver", "epoll"]), "epoll");
}

#[test]
fn a_sandbox_that_denies_io_uring_gives_the_same_results() {
    // A filter is inherited by what the thread starts, so it stays in here.
    let sandboxed = std::thread::spawn(|| {
        deny_io_uring();
        serves_with(&[])
    });
    assert_eq!(sandboxed.join().unwrap(), "epoll");
}

/// What container runtimes do by default.
fn deny_io_uring() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    const IO_URING_CALLS: [i64; 3] = [425, 426, 427];
    let denied = IO_URING_CALLS.into_iter().map(|call| (call, vec![])).collect();
    let deny = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().cast_unsigned());
    let filter =
        SeccompFilter::new(denied, SeccompAction::Allow, deny, seccompiler::TargetArch::x86_64).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

#[test]
fn every_fsync_mode_serves() {
    for mode in ["always", "never", "interval:5"] {
        serves_with(&["--fsync", mode]);
    }
}

#[test]
fn few_connections_are_spread_over_the_shards() {
    let plane = Plane::start(&snapshot(vec![]), &["--shards", "2"]);
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(plane.ingress)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
    }
    let metrics = plane.get("/metrics").text();
    let open: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("eagre_ingress_connections{")).collect();
    assert!(open.len() == 2 && open.iter().all(|line| line.ends_with(" 2")), "{open:?}");
}

#[test]
fn a_configuration_mistake_names_its_place() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[wal]\nsegment_byte = 1\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_eagre-dataplane"))
        .arg("--config")
        .arg(config.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains(":2:") && text.contains("segment_byte"), "{text}");
}

#[test]
fn an_address_in_use_is_named_with_its_option() {
    let plane = Plane::start(&snapshot(vec![]), &[]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_eagre-dataplane"))
        .args(["--admin", "127.0.0.1:0", "--listen", &plane.ingress.to_string(), "--data"])
        .arg(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(71));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"));
}
