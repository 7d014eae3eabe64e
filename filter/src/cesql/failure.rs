//! How a step fails.

use super::error::ErrorKind;
use super::operand::Operand;

/// An error, and the value that the specification wants beside it where that
/// is not the zero value: of ABS, LEFT and RIGHT.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) kind: ErrorKind,
    pub(crate) value: Option<Operand<'a>>,
}

impl<'a> Failure<'a> {
    pub(crate) fn with(kind: ErrorKind, value: Operand<'a>) -> Failure<'a> {
        Failure { kind, value: Some(value) }
    }
}

impl From<ErrorKind> for Failure<'_> {
    fn from(kind: ErrorKind) -> Self {
        Failure { kind, value: None }
    }
}
