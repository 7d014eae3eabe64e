//! Judges a file: every value within its range, every relation between values.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use eagre_wal::Options;

use super::{
    Config, ConfigError, Delivery, Fsync, Ingress, Limits, Mistake, Retain, Runtime, Wal,
    file::{self, File, Key, Size, Time},
    units::{bytes_text, duration_text},
};
use crate::{args::Args, limits};

/// A file that was read.
pub(super) struct Source {
    pub path: PathBuf,
    pub text: String,
}

impl Source {
    /// Parses and judges the file together with `args`; `cores` is the default number
    /// of shards.
    pub(super) fn check(self, args: &Args, cores: usize) -> Result<Config, ConfigError> {
        let file: File = toml::from_str(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            ConfigError::Mistakes(vec![self.mistake(at, error.message().to_owned())])
        })?;
        if let Some(shards) = args.shards
            && !limits::shard::SHARDS_RANGE.contains(&(shards as u64))
        {
            return Err(ConfigError::Arguments(format!(
                "--shards {shards}: must be between {} and {}",
                limits::shard::SHARDS_RANGE.start(),
                limits::shard::SHARDS_RANGE.end()
            )));
        }
        let mut judge = Judge { source: &self, mistakes: Vec::new() };
        let config = judge.config(&file, args, cores);
        match judge.mistakes {
            mistakes if mistakes.is_empty() => Ok(config),
            mistakes => Err(ConfigError::Mistakes(mistakes)),
        }
    }

    fn mistake(&self, at: usize, message: String) -> Mistake {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let place = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Mistake { path: self.path.clone(), place, message }
    }
}

/// Collects mistakes while it turns keys into values. After a mistake it goes on with
/// the default, so that one run tells them all.
struct Judge<'s> {
    source: &'s Source,
    mistakes: Vec<Mistake>,
}

impl Judge<'_> {
    fn config(&mut self, file: &File, args: &Args, cores: usize) -> Config {
        let runtime = self.runtime(&file.runtime, args, cores);
        let mut wal = self.wal(&file.wal, runtime.shards);
        if let Some(fsync) = args.fsync {
            wal.fsync = fsync;
        }
        let config = Config {
            runtime,
            wal,
            ingress: self.ingress(&file.ingress),
            delivery: self.delivery(&file.delivery),
            limits: self.limits(&file.limits),
        };
        self.relations(file, &config);
        config
    }

    fn runtime(&mut self, file: &file::Runtime, args: &Args, cores: usize) -> Runtime {
        let cpus = file.cpus.as_ref().map(|cpus| cpus.get_ref().clone()).unwrap_or_default();
        let default = if cpus.is_empty() { cores } else { cpus.len() } as u64;
        let written = self.size("runtime.shards", &file.shards, default, limits::shard::SHARDS_RANGE);
        let shards = args.shards.unwrap_or(written);
        if let Some(key) = &file.cpus {
            let mut distinct = cpus.clone();
            distinct.sort_unstable();
            distinct.dedup();
            if cpus.len() != shards || distinct.len() != cpus.len() {
                let message = format!(
                    "runtime.cpus names {} CPUs for {shards} shards; name each shard's own CPU, or leave it out",
                    distinct.len()
                );
                self.mistake(key, message);
            }
        }
        let written = file.driver.as_ref().map(|key| *key.get_ref()).unwrap_or_default();
        Runtime { shards, cpus, driver: args.driver.unwrap_or(written) }
    }

    fn wal(&mut self, file: &file::Wal, shards: usize) -> Wal {
        use limits::wal::*;
        let segment_bytes =
            self.bytes("wal.segment_bytes", &file.segment_bytes, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_RANGE);
        let page = 4096;
        if let Some(key) = &file.segment_bytes
            && !segment_bytes.is_multiple_of(page)
        {
            self.mistake(key, format!("wal.segment_bytes = {segment_bytes}: must be a multiple of {page}"));
        }
        // Left out, the budget grows with a machine of very many cores.
        let needed = shards as u64 * SEGMENTS_PER_SHARD_MIN * segment_bytes;
        let default = MAX_BYTES_DEFAULT.max(needed);
        let max_bytes = self.bytes("wal.max_bytes", &file.max_bytes, default, MAX_BYTES_RANGE);
        let fsync = file.fsync.as_ref().map_or(Fsync::Always, |key| key.get_ref().0);
        if let (Fsync::Interval(interval), Some(key)) = (fsync, &file.fsync)
            && !FSYNC_INTERVAL_RANGE.contains(&interval)
        {
            let message = format!(
                "wal.fsync: an interval lies between {} and {}",
                duration_text(*FSYNC_INTERVAL_RANGE.start()),
                duration_text(*FSYNC_INTERVAL_RANGE.end())
            );
            self.mistake(key, message);
        }
        let retain = Retain {
            age: file
                .retain_age
                .as_ref()
                .map(|_| self.time("wal.retain_age", &file.retain_age, Duration::ZERO, RETAIN_AGE_RANGE)),
            bytes: file.retain_bytes.as_ref().map(|_| {
                self.bytes("wal.retain_bytes", &file.retain_bytes, 0, MAX_BYTES_RANGE) / shards as u64
            }),
        };
        let backlog_bytes_max =
            self.bytes("wal.backlog_bytes_max", &file.backlog_bytes_max, max_bytes, BACKLOG_BYTES_RANGE);
        let backlog_bytes_max_per_broker = self.bytes(
            "wal.backlog_bytes_max_per_broker",
            &file.backlog_bytes_max_per_broker,
            backlog_bytes_max / BACKLOG_BROKERS_DEFAULT,
            BACKLOG_BYTES_RANGE,
        );
        Wal { segment_bytes, max_bytes, fsync, retain, backlog_bytes_max, backlog_bytes_max_per_broker }
    }

    fn ingress(&mut self, file: &file::Ingress) -> Ingress {
        use limits::ingress::*;
        let mut time = |name, key, default| self.time(name, key, default, DEADLINE_RANGE);
        let header_deadline = time("ingress.header_deadline", &file.header_deadline, HEADER_DEADLINE_DEFAULT);
        let body_deadline = time("ingress.body_deadline", &file.body_deadline, BODY_DEADLINE_DEFAULT);
        let idle_keep_alive = time("ingress.idle_keep_alive", &file.idle_keep_alive, IDLE_KEEP_ALIVE_DEFAULT);
        let write_stall = time("ingress.write_stall", &file.write_stall, WRITE_STALL_DEFAULT);
        Ingress {
            head_bytes_max: self.bytes(
                "ingress.head_bytes_max",
                &file.head_bytes_max,
                HEAD_BYTES_MAX_DEFAULT,
                HEAD_BYTES_MAX_RANGE,
            ) as usize,
            headers_max: self.size(
                "ingress.headers_max",
                &file.headers_max,
                HEADERS_MAX_DEFAULT,
                HEADERS_MAX_RANGE,
            ),
            body_bytes_max: self.bytes(
                "ingress.body_bytes_max",
                &file.body_bytes_max,
                BODY_BYTES_MAX_DEFAULT,
                BODY_BYTES_MAX_RANGE,
            ) as usize,
            bodies_bytes_max: self.bytes(
                "ingress.bodies_bytes_max",
                &file.bodies_bytes_max,
                BODIES_BYTES_MAX_DEFAULT,
                BODIES_BYTES_MAX_RANGE,
            ),
            header_deadline,
            body_deadline,
            body_rate_min: self.bytes(
                "ingress.body_rate_min",
                &file.body_rate_min,
                BODY_RATE_MIN_DEFAULT,
                BODY_RATE_MIN_RANGE,
            ),
            idle_keep_alive,
            write_stall,
            connections_max: self.size(
                "ingress.connections_max",
                &file.connections_max,
                CONNECTIONS_MAX_DEFAULT,
                CONNECTIONS_MAX_RANGE,
            ),
        }
    }

    fn delivery(&mut self, file: &file::Delivery) -> Delivery {
        use limits::delivery::*;
        let mut time = |name, key, default| self.time(name, key, default, DEADLINE_RANGE);
        let connect_timeout =
            time("delivery.connect_timeout", &file.connect_timeout, CONNECT_TIMEOUT_DEFAULT);
        let timeout = time("delivery.timeout", &file.timeout, TIMEOUT_DEFAULT);
        let idle_connection =
            time("delivery.idle_connection", &file.idle_connection, IDLE_CONNECTION_DEFAULT);
        Delivery {
            parallelism: self.size(
                "delivery.parallelism",
                &file.parallelism,
                PARALLELISM_DEFAULT,
                PARALLELISM_RANGE,
            ),
            max_connections: self.size(
                "delivery.max_connections",
                &file.max_connections,
                MAX_CONNECTIONS_DEFAULT,
                MAX_CONNECTIONS_RANGE,
            ),
            connect_timeout,
            timeout,
            response_body_bytes_max: self.bytes(
                "delivery.response_body_bytes_max",
                &file.response_body_bytes_max,
                RESPONSE_BODY_BYTES_MAX_DEFAULT,
                RESPONSE_BODY_BYTES_MAX_RANGE,
            ) as usize,
            retry_after_max: self.time(
                "delivery.retry_after_max",
                &file.retry_after_max,
                RETRY_AFTER_MAX_DEFAULT,
                RETRY_AFTER_MAX_RANGE,
            ),
            idle_connection,
        }
    }

    fn limits(&mut self, file: &file::Limits) -> Limits {
        use limits::shard::*;
        Limits {
            queue_per_trigger: self.size(
                "limits.queue_per_trigger",
                &file.queue_per_trigger,
                QUEUE_PER_TRIGGER_DEFAULT,
                QUEUE_PER_TRIGGER_RANGE,
            ),
            pending_per_trigger: self.size(
                "limits.pending_per_trigger",
                &file.pending_per_trigger,
                PENDING_PER_TRIGGER_DEFAULT,
                PENDING_PER_TRIGGER_RANGE,
            ),
            pending_batch_bytes: self.bytes(
                "limits.pending_batch_bytes",
                &file.pending_batch_bytes,
                PENDING_BATCH_BYTES_DEFAULT,
                PENDING_BATCH_BYTES_RANGE,
            ) as usize,
            cursor_flush_interval: self.time(
                "limits.cursor_flush_interval",
                &file.cursor_flush_interval,
                CURSOR_FLUSH_INTERVAL_DEFAULT,
                CURSOR_FLUSH_INTERVAL_RANGE,
            ),
            drain_deadline: self.time(
                "limits.drain_deadline",
                &file.drain_deadline,
                DRAIN_DEADLINE_DEFAULT,
                DRAIN_DEADLINE_RANGE,
            ),
            descriptors_reserved: self.size(
                "limits.descriptors_reserved",
                &file.descriptors_reserved,
                DESCRIPTORS_RESERVED_DEFAULT,
                DESCRIPTORS_RESERVED_RANGE,
            ),
        }
    }

    /// What one value demands of another. A mistake is told at the key that is in the
    /// file, the first named where both are.
    fn relations(&mut self, file: &File, config: &Config) {
        self.log_holds_records(file, config);
        let Config { runtime, wal, ingress, delivery, limits } = config;
        let segments_min = limits::wal::SEGMENTS_PER_SHARD_MIN;
        let needed = runtime.shards as u64 * segments_min * wal.segment_bytes;
        let place = [start(&file.wal.max_bytes), start(&file.wal.segment_bytes)];
        self.relation(needed <= wal.max_bytes, &place, || {
            format!(
                "wal.max_bytes ({}) must hold {segments_min} segments of {} for each of {} shards: at least {}",
                bytes_text(wal.max_bytes),
                bytes_text(wal.segment_bytes),
                runtime.shards,
                bytes_text(needed)
            )
        });
        let place = [start(&file.ingress.bodies_bytes_max), start(&file.ingress.body_bytes_max)];
        let needed = 2 * ingress.body_bytes_max as u64;
        self.relation(needed <= ingress.bodies_bytes_max, &place, || {
            format!(
                "ingress.bodies_bytes_max ({}) must hold two bodies of ingress.body_bytes_max ({}): at least {}",
                bytes_text(ingress.bodies_bytes_max),
                bytes_text(ingress.body_bytes_max as u64),
                bytes_text(needed)
            )
        });
        let place = [
            start(&file.delivery.parallelism),
            start(&file.limits.queue_per_trigger),
            start(&file.limits.pending_per_trigger),
        ];
        let room = limits.queue_per_trigger.min(limits.pending_per_trigger);
        self.relation(delivery.parallelism <= room, &place, || {
            format!(
                "delivery.parallelism ({}) must not exceed limits.queue_per_trigger ({}) nor \
                 limits.pending_per_trigger ({})",
                delivery.parallelism, limits.queue_per_trigger, limits.pending_per_trigger
            )
        });
        let place = [start(&file.delivery.connect_timeout), start(&file.delivery.timeout)];
        self.relation(delivery.connect_timeout <= delivery.timeout, &place, || {
            format!(
                "delivery.connect_timeout ({}) must not exceed delivery.timeout ({})",
                duration_text(delivery.connect_timeout),
                duration_text(delivery.timeout)
            )
        });
    }

    /// The largest event and the largest cursor fit the log as it is configured.
    fn log_holds_records(&mut self, file: &File, config: &Config) {
        let Config { wal, ingress, delivery, limits, .. } = config;
        let overhead = limits::wal::record_overhead_bytes(ingress.head_bytes_max as u64);
        let place = [
            start(&file.ingress.body_bytes_max),
            start(&file.delivery.response_body_bytes_max),
            start(&file.wal.segment_bytes),
            start(&file.limits.pending_batch_bytes),
            start(&file.ingress.head_bytes_max),
        ];
        let largest = ingress.body_bytes_max.max(delivery.response_body_bytes_max) as u64 + overhead;
        let log = Options { segment_bytes: wal.segment_bytes, ..Options::default() };
        let room = log.record_bytes_max();
        self.relation(largest <= room, &place, || {
            format!(
                "an event of ingress.body_bytes_max or delivery.response_body_bytes_max takes up to {largest} bytes \
                 of the log, but a record has at most {room} of a segment of wal.segment_bytes ({})",
                bytes_text(wal.segment_bytes)
            )
        });
        self.relation(largest <= limits.pending_batch_bytes as u64, &place, || {
            format!(
                "an event of ingress.body_bytes_max or delivery.response_body_bytes_max takes up to {largest} bytes \
                 of the log, which must not exceed limits.pending_batch_bytes ({})",
                bytes_text(limits.pending_batch_bytes as u64)
            )
        });
        let place_pending = [start(&file.limits.pending_per_trigger), start(&file.wal.segment_bytes)];
        let (room, pending) = (log.cursors_bytes_max(), limits.pending_per_trigger as u64);
        let cursor = (pending + 1) * limits::shard::PENDING_EVENT_BYTES;
        self.relation(cursor <= room, &place_pending, || {
            format!(
                "limits.pending_per_trigger ({pending}) makes a cursor of up to {cursor} bytes, but all cursors \
                 together have {room} of a segment of wal.segment_bytes ({})",
                bytes_text(wal.segment_bytes)
            )
        });
    }

    fn relation(&mut self, holds: bool, places: &[Option<usize>], message: impl FnOnce() -> String) {
        if !holds {
            let at = places.iter().flatten().next().copied().unwrap_or(0);
            self.mistakes.push(self.source.mistake(at, message()));
        }
    }

    /// A count; the range's text is in plain numbers.
    fn size(&mut self, name: &str, key: &Key<Size>, default: u64, allowed: RangeInclusive<u64>) -> usize {
        self.within(name, key, |size: &Size| size.0, default, allowed, |n| n.to_string()) as usize
    }

    /// A number of bytes.
    fn bytes(&mut self, name: &str, key: &Key<Size>, default: u64, allowed: RangeInclusive<u64>) -> u64 {
        self.within(name, key, |size: &Size| size.0, default, allowed, bytes_text)
    }

    fn time(
        &mut self,
        name: &str,
        key: &Key<Time>,
        default: Duration,
        allowed: RangeInclusive<Duration>,
    ) -> Duration {
        self.within(name, key, |time: &Time| time.0, default, allowed, duration_text)
    }

    fn within<K, V: PartialOrd + Copy>(
        &mut self,
        name: &str,
        key: &Key<K>,
        value: impl FnOnce(&K) -> V,
        default: V,
        allowed: RangeInclusive<V>,
        text: impl Fn(V) -> String,
    ) -> V {
        let Some(key) = key else { return default };
        let value = value(key.get_ref());
        if allowed.contains(&value) {
            return value;
        }
        let (least, most) = (text(*allowed.start()), text(*allowed.end()));
        self.mistake(key, format!("{name} = {}: must be between {least} and {most}", text(value)));
        default
    }

    fn mistake<T>(&mut self, key: &toml::Spanned<T>, message: String) {
        self.mistakes.push(self.source.mistake(key.span().start, message));
    }
}

/// Where a value is written, if it is.
fn start<T>(key: &Key<T>) -> Option<usize> {
    key.as_ref().map(|key| key.span().start)
}
