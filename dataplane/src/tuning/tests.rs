use std::{fs, path::Path, time::Duration};

use clap::Parser;
use eagre_settings::Fsync;

use super::*;
use crate::{limits::wal::record_overhead_bytes, runtime::driver::Requested};

fn tuning(args: &[&str]) -> TuningArgs {
    Args::parse_from(std::iter::once("eagre-dataplane").chain(args.iter().copied())).tuning
}

/// What `text` and `args` make up on a machine of two cores.
fn load_with(text: &str, args: &[&str]) -> Result<Config, ConfigError> {
    Config::read(text, &tuning(args), 2)
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

/// Holds `file` of the repository equal to what is made of the declarations, from
/// `marker` on, or writes it anew.
fn is_made_of_the_declarations(file: &str, marker: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let found = fs::read_to_string(&path).unwrap();
    let head = &found[..found.find(marker).unwrap() + marker.len()];
    let made = format!("{head}{made}");
    if std::env::var_os("EAGRE_WRITE").is_some() {
        fs::write(&path, &made).unwrap();
    } else {
        assert!(found == made, "{file} is old: EAGRE_WRITE=1 cargo test -p eagre-dataplane tuning");
    }
}

#[test]
fn the_sample_file_is_made_of_the_declarations_and_holds_the_defaults() {
    is_made_of_the_declarations("examples/eagre.toml", "", &sample());
    assert_eq!(load(&sample()).unwrap(), load("").unwrap());
}

#[test]
fn every_line_of_the_sample_that_is_commented_out_can_be_put_in() {
    let text = sample();
    let commented =
        |line: &str| line.strip_prefix("# ").filter(|line| line.contains(" = ")).map(str::to_owned);
    let whole: Vec<_> = text.lines().map(|line| commented(line).unwrap_or_else(|| line.to_owned())).collect();
    let config = load(&whole.join("\n")).unwrap();
    assert_eq!(config.runtime.cpus, [0, 1]);
    assert_eq!(config.wal.retain_age, Some(Duration::from_secs(86_400)));
}

#[test]
fn the_documentation_lists_every_key() {
    let marker = "<!-- made of the declarations in dataplane/src/tuning -->\n";
    is_made_of_the_declarations("docs/settings.md", marker, &reference::tables());
}

#[test]
fn a_declaration_yields_the_field_its_reading_and_what_people_are_told() {
    use section::section;
    section! {
        /// About it.
        [x] X (argument: u64)

        /// One reason,
        /// two lines.
        a: u64 as usize = 2 * argument, unset "twice the argument", like 1 << 10, in 1..=1 << 20, applies live;

        /// Follows.
        b: usize = a + 1, unset "one more than `a`", like 8;
    }
    let mut document = Document::parse("x.toml".into(), "").unwrap();
    assert_eq!(X::read(&mut document, 3), X { a: 6, b: 7 });
    let mut document = Document::parse("x.toml".into(), "x.a = \"2KiB\"").unwrap();
    assert_eq!(X::read(&mut document, 3), X { a: 2048, b: 2049 });
    let (name, about, keys) = X::keys();
    assert_eq!((name, about, keys.len()), ("x", "About it.", 2));
    let a = section::Key {
        name: "a",
        kind: "size",
        default: section::Default::Computed { words: "twice the argument", example: "\"1KiB\"".into() },
        range: Some(("1B".into(), "1MiB".into())),
        applies: section::Applies::Live,
        reason: "One reason, two lines.",
    };
    assert_eq!((&keys[0], keys[1].applies), (&a, section::Applies::AtStart));
}

#[test]
fn the_defaults_leave_room_to_each_other() {
    let Config { wal, ingress, delivery, limits, .. } = load("").unwrap();
    let event = (ingress.body_bytes_max as u64) + record_overhead_bytes(ingress.head_bytes_max as u64);
    assert!(8 * event <= wal.segment_bytes, "else the end of each segment is wasted");
    assert!(delivery.response_body_bytes_max <= ingress.body_bytes_max, "a reply is stored like an event");
    assert!(delivery.parallelism <= delivery.max_connections, "one trigger can use its parallelism");
    let largest = load(
        "[ingress]\nbody_bytes_max = \"32MiB\"\nhead_bytes_max = \"256KiB\"\n[wal]\nsegment_bytes = \"1GiB\"",
    );
    assert_eq!(largest.unwrap().limits.pending_batch_bytes, limits.pending_batch_bytes);
    let text = "[limits]\npending_per_trigger = 65_536";
    assert!(load(text).is_ok(), "one trigger with all pending that may be fits the cursors");
    assert!(load_with("", &["--shards", "50"]).unwrap().wal.max_bytes == 10 << 30, "of the usual size");
}

#[test]
fn every_key_can_be_set() {
    let config = load(EVERYTHING).unwrap();
    assert_eq!(config.runtime, Runtime { shards: 2, cpus: vec![0, 3], driver: Requested::Epoll });
    assert_eq!(config.wal.fsync, Fsync::Interval { ms: 5 });
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
    assert_eq!(config.wal.fsync, Fsync::Interval { ms: 5 });
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
fn a_value_is_written_in_every_form_of_its_grammar() {
    let text =
        "ingress.body_bytes_max = \"512Ki\"\ningress.headers_max = 0x20\n[wal]\nfsync = \"interval:7\"";
    let config = load(text).unwrap();
    assert_eq!((config.ingress.body_bytes_max, config.ingress.headers_max), (512 << 10, 32));
    assert_eq!(config.wal.fsync, Fsync::Interval { ms: 7 });
    let config = load("[wal]\nfsync = \"2s\"\nmax_bytes = \"20G\"").unwrap();
    assert_eq!((config.wal.fsync, config.wal.max_bytes), (Fsync::Interval { ms: 2000 }, 20_000_000_000));
}

#[test]
fn mistakes_of_every_kind_are_told_at_once_in_the_order_of_the_file() {
    let text = mistakes(
        "limits = 3\nx = 1\n[ingress]\nheaders_max = \"64\"\nbody_bytes_max = -1\n\
         [wal]\nfsync = { interval_ms = 0 }\nmax_bytes = \"1MB\"\nsegment_bytes = 5_000_000\n[runtime]\ncpus = [\"a\"]",
    );
    let expected = [
        "1:1: `limits` is a section; write [limits] and its keys below",
        "2:1: there is no section `x`; there are `runtime`, `wal`, `ingress`, `delivery`, `limits`",
        "4:15: ingress.headers_max: string is no count; write a whole number, such as 64",
        "5:18: ingress.body_bytes_max: -1 is negative or more than can be counted",
        "7:9: wal.fsync: an interval must be between 1ms and 1m; write always",
        "8:13: wal.max_bytes: not a size; write a whole number of bytes",
        "9:17: wal.segment_bytes = 5000000B: must be a multiple of 4096",
        "11:8: runtime.cpus: string is no count",
    ];
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("eagre.toml:{expected}")), "{line}");
    }
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
fn a_relation_to_a_value_that_was_refused_is_not_judged() {
    let text = "[ingress]\nbody_bytes_max = \"1GB\"\nbodies_bytes_max = \"1MiB\"";
    assert_eq!(mistakes(text).lines().count(), 1, "{}", mistakes(text));
    let text = "[runtime]\nshards = 5000\ncpus = [0]";
    assert_eq!(mistakes(text).lines().count(), 1, "{}", mistakes(text));
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
    let error = Config::load(&tuning(&["--config", "/nonexistent/eagre.toml"])).unwrap_err();
    assert_eq!(error.exit(), 78);
    assert!(error.to_string().contains("/nonexistent/eagre.toml"));
}

#[test]
fn a_large_body_gets_more_time() {
    let ingress = load("").unwrap().ingress;
    assert_eq!(ingress.body_deadline_for(0), Duration::from_secs(10));
    assert_eq!(ingress.body_deadline_for(1 << 20), Duration::from_secs(138));
}
