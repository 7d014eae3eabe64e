//! Why a text is not an expression, shown at the place.

use std::fmt::Write;

/// Characters of the expression shown before and after the caret.
const CONTEXT_CHARS: usize = 60;

/// The first thing in a text that keeps it from being an expression (error
/// kind `parse`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The byte of the text the mistake begins at.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it, or nothing.
    pub hint: String,
}

impl SyntaxError {
    pub(crate) fn new(at: usize, message: String, hint: String) -> SyntaxError {
        SyntaxError { at, message, hint }
    }

    /// The column of the mistake in `text`, in characters from 1.
    pub fn column(&self, text: &str) -> usize {
        text[..self.at].chars().count() + 1
    }

    /// Message, expression and caret on three lines. Of a long expression only
    /// the surroundings are shown; line breaks are shown as blanks.
    pub fn show(&self, text: &str) -> String {
        let mark = self.column(text) - 1;
        let first = mark.saturating_sub(CONTEXT_CHARS);
        let mut shown = String::new();
        if first > 0 {
            shown.push('…');
        }
        let caret = shown.chars().count() + mark - first;
        shown.extend(
            text.chars()
                .skip(first)
                .take(mark - first + CONTEXT_CHARS)
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
        if text.chars().nth(mark + CONTEXT_CHARS).is_some() {
            shown.push('…');
        }
        let mut lines = self.message.clone();
        write!(lines, "\n{shown}\n{:caret$}^", "").expect("a string takes every write");
        lines
    }
}
