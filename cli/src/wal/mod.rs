//! `eagre wal`: the logs of a data directory, seen from outside.
//!
//! Promise: `inspect` and `verify` take no lock and write nothing, so that they may
//! run beside the process that has the log; `salvage` writes to a new directory only.
//! Every judgement is that of the log's own code; what records mean, the data plane
//! says.
//!
//! Deliberately absent: mending a log where it lies.

mod logs;
mod shown;

mod inspect;
mod records;
mod salvage;
mod verify;

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use eagre_wal::{InspectError, Lsn, Since};
use serde::Serialize;

use crate::{
    args::{Output, WalCommand},
    exit,
};

/// What to say on standard error, and the code to exit with.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Display) -> Failure {
        Failure { code, message: message.to_string() }
    }
}

impl From<InspectError> for Failure {
    fn from(error: InspectError) -> Failure {
        Failure::new(exit::NO_INPUT, error)
    }
}

/// Runs the command; returns the exit code.
pub fn run(command: &WalCommand) -> u8 {
    let outcome = match command {
        WalCommand::Inspect(args) if args.records => records::run(args),
        WalCommand::Inspect(args) => inspect::run(args),
        WalCommand::Verify(args) => verify::run(args),
        WalCommand::Salvage(args) => salvage::run(args),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("error: {}", failure.message);
        failure.code
    })
}

/// Reads the value of `--from`.
pub fn since(text: &str) -> Result<Since, String> {
    if let Ok(lsn) = text.parse::<Lsn>() {
        return Ok(Since::Lsn(lsn));
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        "neither a position (sixteen hexadecimal digits, as inspect shows them) nor a time (RFC 3339)"
            .to_owned()
    })?;
    Ok(Since::Time(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}

/// Prints a whole document.
fn print(data: &(impl Display + Serialize), output: Output) {
    let text = match output {
        Output::Text => data.to_string(),
        Output::Json => serde_json::to_string_pretty(data).expect("plain data") + "\n",
    };
    // A reader that closed the pipe has seen enough; the code still tells the rest.
    let _ = io::stdout().write_all(text.as_bytes());
}
