//! `eagre up`: what it prints, how it keeps the planes running, how it stops.

mod support;

use std::{fs, net::TcpListener};

use rustix::process::Signal;
use support::{Up, free_address, is_gone, kill, output, post, text, wait_for};

const DATAPLANE: &str = "eagre-dataplane";
const CONTROLPLANE: &str = "eagre-controlplane";

#[test]
fn an_event_posted_to_the_printed_url_shows_up() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(data.path(), &[]);
    up.line(&format!("broker   http://{}/default/default", up.listen));
    assert!(up.line("curl").contains("/default/default"));
    up.line("Ctrl-C");
    assert!(post(up.listen, "e-1", r#"{"hello":"there"}"#).unwrap().starts_with("HTTP/1.1 202"));
    up.line("com.example.test");
    up.line("e-1");
    up.line(r#""hello": "there""#);
}

#[test]
fn ctrl_c_drains_and_leaves_no_process() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(data.path(), &[]);
    up.line("Ctrl-C");
    let planes = [up.plane(DATAPLANE), up.plane(CONTROLPLANE)];
    up.signal(Signal::INT);
    up.line("draining");
    assert_eq!(up.wait().code(), Some(0));
    assert!(planes.into_iter().all(is_gone));
}

#[test]
fn a_killed_plane_is_started_again_and_the_message_says_why() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(data.path(), &[]);
    up.line("Ctrl-C");
    let old = up.plane(DATAPLANE);
    kill(old, Signal::KILL);
    assert!(up.line("eagre-dataplane").contains("signal 9 (SIGKILL)"));
    up.line("serves again");
    assert_ne!(up.plane(DATAPLANE), old);
    assert!(post(up.listen, "e-2", "{}").unwrap().starts_with("HTTP/1.1 202"));
    up.line("e-2");

    let old = up.plane(CONTROLPLANE);
    kill(old, Signal::KILL);
    assert!(up.line("eagre-controlplane").contains("signal 9 (SIGKILL)"));
    wait_for("a new control plane", || up.planes(CONTROLPLANE).first().filter(|&&pid| pid != old).copied());
    up.signal(Signal::TERM);
    assert_eq!(up.wait().code(), Some(0));
}

#[test]
fn planes_do_not_outlive_a_killed_supervisor() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(data.path(), &[]);
    up.line("Ctrl-C");
    let planes = [up.plane(DATAPLANE), up.plane(CONTROLPLANE)];
    up.signal(Signal::KILL);
    up.wait();
    wait_for("the end of both planes", || planes.into_iter().all(is_gone).then_some(()));
}

#[test]
fn a_port_in_use_is_told_with_the_option_that_changes_it() {
    let data = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken, free) = (holder.local_addr().unwrap().to_string(), free_address().to_string());
    for (option, listen, admin) in [("--listen", &taken, &free), ("--admin", &free, &taken)] {
        let data = data.path().to_str().unwrap();
        let output = output(&["up", "--data", data, "--listen", listen, "--admin", admin]);
        assert_eq!(output.status.code(), Some(71));
        let text = text(&output);
        assert!(text.contains("in use") && text.contains(&format!("{option} 127.0.0.1:PORT")), "{text}");
    }
}

#[test]
fn one_eagre_at_a_time_runs_on_a_data_directory() {
    let data = tempfile::tempdir().unwrap();
    let mut first = Up::start(data.path(), &[]);
    first.line("Ctrl-C");
    let mut second = Up::start(data.path(), &[]);
    second.line("another eagre runs on");
    assert_eq!(second.wait().code(), Some(75));
}

#[test]
fn what_a_restart_cannot_mend_stops_everything() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("bad.toml");
    fs::write(&config, "[runtime]\nbad = 1\n").unwrap();
    let mut up = Up::start(data.path(), &["--config", config.to_str().unwrap()]);
    assert!(up.line("would not help").contains("exit code 78"));
    assert_eq!(up.wait().code(), Some(78));
}

#[test]
fn bad_manifests_are_refused_before_anything_starts() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("bad.yaml");
    fs::write(&file, "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: Not_A_Name\n")
        .unwrap();
    let mut up = Up::start(data.path(), &["-f", file.to_str().unwrap()]);
    up.line("nothing was started");
    up.line("bad.yaml:4:");
    assert_eq!(up.wait().code(), Some(78));
}
