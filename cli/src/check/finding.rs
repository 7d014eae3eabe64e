//! One thing that was examined.

use std::fmt::{self, Display};

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Eagre runs, but slower, or with less room, or with a weaker promise.
    Warn,
    /// Eagre will not run.
    Fail,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was examined.
    pub name: &'static str,
    /// How it came out.
    pub status: Status,
    /// What was seen.
    pub detail: String,
    /// What to do about it; nothing when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Finding {
        Finding { name, status: Status::Ok, detail: detail.into(), hint: None }
    }

    /// Something to look at.
    pub fn warn(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { name, status: Status::Warn, detail: detail.into(), hint: Some(hint.into()) }
    }

    /// Something that has to change.
    pub fn fail(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { name, status: Status::Fail, detail: detail.into(), hint: Some(hint.into()) }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        writeln!(f, "{status:4}  {:14}  {}", self.name, self.detail)?;
        match &self.hint {
            Some(hint) => writeln!(f, "{:22}hint: {hint}", ""),
            None => Ok(()),
        }
    }
}
