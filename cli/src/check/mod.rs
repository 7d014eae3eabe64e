//! `eagre check`: whether Eagre will run well on this machine and whether manifests are
//! right, each finding with what to do about it.
//!
//! Promise: nothing is left behind, nothing is changed. Its checks look at what `eagre up`
//! would use, with the same options.

mod finding;

mod disk;
mod kernel;
mod resources;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use eagre_controlplane::Report;
use serde::Serialize;

use crate::{
    args::{CheckArgs, Output},
    exit,
};
use finding::{Finding, Status};

/// Runs all checks and prints them; returns the exit code.
pub fn run(args: &CheckArgs) -> u8 {
    let outcome = Outcome::observe(args);
    let text = match args.output {
        Output::Text => outcome.to_text(),
        Output::Json => serde_json::to_string_pretty(&outcome).expect("plain data") + "\n",
    };
    // A reader that closed the pipe has seen enough; the code still tells the rest.
    let _ = io::stdout().write_all(text.as_bytes());
    outcome.code()
}

/// Everything that was found; with `-o json`, the document.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Nothing fails and no manifest is wrong.
    ok: bool,
    checks: Vec<Finding>,
    /// Absent without `-f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests: Option<Report>,
}

impl Outcome {
    fn observe(args: &CheckArgs) -> Outcome {
        let place = &args.place;
        let mut checks = kernel::findings();
        checks.extend(resources::findings());
        checks.extend(disk::findings(&place.data));
        checks.push(resources::port("ingress port", place.listen, "--listen"));
        checks.push(resources::port("admin port", place.admin, "--admin"));
        let manifests = (!args.filename.is_empty()).then(|| eagre_controlplane::check(&args.filename));
        let ok = checks.iter().all(|check| check.status != Status::Fail)
            && manifests.as_ref().is_none_or(Report::is_ok);
        Outcome { ok, checks, manifests }
    }

    /// Wrong manifests come first: they are wrong on every machine.
    fn code(&self) -> u8 {
        match &self.manifests {
            Some(report) if !report.is_ok() => exit::CONFIG,
            _ if self.ok => exit::OK,
            _ => exit::FAILED,
        }
    }

    fn to_text(&self) -> String {
        let mut text: String = self.checks.iter().map(ToString::to_string).collect();
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        let (ok, warnings, failures) = (count(Status::Ok), count(Status::Warn), count(Status::Fail));
        writeln!(text, "\nhost: {ok} ok, {warnings} to look at, {failures} failing")
            .expect("a String takes everything");
        if let Some(report) = &self.manifests {
            writeln!(text, "\nmanifests\n{report}").expect("a String takes everything");
        }
        text
    }
}
