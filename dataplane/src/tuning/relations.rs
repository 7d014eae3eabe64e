//! What one value demands of another.

use eagre_settings::{duration, size};
use eagre_wal::Options;

use super::{Config, document::Document};
use crate::limits;

/// Judges all of `config`, which was read from `document`.
pub(super) fn judge(config: &Config, document: &mut Document<'_>) {
    each_shard_has_its_cpu(config, document);
    the_disk_holds_the_log(config, document);
    the_log_holds_events(config, document);
    the_log_holds_cursors(config, document);
    memory_holds_bodies(config, document);
    attempts_have_room_and_time(config, document);
}

fn each_shard_has_its_cpu(Config { runtime, .. }: &Config, document: &mut Document<'_>) {
    let mut distinct = runtime.cpus.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let all = distinct.len() == runtime.cpus.len() && distinct.len() == runtime.shards;
    document.relation(runtime.cpus.is_empty() || all, &["runtime.cpus", "runtime.shards"], || {
        format!(
            "runtime.cpus names {} CPUs for {} shards; name each shard's own CPU, or leave it out",
            distinct.len(),
            runtime.shards
        )
    });
}

fn the_disk_holds_the_log(Config { runtime, wal, .. }: &Config, document: &mut Document<'_>) {
    let align = eagre_wal::SEGMENT_ALIGN_BYTES;
    document.relation(wal.segment_bytes.is_multiple_of(align), &["wal.segment_bytes"], || {
        format!("wal.segment_bytes = {}: must be a multiple of {align}", size::text(wal.segment_bytes))
    });
    let segments_min = limits::wal::SEGMENTS_PER_SHARD_MIN;
    let needed = runtime.shards as u64 * segments_min * wal.segment_bytes;
    document.relation(needed <= wal.max_bytes, &["wal.max_bytes", "wal.segment_bytes", "runtime.shards"], || {
        format!(
            "wal.max_bytes ({}) must hold {segments_min} segments of {} for each of {} shards: at least {}",
            size::text(wal.max_bytes),
            size::text(wal.segment_bytes),
            runtime.shards,
            size::text(needed)
        )
    });
}

fn the_log_holds_events(config: &Config, document: &mut Document<'_>) {
    let Config { wal, ingress, delivery, limits, .. } = config;
    let keys = [
        "ingress.body_bytes_max",
        "delivery.response_body_bytes_max",
        "wal.segment_bytes",
        "limits.pending_batch_bytes",
        "ingress.head_bytes_max",
    ];
    let overhead = limits::wal::record_overhead_bytes(ingress.head_bytes_max as u64);
    let largest = ingress.body_bytes_max.max(delivery.response_body_bytes_max) as u64 + overhead;
    let room = of_segments(wal.segment_bytes).record_bytes_max();
    document.relation(largest <= room, &keys, || {
        format!(
            "an event of ingress.body_bytes_max or delivery.response_body_bytes_max takes up to {largest} bytes \
             of the log, but a record has at most {room} of a segment of wal.segment_bytes ({})",
            size::text(wal.segment_bytes)
        )
    });
    document.relation(largest <= limits.pending_batch_bytes as u64, &keys, || {
        format!(
            "an event of ingress.body_bytes_max or delivery.response_body_bytes_max takes up to {largest} bytes \
             of the log, which must not exceed limits.pending_batch_bytes ({})",
            size::text(limits.pending_batch_bytes as u64)
        )
    });
}

fn the_log_holds_cursors(Config { wal, limits, .. }: &Config, document: &mut Document<'_>) {
    let (room, pending) = (of_segments(wal.segment_bytes).cursors_bytes_max(), limits.pending_per_trigger);
    let cursor = (pending as u64 + 1) * limits::shard::PENDING_EVENT_BYTES;
    document.relation(cursor <= room, &["limits.pending_per_trigger", "wal.segment_bytes"], || {
        format!(
            "limits.pending_per_trigger ({pending}) makes a cursor of up to {cursor} bytes, but all cursors \
             together have {room} of a segment of wal.segment_bytes ({})",
            size::text(wal.segment_bytes)
        )
    });
}

fn memory_holds_bodies(Config { ingress, .. }: &Config, document: &mut Document<'_>) {
    let needed = 2 * ingress.body_bytes_max as u64;
    let keys = ["ingress.bodies_bytes_max", "ingress.body_bytes_max"];
    document.relation(needed <= ingress.bodies_bytes_max, &keys, || {
        format!(
            "ingress.bodies_bytes_max ({}) must hold two bodies of ingress.body_bytes_max ({}): at least {}",
            size::text(ingress.bodies_bytes_max),
            size::text(ingress.body_bytes_max as u64),
            size::text(needed)
        )
    });
}

fn attempts_have_room_and_time(Config { delivery, limits, .. }: &Config, document: &mut Document<'_>) {
    let keys = ["delivery.parallelism", "limits.queue_per_trigger", "limits.pending_per_trigger"];
    let room = limits.queue_per_trigger.min(limits.pending_per_trigger);
    document.relation(delivery.parallelism <= room, &keys, || {
        format!(
            "delivery.parallelism ({}) must not exceed limits.queue_per_trigger ({}) nor \
             limits.pending_per_trigger ({})",
            delivery.parallelism, limits.queue_per_trigger, limits.pending_per_trigger
        )
    });
    let keys = ["delivery.connect_timeout", "delivery.timeout"];
    document.relation(delivery.connect_timeout <= delivery.timeout, &keys, || {
        format!(
            "delivery.connect_timeout ({}) must not exceed delivery.timeout ({})",
            duration::text(delivery.connect_timeout),
            duration::text(delivery.timeout)
        )
    });
}

/// A log as the configuration makes it.
fn of_segments(segment_bytes: u64) -> Options {
    Options { segment_bytes, ..Options::default() }
}
