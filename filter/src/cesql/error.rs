//! The kinds of error of the specification.

use std::fmt;

/// What went wrong in an expression. A value is there all the same; but a
/// filter with an error does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not an expression.
    Parse,
    /// A result outside of the 32-bit integers, or a division by zero.
    Math,
    /// A value has no counterpart in the type that is needed.
    Cast,
    /// The event lacks an attribute that the expression reads.
    MissingAttribute,
    /// No function has this name and number of arguments.
    MissingFunction,
    /// A function refused its arguments.
    FunctionEvaluation,
    /// Anything else.
    Generic,
}

impl ErrorKind {
    /// The name the specification gives it.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Parse => "parse",
            ErrorKind::Math => "math",
            ErrorKind::Cast => "cast",
            ErrorKind::MissingAttribute => "missingAttribute",
            ErrorKind::MissingFunction => "missingFunction",
            ErrorKind::FunctionEvaluation => "functionEvaluation",
            ErrorKind::Generic => "generic",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
