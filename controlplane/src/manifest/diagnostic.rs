//! Remarks about manifests: where, what is wrong, how to mend it.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Serialize, Serializer};

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifests cannot be used.
    Error,
    /// The manifests are used, but something in them has no effect.
    Warning,
    /// Something was left alone on purpose.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        })
    }
}

/// A position in a manifest file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: Arc<Path>,
    /// Line, counted from 1; 0 means the file as a whole.
    pub line: usize,
    /// Column in characters, counted from 1; 0 where there is no line.
    pub column: usize,
}

impl Place {
    /// The file as a whole.
    pub fn file(path: &Path) -> Place {
        Place { path: path.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// A value together with the position it was written at.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub place: Place,
}

/// One remark about a place in a manifest. `Display` writes it the way
/// compilers do: position, message, the line with a caret, the hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// The file, as named by the user or found below a folder.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Line, counted from 1; 0 where the remark concerns the file as a whole.
    pub line: usize,
    /// Column in characters, counted from 1; 0 where there is no line.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it; may be empty.
    pub hint: String,
    /// The text of the line; may be empty.
    pub source: String,
}

impl Diagnostic {
    /// A remark about `place`; the line's text is added when all are collected.
    pub fn new(
        severity: Severity,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            path: place.path.to_path_buf(),
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: hint.into(),
            source: String::new(),
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// An error at `place`.
    pub fn error(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, place, message, hint)
    }

    /// A warning at `place`.
    pub fn warning(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, place, message, hint)
    }

    /// A piece of information about `place`.
    pub fn info(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Info, place, message, hint)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place { path: self.path.as_path().into(), line: self.line, column: self.column };
        write!(f, "{place}: {}: {}", self.severity, printable(&self.message))?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        if !self.source.is_empty() {
            // The caret's indent repeats the line's own tabs, so that it stands
            // under its column whatever a tab's width.
            let indent: String = self
                .source
                .chars()
                .take(self.column.saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let source = printable(&self.source);
            write!(f, "\n  {margin} |\n  {number} | {source}\n  {margin} | {indent}^")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  {margin} = hint: {}", printable(&self.hint))?;
        }
        Ok(())
    }
}

/// `text` with one visible character for each that could steer a terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\t' && c != '\n';
    if text.contains(steers) { text.replace(steers, "\u{fffd}").into() } else { text.into() }
}

/// A path need not be UTF-8, JSON must be.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        let mut diagnostic = Diagnostic::error(
            &Place { path: Path::new("a.yaml").into(), line: 12, column: 3 },
            "retry is negative",
            "write 0 or more",
        );
        diagnostic.source = "  retry: -1".to_owned();
        assert_eq!(
            diagnostic.to_string(),
            "a.yaml:12:3: error: retry is negative\n     |\n  12 |   retry: -1\n     |   ^\n     = hint: write 0 or more"
        );
    }

    #[test]
    fn a_manifest_cannot_steer_the_terminal() {
        let diagnostic = Diagnostic::error(&Place::file(Path::new("a")), "bad name `\u{1b}[2J`", "");
        assert_eq!(diagnostic.to_string(), "a: error: bad name `\u{fffd}[2J`");
    }

    #[test]
    fn a_remark_about_a_whole_file_shows_no_line() {
        let diagnostic = Diagnostic::error(&Place::file(Path::new("a.yaml")), "cannot be read", "");
        assert_eq!(diagnostic.to_string(), "a.yaml: error: cannot be read");
    }
}
