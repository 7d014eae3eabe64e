//! The configuration in force: built-in defaults, overridden by `eagre.toml`,
//! overridden by the command line. Everything is typed and checked once, before
//! anything is opened; nothing below this module sees a string or checks a range.
//!
//! A mistake is told with file, line and column and with what is allowed. All
//! mistakes of ranges and relations are told together.

mod check;
mod file;
pub mod units;

use std::{fmt, io, path::PathBuf, time::Duration};

use eagre_http1 as http1;

pub use eagre_wal::{Fsync, Retain};

use crate::{args::Args, driver::Requested, exit, limits};

/// Every setting of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Threads and their driver.
    pub runtime: Runtime,
    /// The log.
    pub wal: Wal,
    /// What producers may do.
    pub ingress: Ingress,
    /// What is done to subscribers.
    pub delivery: Delivery,
    /// What a shard holds, and when it stops.
    pub limits: Limits,
}

/// `[runtime]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Number of shards; default one per core that the process may use.
    pub shards: usize,
    /// The CPU each shard is bound to, one per shard; empty takes those the process may
    /// use, in order.
    pub cpus: Vec<usize>,
    /// What was asked for; `driver::choose` decides.
    pub driver: Requested,
}

/// `[wal]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wal {
    /// Bytes of one segment file.
    pub segment_bytes: u64,
    /// Bytes of disk that the logs of all shards may take together.
    pub max_bytes: u64,
    /// When an event counts as stored, where its broker does not say.
    pub fsync: Fsync,
    /// How long events are kept that no trigger needs any more.
    pub retain: Retain,
    /// Bytes of disk, on all shards together, that the backlogs of all brokers may
    /// take: events that only triggers still need which are far behind.
    pub backlog_bytes_max: u64,
    /// Bytes of them for one broker, where it does not say.
    pub backlog_bytes_max_per_broker: u64,
}

impl Wal {
    /// Bytes of disk for the log of one of `shards` shards, in whole segments.
    #[must_use]
    pub fn max_bytes_per_shard(&self, shards: usize) -> u64 {
        let share = self.max_bytes / shards as u64;
        share - share % self.segment_bytes
    }
}

/// `[ingress]`: reasons and ranges in [`crate::limits::ingress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Bytes of a request's line and fields.
    pub head_bytes_max: usize,
    /// Fields of a request.
    pub headers_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of the bodies of all requests that the process holds, on all shards together.
    pub bodies_bytes_max: u64,
    /// From a request's first byte to the end of its head.
    pub header_deadline: Duration,
    /// From the end of the head to the end of the body, see [`Ingress::body_deadline_for`].
    pub body_deadline: Duration,
    /// Bytes per second that extend the body's deadline.
    pub body_rate_min: u64,
    /// Between requests of one connection.
    pub idle_keep_alive: Duration,
    /// Until the client has read a response.
    pub write_stall: Duration,
    /// Connections of one shard.
    pub connections_max: usize,
}

impl Ingress {
    /// The time allowed for a body of `bytes`: the fixed part and what the slowest
    /// admitted rate takes.
    #[must_use]
    pub fn body_deadline_for(&self, bytes: u64) -> Duration {
        self.body_deadline + Duration::from_secs(bytes / self.body_rate_min)
    }
}

/// `[delivery]`: reasons and ranges in [`crate::limits::delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Attempts of one trigger on one shard at the same time.
    pub parallelism: usize,
    /// Connections of one shard to all subscribers together.
    pub max_connections: usize,
    /// Until a connection is established.
    pub connect_timeout: Duration,
    /// For one attempt, where the trigger sets none.
    pub timeout: Duration,
    /// Bytes of a reply.
    pub response_body_bytes_max: usize,
    /// Cap on `Retry-After`, where the trigger sets none; zero ignores the field.
    pub retry_after_max: Duration,
    /// How long an unused connection is kept.
    pub idle_connection: Duration,
}

/// `[limits]`: reasons and ranges in [`crate::limits::shard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Matched events of one trigger waiting on one shard.
    pub queue_per_trigger: usize,
    /// Events of one trigger on one shard waiting for their next attempt.
    pub pending_per_trigger: usize,
    /// Bytes appended that wait for the flush under way.
    pub pending_batch_bytes: usize,
    /// How often moved cursors go to the log.
    pub cursor_flush_interval: Duration,
    /// From the request to stop to the end.
    pub drain_deadline: Duration,
    /// File descriptors of the process that no connection of a producer gets.
    pub descriptors_reserved: usize,
}

impl Config {
    /// What the codec takes of a request.
    #[must_use]
    pub fn request_limits(&self) -> http1::Limits {
        http1::Limits {
            head_bytes_max: self.ingress.head_bytes_max,
            headers_max: self.ingress.headers_max,
            chunk_line_bytes_max: limits::ingress::CHUNK_LINE_BYTES_MAX,
            trailer_bytes_max: limits::ingress::TRAILER_BYTES_MAX,
        }
    }

    /// What the codec takes of a subscriber's response.
    #[must_use]
    pub fn response_limits(&self) -> http1::Limits {
        http1::Limits {
            head_bytes_max: limits::delivery::RESPONSE_HEAD_BYTES_MAX,
            headers_max: limits::http1::HEADERS_MAX as usize,
            ..self.request_limits()
        }
    }

    /// The configuration that `args` and the file they name make up.
    ///
    /// # Errors
    /// The file cannot be read, is malformed, or a value is out of its range or
    /// contradicts another; [`ConfigError::exit`] tells how to end.
    pub fn load(args: &Args) -> Result<Config, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let Some(path) = &args.config else {
            return check::Source { path: "eagre.toml".into(), text: String::new() }.check(args, cores);
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
        check::Source { path: path.clone(), text }.check(args, cores)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` cannot be read.
    #[error("--config {}: {error}; name a file that this user can read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What the file says is not a configuration.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
    /// What the command line says contradicts the limits.
    #[error("{0}")]
    Arguments(String),
}

impl ConfigError {
    /// The code to exit with.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            ConfigError::Unreadable { .. } | ConfigError::Mistakes(_) => exit::CONFIG,
            ConfigError::Arguments(_) => exit::USAGE,
        }
    }
}

/// One mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub path: PathBuf,
    /// Line and column, in characters, both from 1.
    pub place: (usize, usize),
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.place;
        write!(formatter, "{}:{line}:{column}: {}", self.path.display(), self.message)
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
