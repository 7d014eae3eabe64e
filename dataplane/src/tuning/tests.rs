use std::time::Duration;

use clap::Parser;

use super::{check::Source, *};

fn load_with(text: &str, args: &[&str]) -> Result<Config, ConfigError> {
    let args = Args::parse_from(std::iter::once("eagre-dataplane").chain(args.iter().copied()));
    Source { path: "eagre.toml".into(), text: text.into() }.check(&args, 2)
}

fn load(text: &str) -> Result<Config, ConfigError> {
    load_with(text, &[])
}

/// The text of the mistakes in `text`.
fn mistakes(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn without_a_file_every_value_is_its_default() {
    let config = load("").unwrap();
    assert_eq!(config.runtime, Runtime { shards: 2, cpus: vec![], driver: Requested::Auto });
    assert_eq!(config.wal.fsync, Fsync::Always);
    assert_eq!(config.wal.segment_bytes, 64 << 20);
    assert_eq!(config.ingress.body_bytes_max, 1 << 20);
    assert_eq!(config.delivery.timeout, Duration::from_secs(600));
    assert_eq!(config.limits.drain_deadline, Duration::from_secs(30));
}

#[test]
fn the_sample_file_holds_the_defaults() {
    let sample = include_str!("../../../examples/eagre.toml");
    assert_eq!(load(sample).unwrap(), load("").unwrap());
}

#[test]
fn every_key_can_be_set() {
    let config = load(EVERYTHING).unwrap();
    assert_eq!(config.runtime, Runtime { shards: 2, cpus: vec![0, 3], driver: Requested::Epoll });
    assert_eq!(config.wal.fsync, Fsync::Interval(Duration::from_millis(5)));
    assert_eq!(config.wal.max_bytes, 2 << 30);
    assert_eq!(config.ingress.body_bytes_max, 262_144);
    assert_eq!(config.ingress.bodies_bytes_max, 16 << 20);
    assert_eq!(config.delivery.retry_after_max, Duration::ZERO);
    assert_eq!(config.limits.descriptors_reserved, 64);
    assert_eq!(config.limits.cursor_flush_interval, Duration::from_millis(50));
}

const EVERYTHING: &str = r#"
[runtime]
shards = 2
cpus = [0, 3]
driver = "epoll"
[wal]
segment_bytes = "16MiB"
max_bytes = "2GiB"
retain_age = "24h"
retain_bytes = "1GiB"
backlog_bytes_max = "512MiB"
backlog_bytes_max_per_broker = "64MiB"
fsync = { interval_ms = 5 }
[ingress]
head_bytes_max = "32KiB"
headers_max = 64
body_bytes_max = 262_144
bodies_bytes_max = "16MiB"
header_deadline = "5s"
body_deadline = "5s"
body_rate_min = "16KiB"
idle_keep_alive = "1m"
write_stall = "5s"
connections_max = 1000
[delivery]
parallelism = 8
max_connections = 16
connect_timeout = "1s"
timeout = "30s"
response_body_bytes_max = "64KiB"
retry_after_max = "0s"
idle_connection = "20s"
[limits]
queue_per_trigger = 256
pending_per_trigger = 256
pending_batch_bytes = "8MiB"
cursor_flush_interval = "50ms"
drain_deadline = "10s"
descriptors_reserved = 64
"#;

#[test]
fn the_command_line_overrides_the_file() {
    let file = "[runtime]\nshards = 4\ndriver = \"epoll\"\n[wal]\nfsync = \"never\"";
    let args = ["--shards", "1", "--driver", "auto", "--fsync", "5ms"];
    let config = load_with(file, &args).unwrap();
    assert_eq!(config.runtime.shards, 1);
    assert_eq!(config.runtime.driver, Requested::Auto);
    assert_eq!(config.wal.fsync, Fsync::Interval(Duration::from_millis(5)));
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_known_ones() {
    let text = mistakes("[wal]\nfsync = \"never\"\nsegment_size = 1\n");
    assert!(text.starts_with("eagre.toml:3:1: "), "{text}");
    assert!(text.contains("segment_size") && text.contains("segment_bytes"), "{text}");
    let text = mistakes("[wall]\n");
    assert!(text.starts_with("eagre.toml:1:2: ") && text.contains("`wal`"), "{text}");
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_what_is_wanted() {
    let text = mistakes("[ingress]\nheader_deadline = 10\n");
    assert!(text.starts_with("eagre.toml:2:19: ") && text.contains("\"10s\""), "{text}");
    let text = mistakes("[wal]\nfsync = \"sometimes\"\n");
    assert!(text.starts_with("eagre.toml:2:9: ") && text.contains("interval_ms"), "{text}");
    let text = mistakes("[wal]\nfsync = { interval = 1 }\n");
    assert!(text.starts_with("eagre.toml:2:") && text.contains("interval_ms"), "{text}");
    let text = mistakes("[runtime]\ndriver = \"kqueue\"\n");
    assert!(text.starts_with("eagre.toml:2:10: ") && text.contains("epoll"), "{text}");
    let text = mistakes("[runtime\n");
    assert!(text.starts_with("eagre.toml:1:"), "{text}");
}

#[test]
fn all_values_out_of_range_are_told_at_once() {
    let text =
        mistakes("[ingress]\nheaders_max = 500\nbody_bytes_max = \"64MiB\"\n[wal]\nsegment_bytes = 5\n");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        text.contains("eagre.toml:2:15: ingress.headers_max = 500: must be between 16 and 128"),
        "{text}"
    );
    assert!(text.contains("ingress.body_bytes_max = 64MiB: must be between 1KiB and 32MiB"), "{text}");
}

#[test]
fn values_that_contradict_each_other_are_told_where_one_is_written() {
    let cases = [
        (
            "[ingress]\nbody_bytes_max = \"2MiB\"\n[wal]\nsegment_bytes = \"2MiB\"",
            "of a segment of wal.segment_bytes (2MiB)",
        ),
        (
            "[limits]\npending_per_trigger = 60_000\n[wal]\nsegment_bytes = \"4MiB\"",
            "all cursors together have 1048576 of a segment",
        ),
        (
            "[ingress]\nbody_bytes_max = \"2MiB\"\nbodies_bytes_max = \"3MiB\"",
            "must hold two bodies of ingress.body_bytes_max (2MiB): at least 4MiB",
        ),
        ("\n[wal]\nmax_bytes = \"128MiB\"", "3 segments of 64MiB for each of 2 shards: at least 384MiB"),
        (
            "[delivery]\n\nparallelism = 100\n[limits]\nqueue_per_trigger = 50",
            "limits.queue_per_trigger (50)",
        ),
        ("[delivery]\nconnect_timeout = \"10s\"\ntimeout = \"5s\"", "must not exceed delivery.timeout (5s)"),
        ("[runtime]\nshards = 2\ncpus = [1, 1]", "1 CPUs for 2 shards"),
    ];
    for (file, expected) in cases {
        let text = mistakes(file);
        assert!(text.contains(expected), "{text}");
        assert!(!text.starts_with("eagre.toml:1:1:"), "{text}");
    }
}

#[test]
fn a_machine_of_many_cores_gets_a_log_that_holds_its_shards() {
    let config = load_with("", &["--shards", "1000"]).unwrap();
    assert!(config.wal.max_bytes_per_shard(1000) >= 3 * config.wal.segment_bytes);
}

#[test]
fn mistakes_end_the_process_with_the_code_of_their_place() {
    assert_eq!(load("[x]").unwrap_err().exit(), 78);
    assert_eq!(load_with("", &["--shards", "0"]).unwrap_err().exit(), 64);
    let args = Args::parse_from(["eagre-dataplane", "--config", "/nonexistent/eagre.toml"]);
    let error = Config::load(&args).unwrap_err();
    assert_eq!(error.exit(), 78);
    assert!(error.to_string().contains("/nonexistent/eagre.toml"));
}

#[test]
fn a_large_body_gets_more_time() {
    let ingress = load("").unwrap().ingress;
    assert_eq!(ingress.body_deadline_for(0), Duration::from_secs(10));
    assert_eq!(ingress.body_deadline_for(1 << 20), Duration::from_secs(138));
}
