//! What is wrong with a filter, in words for its author.

use std::fmt;

/// One mistake in a filter, found when it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where inside the filter, for example `filters[2].any[0].prefix`.
    pub path: String,
    /// Of a CESQL expression: the character the mistake begins at, from 1.
    pub column: Option<usize>,
    /// What is wrong. Of a CESQL expression two more lines follow: the
    /// expression, and a caret under the column.
    pub message: String,
    /// How to mend it; empty if there is nothing to add.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
