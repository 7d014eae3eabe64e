//! `eagre check`: manifests judged as they would be, and nothing published.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use crate::args::DEFAULT_INGRESS_URL;
use crate::load::load;
use crate::manifest::{Diagnostic, Severity};
use crate::resolve::Resolver;
use crate::source::files;

/// The outcome of a check. `Display` writes every remark, then a summary;
/// `Serialize` gives the same as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files read.
    pub files: usize,
    /// Brokers of class `Eagre`; 0 if there is an error.
    pub brokers: usize,
    /// Triggers that would be active; 0 if there is an error.
    pub triggers: usize,
    /// Every remark, in the order of files and positions.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses and validates manifest files and folders without publishing anything.
pub fn check(paths: &[PathBuf]) -> Report {
    let resolver = Resolver::new(DEFAULT_INGRESS_URL).expect("the default ingress URL is one");
    let sources = files::read(paths);
    let loaded = load(&sources, &resolver);
    let snapshot = loaded.snapshot.unwrap_or_default();
    Report {
        files: sources.files.len(),
        brokers: snapshot.brokers.len(),
        triggers: snapshot.triggers.len(),
        diagnostics: loaded.diagnostics,
    }
}

impl Report {
    /// Whether the manifests can be used: no remark is an error.
    pub fn is_ok(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many remarks have this weight.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{diagnostic}\n")?;
        }
        let count = |number, word| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        write!(f, "{}: ", count(self.files, "file"))?;
        if self.is_ok() {
            write!(f, "{}, {}; ", count(self.brokers, "broker"), count(self.triggers, "trigger"))?;
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        write!(f, "{}, {}", count(errors, "error"), count(warnings, "warning"))
    }
}
