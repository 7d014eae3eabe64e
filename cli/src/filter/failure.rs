//! Why nothing could be judged.

use std::fmt::{self, Display};

use eagre_controlplane::Diagnostic;
use serde::Serialize;

use crate::exit;

/// Which input is wrong.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// The text is no expression.
    Expression,
    /// The event cannot be read.
    Unreadable,
    /// What was read is no event.
    Event,
    /// The manifests cannot be used, or have no trigger.
    Manifests,
}

/// What is wrong with the input.
#[derive(Debug)]
pub struct Failure {
    input: Input,
    /// At least one remark.
    diagnostics: Vec<Diagnostic>,
}

/// An error in the place of a verdict, for `-o json`.
#[derive(Debug, Serialize)]
pub struct Unjudged<'f> {
    value: Option<()>,
    error: &'static str,
    matches: bool,
    #[serde(flatten)]
    diagnostic: &'f Diagnostic,
}

impl Failure {
    /// One thing is wrong.
    pub fn new(input: Input, diagnostic: Diagnostic) -> Failure {
        Failure::all(input, vec![diagnostic])
    }

    /// Several things may be.
    pub fn all(input: Input, diagnostics: Vec<Diagnostic>) -> Failure {
        Failure { input, diagnostics }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self.input {
            Input::Expression | Input::Event => exit::DATA,
            Input::Unreadable => exit::NO_INPUT,
            Input::Manifests => exit::CONFIG,
        }
    }

    /// Each error, as an object like a verdict.
    pub fn unjudged(&self) -> impl Iterator<Item = Unjudged<'_>> {
        // The specification of CESQL names the first.
        let error = match self.input {
            Input::Expression => "parse",
            Input::Unreadable | Input::Event => "event",
            Input::Manifests => "manifest",
        };
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        errors.map(move |diagnostic| Unjudged { value: None, error, matches: false, diagnostic })
    }
}

/// The remarks, an empty line between two.
impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.diagnostics.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "\n\n" })?;
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
