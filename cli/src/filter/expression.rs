//! One CESQL expression: its value, its error and its verdict.

use std::{
    fmt::{self, Display},
    path::Path,
};

use eagre_controlplane::{Diagnostic, manifest::Place};
use eagre_event::Draft;
use eagre_filter::{
    Filter, Stop,
    cesql::{Error, ErrorKind, Output, SyntaxError, evaluate, parse},
    explain,
};
use serde::{Serialize, Serializer};

use super::{
    failure::{Failure, Input},
    printable,
};

/// What an expression makes of an event.
#[derive(Debug, Serialize)]
pub struct Judged {
    #[serde(serialize_with = "plain")]
    value: Output,
    #[serde(serialize_with = "kind")]
    error: Option<Error>,
    /// Whether a filter of this expression lets the event pass.
    pub matches: bool,
    /// The operands that did not hold; nothing if it matches.
    #[serde(skip)]
    stops: Vec<Stop>,
}

/// Says what is wrong with the text of an expression.
pub fn check(text: &str) -> Result<(), Failure> {
    parse(text).map(drop).map_err(|error| Failure::new(Input::Expression, refusal(text, error)))
}

/// Evaluates an expression that was checked.
pub fn judge(text: &str, event: &Draft) -> Judged {
    let evaluation = evaluate(text, event, None);
    let matches = evaluation.passes();
    let reasons = explain(&Filter::Cesql(text.to_owned()), event, None);
    let stops = reasons.expect("a text that parses is a valid filter").stops;
    Judged { value: evaluation.value, error: evaluation.error, matches, stops }
}

/// The mistake at its line and column of the expression.
fn refusal(text: &str, error: SyntaxError) -> Diagnostic {
    let before = &text[..error.at];
    let (start, line) = match before.rfind('\n') {
        Some(end) => (end + 1, before.matches('\n').count() + 1),
        None => (0, 1),
    };
    let column = text[start..error.at].chars().count() + 1;
    let place = Place { path: Path::new("--cesql").into(), line, column };
    let hint = match text.is_empty() {
        true => "write a condition; in a trigger, an empty `cesql` is skipped and keeps no event away",
        false => &error.hint,
    };
    let mut diagnostic = Diagnostic::error(&place, error.message, hint);
    diagnostic.source = text[start..].lines().next().unwrap_or_default().to_owned();
    diagnostic
}

impl Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Output::String(text) => writeln!(f, "value    {text:?}")?,
            value => writeln!(f, "value    {value}")?,
        }
        match &self.error {
            Some(error) => writeln!(f, "error    {error}")?,
            None => writeln!(f, "error    none")?,
        }
        writeln!(f, "matches  {}", if self.matches { "yes" } else { "no" })?;
        for stop in &self.stops {
            writeln!(f, "because  {}\n         {}", printable(&stop.text), printable(&stop.actual))?;
        }
        Ok(())
    }
}

/// The value as the JSON of its type.
fn plain<S: Serializer>(value: &Output, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Output::String(text) => serializer.serialize_str(text),
        Output::Integer(number) => serializer.serialize_i32(*number),
        Output::Boolean(truth) => serializer.serialize_bool(*truth),
    }
}

/// The name that the specification gives the kind of error.
fn kind<S: Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(|error| ErrorKind::name(error.kind)).serialize(serializer)
}
