//! The command line of the data plane: raw strings become types here, before
//! anything is opened. What it leaves out, `eagre.toml` decides (see `tuning`).

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum, error::ErrorKind};

use super::{TuningArgs, help};
use crate::runtime::exit;

/// The Eagre data plane: accepts events, stores them, delivers them.
#[derive(Clone, Debug, Parser)]
#[command(name = "eagre-dataplane", version, max_term_width = 110, after_long_help = help())]
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

    #[command(flatten)]
    #[allow(missing_docs)]
    pub tuning: TuningArgs,

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
    use clap::CommandFactory;
    use eagre_settings::Fsync;

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
        assert!(args.tuning.to_command_line().is_empty());
    }

    #[test]
    fn fsync_takes_its_three_forms() {
        let fsync = |text| parse(&["--fsync", text]).unwrap().tuning.fsync.unwrap();
        assert_eq!(fsync("always"), Fsync::Always);
        assert_eq!(fsync("never"), Fsync::Never);
        assert_eq!(fsync("interval:5"), Fsync::Interval { ms: 5 });
        assert_eq!(fsync("5ms"), Fsync::Interval { ms: 5 });
    }

    #[test]
    fn the_long_help_lists_the_keys_of_the_tuning_file() {
        let help = Args::command().render_long_help().to_string();
        assert!(
            help.contains("\n  [ingress]\n") && help.contains("\"256MiB\" (size, 1MiB to 64GiB)"),
            "{help}"
        );
    }

    #[test]
    fn options_of_tuning_are_handed_on_as_they_were_given() {
        let line = ["--config", "a b.toml", "--shards", "3", "--driver", "epoll", "--fsync", "interval:5"];
        assert_eq!(parse(&line).unwrap().tuning.to_command_line(), line);
    }

    #[test]
    fn misuse_is_told_from_a_call_for_help() {
        assert_eq!(exit_of(&parse(&["--fsync", "sometimes"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--listen", "nowhere"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--no-such-option"]).unwrap_err()), exit::USAGE);
        assert_eq!(exit_of(&parse(&["--help"]).unwrap_err()), exit::OK);
    }
}
