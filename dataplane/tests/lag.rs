//! What `/v1/triggers` calls lag is what a trigger is owed, wherever that lies.

mod support;

use std::path::Path;

use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

/// Queues that hold little, and a log of four segments for four times as much.
const SMALL: &str = r#"
[wal]
segment_bytes = "1MiB"
max_bytes = "4MiB"
backlog_bytes_max = "64MiB"
backlog_bytes_max_per_broker = "64MiB"
[ingress]
head_bytes_max = "4KiB"
body_bytes_max = "64KiB"
[limits]
queue_per_trigger = 64
pending_per_trigger = 64
[delivery]
response_body_bytes_max = "64KiB"
"#;

fn lag(plane: &Plane, name: &str) -> u64 {
    let triggers: serde_json::Value = serde_json::from_str(&plane.get("/v1/triggers").text()).unwrap();
    let rows = triggers.as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap()["lag_events"].as_u64().unwrap()
}

fn options(config: &Path) -> [&str; 4] {
    ["--shards", "1", "--config", config.to_str().unwrap()]
}

#[test]
fn lag_counts_the_log_and_the_backlog_and_survives_a_kill() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), SMALL).unwrap();
    let absent = Absent::reserve();
    let mut stuck = trigger("stuck", absent.address);
    stuck.delivery = delivery(60_000, 500);
    let fast = Subscriber::start(|_| answer(200));
    let triggers = snapshot(vec![stuck, trigger("fast", fast.address)]);
    let mut plane = Plane::start(&triggers, &options(config.path()));
    let mut client = Client::connect(plane.ingress);
    let events = 1024;
    for number in 0..events {
        eventually("the log has room", || {
            client.exchange(&event(&number.to_string(), "", &[0; 16 * 1024])).status == 202
        });
    }
    fast.wait_for(events);
    eventually("all of it is lag of the one", || lag(&plane, "stuck") == events as u64);
    eventually("none of it is the other's", || lag(&plane, "fast") == 0);

    plane.kill();
    plane.restart();
    eventually("the lag was counted again", || lag(&plane, "stuck") == events as u64);
    let back = absent.start(|_| answer(200));
    back.wait_for(events);
    eventually("nothing is owed any more", || lag(&plane, "stuck") == 0);
}
