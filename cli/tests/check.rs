//! `eagre check`.

mod support;

use std::{fs, net::TcpListener};

use eagre_dataplane::{Driver, Requested, choose_driver};
use serde_json::Value;
use support::{free_address, output, text};
use tempfile::TempDir;

/// Runs it with free ports and a directory of its own.
fn check(data: &TempDir, more: &[&str]) -> std::process::Output {
    let (listen, admin) = (free_address().to_string(), free_address().to_string());
    let data = data.path().to_str().unwrap();
    output(&[&["check", "--data", data, "--listen", &listen, "--admin", &admin], more].concat())
}

const BAD: &str = "\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: bad, namespace: default}
spec:
  broker: default
  subscriber:
    uri: not a URL
";

#[test]
fn json_has_every_check_with_its_status() {
    let data = tempfile::tempdir().unwrap();
    let output = check(&data, &["-o", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = found["checks"].as_array().unwrap();
    for name in ["kernel", "io_uring", "open files", "free space", "disk sync", "ingress port", "/dev/shm"] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}"));
        assert!(["ok", "warn", "fail"].contains(&check["status"].as_str().unwrap()), "{check}");
        assert_eq!(
            check["status"] == "ok",
            check["hint"].is_null(),
            "what is not ok comes with a hint: {check}"
        );
    }
    assert_eq!(output.status.code(), Some(if found["ok"] == true { 0 } else { 1 }));
}

#[test]
fn io_uring_is_well_exactly_where_the_data_plane_takes_it() {
    let data = tempfile::tempdir().unwrap();
    let found: Value = serde_json::from_slice(&check(&data, &["-o", "json"]).stdout).unwrap();
    let check = found["checks"].as_array().unwrap().iter().find(|check| check["name"] == "io_uring").unwrap();
    let choice = choose_driver(Requested::Auto).unwrap();
    assert_eq!(check["status"] == "ok", choice.driver == Driver::Uring, "{check}");
    assert_eq!(check["detail"], choice.reason);
}

#[test]
fn measuring_leaves_the_directory_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    check(&data, &[]);
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_port_in_use_fails_and_names_the_option() {
    let data = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = holder.local_addr().unwrap().to_string();
    let output = output(&[
        "check",
        "--data",
        data.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--admin",
        &admin,
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("FAIL  admin port") && text(&output).contains("--admin"),
        "{}",
        text(&output)
    );
}

#[test]
fn bad_manifests_end_with_78_and_name_line_and_column() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("bad.yaml");
    fs::write(&file, BAD).unwrap();
    let output = check(&data, &["-f", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output).contains("bad.yaml:7:"), "{}", text(&output));
}
