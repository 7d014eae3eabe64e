//! `eagre wal`: the logs of a running data plane and of one that has stopped, damage,
//! and the way out of it.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use eagre_wal::{Backend, Fsync, Kind, Log, Lsn, Options, Read, Since};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::Signal,
};
use serde_json::Value;
use support::{Up, output, post, text, wait_for};

const EVENTS: usize = 5;

fn wal(arguments: &[&str], dir: &Path) -> Output {
    output(&[&["wal"], arguments, &[dir.to_str().unwrap()]].concat())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A data plane with one shard that has taken events.
fn run_with_events(data: &Path) -> Up {
    let config = data.with_extension("toml");
    fs::write(&config, "[wal]\nsegment_bytes = \"4MiB\"\n").unwrap();
    let mut up = Up::start(data, &["--shards", "1", "--config", config.to_str().unwrap()]);
    up.line("Ctrl-C");
    for number in 0..EVENTS {
        let answer = post(up.listen, &format!("e-{number}"), &format!("{{\"n\":{number}}}")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    up
}

/// Runs a data plane, and stops it.
fn stopped_with_events(data: &Path) {
    let mut up = run_with_events(data);
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(0));
}

/// Makes a log in `dir` with these records.
fn append(dir: &Path, records: &[(Kind, &[&[u8]])]) {
    let (segment_bytes, max_bytes) = (16 << 10, 1 << 20);
    let options = Options { segment_bytes, max_bytes, backend: Backend::Thread, ..Options::default() };
    let (mut log, _) = Log::open(dir, options).unwrap();
    log.append_group(1, Fsync::Always, records).unwrap();
    log.submit().unwrap();
    while !log.is_idle() {
        poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], None).unwrap();
        log.poll().unwrap();
    }
}

/// The file with the first events, and where the second one's record begins in it.
fn second_event(data: &Path) -> (PathBuf, usize) {
    let output = wal(&["inspect", "--records", "-o", "json"], data);
    let events: Vec<_> = lines(&output).into_iter().filter(|line| line["kind"] == 16).collect();
    let lsn = u64::from_str_radix(events[1]["lsn"].as_str().unwrap(), 16).unwrap();
    (data.join("shard-0/0000000000000000.segment"), lsn as usize)
}

/// Damages the second event.
fn flip_a_bit(data: &Path) {
    let (file, offset) = second_event(data);
    let mut bytes = fs::read(&file).unwrap();
    bytes[offset + 70] ^= 1;
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_running_data_plane_is_seen_and_not_disturbed() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let mut up = run_with_events(&data);
    let process = up.plane("eagre-dataplane");
    let verified = wal(&["verify", "-o", "json"], &data);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    let document = json(&verified);
    assert_eq!((&document["sound"], &document["logs"][0]["in_use_by"]), (&true.into(), &process.into()));
    let inspected = wal(&["inspect", "-o", "json"], &data);
    let document = json(&inspected);
    let log = &document["logs"][0];
    assert_eq!((log["log"].as_str(), log["in_use_by"].as_i64()), (Some("shard-0"), Some(process.into())));
    assert_eq!(log["start"]["opens"], true);
    let states: Vec<_> = log["segments"].as_array().unwrap().iter().map(|s| s["state"].clone()).collect();
    assert_eq!(states[0], "active");
    assert_eq!(log["segments"][0]["records"], EVENTS);
    assert_eq!(log["unknown_files"], Value::Array(vec![]));
    assert!(text(&wal(&["inspect"], &data)).contains(&format!("in use by process {process}")));
    assert_eq!(post(up.listen, "later", "{}").unwrap().get(9..12), Some("202"));
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(0));
}

#[test]
fn records_show_the_events_in_them() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    stopped_with_events(&data);
    let output = wal(&["inspect", "--records", "-o", "json"], &data);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let all = lines(&output);
    assert_eq!((&all[0]["name"], &all[0]["kind"]), (&"checkpoint".into(), &1.into()));
    let events: Vec<_> = all.iter().filter(|line| line["name"] == "event").collect();
    assert_eq!(events.len(), EVENTS);
    for (number, line) in events.iter().enumerate() {
        assert_eq!(line["sequence"], number);
        assert_eq!(line["event"]["id"], format!("e-{number}"));
        assert_eq!(line["event"]["source"], "/test");
        assert_eq!(line["event"]["type"], "com.example.test");
        assert_eq!(line["event"]["data"]["n"], number);
        assert_eq!(line["triggers"].as_array().unwrap().len(), 1, "{line}");
        assert_eq!(line["broker"].as_str().unwrap().len(), 16);
    }
    let (from, time) = (events[2]["lsn"].as_str().unwrap(), events[2]["time"].as_str().unwrap());
    for (from, limit) in [(from, "1"), (time, "1")] {
        let output = wal(&["inspect", "--records", "-o", "json", "--limit", limit, "--from", from], &data);
        let lines = lines(&output);
        assert_eq!(lines.len(), 1);
        assert!(lines[0]["time"].as_str().unwrap() >= time);
    }
    let text = text(&wal(&["inspect", "--records", "--from", from], &data));
    assert!(text.starts_with("shard-0  ") && text.contains("com.example.test from /test id e-2"), "{text}");
}

#[test]
fn cursors_and_segments_are_shown_for_people_and_programs() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    stopped_with_events(&data);
    let output = wal(&["inspect", "-o", "json"], &data);
    let document = json(&output);
    let log = &document["logs"][0];
    assert_eq!(log["in_use_by"], Value::Null);
    assert_eq!((&log["format_version"], &log["next_sequence"]), (&1.into(), &EVENTS.into()));
    let cursor = &log["cursors"][0];
    assert_eq!(cursor["consumer"].as_str().unwrap().len(), 16);
    assert_eq!(cursor["low"], cursor["read"]);
    assert_eq!(cursor["pending"], Value::Array(vec![]));
    let text = text(&wal(&["inspect"], &data.join("shard-0")));
    for part in ["SEGMENT", "0000000000000000.segment active", "CONSUMER", cursor["read"].as_str().unwrap()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("in use"));
}

#[test]
fn damage_is_named_and_a_salvage_goes_on_without_it() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    stopped_with_events(&data);
    flip_a_bit(&data);
    let verified = wal(&["verify", "-o", "json"], &data);
    assert_eq!(verified.status.code(), Some(65), "{}", text(&verified));
    let document = json(&verified);
    assert_eq!(document["sound"], false);
    let damage = &document["logs"][0]["damages"][0];
    assert_eq!(damage["file"], "0000000000000000.segment");
    assert_eq!(damage["offset_from"], second_event_of(&document));
    assert_eq!(damage["records_missing"], 1);
    let told = text(&wal(&["verify"], &data));
    for part in ["DAMAGED", "1 record is missing", "file 0000000000000000.segment, bytes", "docs/salvage.md"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let mut up = Up::start(&data, &[]);
    up.line("damaged");
    assert_eq!(up.wait().code(), Some(65));

    let new = place.path().join("new");
    let salvaged =
        output(&["wal", "salvage", data.to_str().unwrap(), "--to", new.to_str().unwrap(), "-o", "json"]);
    assert_eq!(salvaged.status.code(), Some(0), "{}", text(&salvaged));
    let document = json(&salvaged);
    assert_eq!((&document["sound"], &document["logs"][0]["records"]), (&true.into(), &(EVENTS - 1).into()));
    assert_eq!(document["logs"][0]["source"]["damages"][0]["records_missing"], 1);
    let verified = wal(&["verify", "-o", "json"], &new);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    assert_eq!(json(&verified)["logs"][0]["gaps"][0]["records_missing"], 1);
    let mut up = Up::start(&new, &["--shards", "1"]);
    up.line("Ctrl-C");
    assert!(post(up.listen, "after", "{}").unwrap().starts_with("HTTP/1.1 202"));
    up.line("after");
    assert!(
        wait_for("the event in the log", || {
            let lines = lines(&wal(&["inspect", "--records", "-o", "json"], &new));
            lines.into_iter().find(|line| line["event"]["id"] == "after")
        })["lsn"]
            .is_string()
    );
}

/// Where the only damage of a document begins in its file: the log's first file
/// begins at position zero.
fn second_event_of(document: &Value) -> Value {
    let from = document["logs"][0]["damages"][0]["from"].as_str().unwrap();
    u64::from_str_radix(from, 16).unwrap().into()
}

#[test]
fn every_log_below_a_data_directory_is_found() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let logs = ["shard-0", "shard-0/backlog/0000000000000007", "shard-0/dead-letters", "shard-2", "shard-10"];
    for log in logs {
        let records: [(Kind, &[&[u8]]); 2] =
            [(Kind(16), &[b"\x02 a later version"]), (Kind(99), &[b"another kind"])];
        append(&data.join(log), &records);
    }
    let document = json(&wal(&["inspect", "-o", "json"], &data));
    let found: Vec<_> = document["logs"].as_array().unwrap().iter().map(|log| log["log"].clone()).collect();
    assert_eq!(found, logs);
    let new = place.path().join("new");
    let salvaged = output(&["wal", "salvage", data.to_str().unwrap(), "--to", new.to_str().unwrap()]);
    assert_eq!(salvaged.status.code(), Some(0), "{}", text(&salvaged));
    assert!(logs.iter().all(|log| new.join(log).join("0000000000000000.segment").exists()));
    let lines = lines(&wal(&["inspect", "--records", "-o", "json"], &data.join("shard-2")));
    let names: Vec<_> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["checkpoint", "unknown", "unknown"]);
    assert!(lines[1]["unreadable"].as_str().unwrap().contains("newer Eagre"), "{}", lines[1]);
}

#[test]
fn dead_letters_show_why_they_were_kept_and_the_event() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    stopped_with_events(&data);
    let event = eagre_wal::records(&data.join("shard-0"), Since::Lsn(Lsn::ZERO)).unwrap();
    let event = event.filter_map(|read| match read.unwrap() {
        Read::Record(record) if record.kind == Kind(16) => Some(record.body),
        _ => None,
    });
    let event = event.last().unwrap();
    let prefix = [&[1, 0][..], &503u16.to_le_bytes(), &[8, 0], &[4, 0], &7u64.to_le_bytes()].concat();
    let letter: [&[u8]; 4] = [&prefix, b"http://x", b"busy", &event];
    append(&data.join("shard-0/dead-letters"), &[(Kind(17), &letter)]);
    let output = wal(&["inspect", "--records", "-o", "json"], &data.join("shard-0/dead-letters"));
    let line = lines(&output).pop().unwrap();
    assert_eq!(line["name"], "dead letter", "{line}");
    let failure = serde_json::json!({"trigger": "0000000000000007", "code": 503, "destination": "http://x", "data": "busy"});
    assert_eq!(line["failure"], failure);
    assert_eq!(line["event"]["id"], format!("e-{}", EVENTS - 1));
    let text = text(&wal(&["inspect", "--records"], &data.join("shard-0/dead-letters")));
    assert!(text.contains("failed for 0000000000000007 at http://x: 503"), "{text}");
}

#[test]
fn misuse_and_missing_logs_have_codes_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    stopped_with_events(&data);
    let empty = tempfile::tempdir().unwrap();
    let (data, empty) = (data.to_str().unwrap(), empty.path().to_str().unwrap());
    let inside = format!("{data}/new");
    let table: [(&[&str], i32, &str); 11] = [
        (&["wal"], 64, "inspect"),
        (&["wal", "inspect"], 64, "DIR"),
        (&["wal", "inspect", data, "--limit", "1"], 64, "--records"),
        (&["wal", "inspect", data, "--records", "--from", "yesterday"], 64, "RFC 3339"),
        (&["wal", "salvage", data], 64, "--to"),
        (&["wal", "inspect", empty], 66, "no log is here"),
        (&["wal", "inspect", "/no/such/directory"], 66, "cannot be read"),
        (&["wal", "verify", empty], 66, "no log is here"),
        (&["wal", "salvage", empty, "--to", "/no/such/directory"], 66, "no log is here"),
        (&["wal", "salvage", data, "--to", data], 73, "lies in the directory"),
        (&["wal", "salvage", data, "--to", &inside], 73, "lies in the directory"),
    ];
    for (arguments, code, message) in table {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(message), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn a_log_in_use_is_not_salvaged() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let up = run_with_events(&data);
    let new = place.path().join("new");
    let salvaged = output(&["wal", "salvage", data.to_str().unwrap(), "--to", new.to_str().unwrap()]);
    assert_eq!(salvaged.status.code(), Some(75), "{}", text(&salvaged));
    assert!(text(&salvaged).contains("is in use by process") && !new.exists());
    drop(up);
}

#[test]
fn help_shows_examples_and_exit_codes() {
    assert!(text(&output(&["wal", "--help"])).contains("Examples:"));
    for command in ["inspect", "verify", "salvage"] {
        let help = output(&["wal", command, "--help"]);
        assert!(help.status.success(), "{command}");
        assert!(text(&help).contains("Examples:") && text(&help).contains("Exit codes:"), "{command}");
    }
    assert!(text(&output(&["completion", "bash"])).contains("salvage"));
}
