//! The configuration in force: built-in defaults, overridden by `eagre.toml`,
//! overridden by the command line. Everything is typed and checked once, before
//! anything is opened; nothing below this module sees a string or checks a range.
//!
//! A mistake is told with file, line and column and with what is allowed. All
//! mistakes of ranges and relations are told together.

mod section;
mod written;
mod document;
mod runtime;
mod wal;
mod ingress;
mod delivery;
mod limits;
mod relations;
mod options;
mod args;
mod reference;

use std::{fmt, io, path::PathBuf};

use eagre_http1 as http1;
use eagre_settings::within;

use self::document::Document;
use self::reference::help;
pub use self::{
    args::{Args, LogFormat},
    delivery::Delivery,
    ingress::Ingress,
    limits::Limits,
    options::TuningArgs,
    reference::sample,
    runtime::Runtime,
    wal::Wal,
};
use crate::{limits as bounds, runtime::exit};

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

impl Config {
    /// What the codec takes of a request.
    #[must_use]
    pub fn request_limits(&self) -> http1::Limits {
        http1::Limits {
            head_bytes_max: self.ingress.head_bytes_max,
            headers_max: self.ingress.headers_max,
            chunk_line_bytes_max: bounds::ingress::CHUNK_LINE_BYTES_MAX,
            trailer_bytes_max: bounds::ingress::TRAILER_BYTES_MAX,
        }
    }

    /// What the codec takes of a subscriber's response.
    #[must_use]
    pub fn response_limits(&self) -> http1::Limits {
        http1::Limits {
            head_bytes_max: bounds::delivery::RESPONSE_HEAD_BYTES_MAX,
            headers_max: bounds::http1::HEADERS_MAX,
            ..self.request_limits()
        }
    }

    /// The configuration that `args` and the file they name make up.
    ///
    /// # Errors
    /// The file cannot be read, is malformed, or a value is out of its range or
    /// contradicts another; [`ConfigError::exit`] tells how to end.
    pub fn load(args: &TuningArgs) -> Result<Config, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = match &args.config {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?,
        };
        Self::read(&text, args, cores)
    }

    fn read(text: &str, args: &TuningArgs, cores: usize) -> Result<Config, ConfigError> {
        if let Some(shards) = args.shards {
            within(&shards, &runtime::SHARDS_RANGE, usize::to_string)
                .map_err(|problem| ConfigError::Arguments(format!("--shards {shards}: {problem}")))?;
        }
        let path = args.config.clone().unwrap_or_else(|| "eagre.toml".into());
        let mut document =
            Document::parse(path, text).map_err(|mistake| ConfigError::Mistakes(vec![mistake]))?;
        let mut runtime = Runtime::read(&mut document, cores);
        runtime.shards = args.shards.unwrap_or(runtime.shards);
        runtime.driver = args.driver.unwrap_or(runtime.driver);
        let mut wal = Wal::read(&mut document, runtime.shards);
        wal.fsync = args.fsync.unwrap_or(wal.fsync);
        let config = Config {
            runtime,
            wal,
            ingress: Ingress::read(&mut document),
            delivery: Delivery::read(&mut document),
            limits: Limits::read(&mut document),
        };
        relations::judge(&config, &mut document);
        document.finish().map_err(ConfigError::Mistakes)?;
        Ok(config)
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
