//! The command line of the data plane: raw strings become types here, before
//! anything is opened. What it leaves out, `eagre.toml` decides (see `tuning`).

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum, error::ErrorKind};

use crate::{
    driver::Requested,
    exit,
    tuning::{Fsync, units},
};

/// The Eagre data plane: accepts events, stores them, delivers them.
#[derive(Clone, Debug, Parser)]
#[command(name = "eagre-dataplane", version, max_term_width = 110)]
pub struct Args {
    /// Directory of the log; created where it does not exist
    #[arg(long, value_name = "DIR", default_value = "./eagre-data")]
    pub data: PathBuf,

    /// Directory of the snapshot that the control plane publishes [default: <data>/snapshot]
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,

    /// Address where events are accepted
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address of health, metrics and the admin interface
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub admin: SocketAddr,

    /// Number of shards, one thread and one log each [default: one per core]
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,

    /// How shards wait for the kernel; `auto` takes io_uring where it is allowed
    /// [default: auto]
    #[arg(long, value_enum)]
    pub driver: Option<Requested>,

    /// When an event is acknowledged: after the disk has it (always), at most this long
    /// before (interval:MS, 5ms), or once the page cache has it (never) [default: always]
    #[arg(long, value_name = "always|never|interval:MS", value_parser = units::fsync)]
    pub fsync: Option<Fsync>,

    /// Tuning file (eagre.toml); the options above override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Format of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Args {
    /// Reads the process's command line. On `--help` and `--version` the text is
    /// printed, on misuse the reason; then `Err` holds the code to exit with.
    ///
    /// # Errors
    /// [`exit::OK`] after help, [`exit::USAGE`] after misuse.
    pub fn from_command_line() -> Result<Args, ExitCode> {
        Args::try_parse().map_err(|error| {
            // Nothing is left to do where even standard error is closed.
            let _ = error.print();
            exit_of(&error).into()
        })
    }

    /// The snapshot's directory.
    #[must_use]
    pub fn snapshot_dir(&self) -> PathBuf {
        self.snapshot.clone().unwrap_or_else(|| self.data.join("snapshot"))
    }
}

fn exit_of(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::OK,
        _ => exit::USAGE,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("eagre-dataplane").chain(args.iter().copied()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.data, PathBuf::from("./eagre-data"));
        assert_eq!(args.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(args.admin.to_string(), "127.0.0.1:9092");
        assert_eq!(args.snapshot_dir(), PathBuf::from("./eagre-data/snapshot"));
        assert!(args.fsync.is_none() && args.driver.is_none() && args.shards.is_none());
    }

    #[test]
    fn fsync_takes_its_three_forms() {
        let fsync = |text| parse(&["--fsync", text]).unwrap().fsync.unwrap();
        assert_eq!(fsync("always"), Fsync::Always);
        assert_eq!(fsync("never"), Fsync::Never);
        assert_eq!(fsync("interval:5"), Fsync::Interval(Duration::from_millis(5)));
        assert_eq!(fsync("5ms"), Fsync::Interval(Duration::from_millis(5)));
    }

    #[test]
    fn misuse_is_told_from_a_call_for_help() {
        assert_eq!(exit_of(&parse(&["--fsync", "sometimes"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--listen", "nowhere"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--no-such-option"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--help"]).unwrap_err()), exit::OK);
    }
}
