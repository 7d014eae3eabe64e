//! `eagre filter`: filters of triggers tried on one event, without a broker.
//!
//! Promise: the verdict is the broker's. The event is decoded, stamped and shown
//! to filters by the crate that does so at the ingress. Triggers are judged by the
//! matcher that the data plane runs, and only their reasons come from elsewhere; an
//! expression is judged by the evaluator in that matcher.
//!
//! Deliberately absent: brokers, subscribers and delivery. A trigger that matches
//! may still be one that no broker serves.

mod event;
mod failure;

mod expression;
mod triggers;

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    args::{FilterCommand, FilterExplainArgs, FilterTestArgs, Output},
    exit,
};
use failure::Failure;
use triggers::Explained;

/// Runs the command; returns the exit code.
pub fn run(command: &FilterCommand) -> u8 {
    let (outcome, output) = match command {
        FilterCommand::Test(args) => (test(args), args.output),
        FilterCommand::Explain(args) => (explain(args), args.output),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        if output == Output::Json {
            failure.unjudged().for_each(|error| write(&json(&error)));
        }
        failure.code()
    })
}

fn test(args: &FilterTestArgs) -> Result<u8, Failure> {
    let matches = match &args.cesql {
        Some(text) => {
            expression::check(text)?;
            let judged = expression::judge(text, &event::read(&args.event)?);
            print(&judged, args.output);
            judged.matches
        }
        None => {
            let triggers = triggers::load(&args.filename)?;
            let judged = triggers::judge(&triggers, &event::read(&args.event)?);
            judged.iter().for_each(|judged| print(judged, args.output));
            judged.iter().all(|judged| judged.matches)
        }
    };
    Ok(if args.exit_code && !matches { exit::FAILED } else { exit::OK })
}

fn explain(args: &FilterExplainArgs) -> Result<u8, Failure> {
    let triggers = triggers::load(&args.filename)?;
    let judged = triggers::judge(&triggers, &event::read(&args.event)?);
    print(&Explained::of(judged), args.output);
    Ok(exit::OK)
}

/// Prints lines of text, or a line of JSON.
fn print(data: &(impl Display + Serialize), output: Output) {
    write(&match output {
        Output::Text => data.to_string(),
        Output::Json => json(data),
    });
}

/// A line.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("plain data") + "\n"
}

fn write(text: &str) {
    // A reader that closed the pipe has seen enough; the code still tells the rest.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// `text` with one visible character for each that could steer a terminal or begin a
/// line: it may hold what the event has.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
