//! Command line of the control plane.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use eagre_settings::{duration, within};
use eagre_snapshot::GRACE_MS_RANGE;

/// Where the data plane listens unless told otherwise.
pub const DEFAULT_INGRESS_URL: &str = "http://127.0.0.1:8080";

/// Reads Knative manifests, compiles them and publishes them to the data plane.
#[derive(Clone, Debug, Parser)]
#[command(name = "eagre-controlplane", version)]
pub struct Args {
    /// Manifest file, or folder that is read with everything below it (*.yaml, *.yml); may be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub filename: Vec<PathBuf>,

    /// Folder of the snapshot that the data plane maps
    #[arg(long, value_name = "DIR")]
    pub snapshot: PathBuf,

    /// Base URL under which the data plane takes events; resolves references to brokers
    #[arg(long, value_name = "URL", default_value = DEFAULT_INGRESS_URL)]
    pub ingress_url: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub grace: Grace,

    /// Make broker default/default with a trigger that sends every event to this URL
    #[arg(long, value_name = "URL")]
    pub builtin_display: Option<String>,

    /// How log lines are written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What vanishes from the manifests. `eagre up` takes the same and hands it on.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Grace {
    /// How long the data plane keeps what vanished from the manifests before it gives up the events of it: 0s to 24h
    #[arg(long = "grace", value_name = "DURATION", value_parser = grace, default_value = "60s")]
    pub ms: u64,
}

impl Grace {
    /// The option as it is written on a command line.
    #[must_use]
    pub fn to_command_line(self) -> [OsString; 2] {
        ["--grace".into(), duration::text(Duration::from_millis(self.ms)).into()]
    }
}

/// The text of `--grace` in milliseconds.
fn grace(text: &str) -> Result<u64, String> {
    let written = |ms: &u64| duration::text(Duration::from_millis(*ms));
    let grace = duration::parse(text).map_err(|error| error.to_string())?.as_millis() as u64;
    within(&grace, &GRACE_MS_RANGE, written).map(|()| grace)
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text for people.
    Text,
    /// One JSON object a line for log collectors.
    Json,
}
