//! Values during an evaluation, and the casts between their types.

use super::error::ErrorKind;
use crate::value::{Decimal, Value, boolean_text};

/// A value on the evaluation stack. Text is borrowed from the event or the
/// program wherever it can be.
#[derive(Clone, Debug)]
pub(crate) enum Operand<'a> {
    Boolean(bool),
    Integer(i32),
    Text(&'a str),
    Decimal(Decimal),
    Owned(String),
}

/// What an operator or a function yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    Integer,
    String,
}

impl Type {
    /// What stands beside an error.
    pub(crate) fn zero(self) -> Operand<'static> {
        match self {
            Type::Boolean => Operand::Boolean(false),
            Type::Integer => Operand::Integer(0),
            Type::String => Operand::Text(""),
        }
    }
}

impl<'a> Operand<'a> {
    /// The characters, if the value is a string already.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Decimal(decimal) => Some(decimal.as_str()),
            Operand::Owned(text) => Some(text),
            Operand::Boolean(_) | Operand::Integer(_) => None,
        }
    }

    /// Casts to String, which always succeeds.
    pub(crate) fn into_text(self) -> Operand<'a> {
        match self {
            Operand::Boolean(truth) => Operand::Text(boolean_text(truth)),
            Operand::Integer(number) => Operand::Decimal(Decimal::of(number)),
            text => text,
        }
    }

    /// Casts to Integer.
    pub(crate) fn integer(&self) -> Result<i32, ErrorKind> {
        match self {
            Operand::Boolean(truth) => Ok(i32::from(*truth)),
            Operand::Integer(number) => Ok(*number),
            _ => self.text().unwrap_or_default().parse().map_err(|_| ErrorKind::Cast),
        }
    }

    /// Casts to Boolean.
    pub(crate) fn boolean(&self) -> Result<bool, ErrorKind> {
        match self {
            Operand::Boolean(truth) => Ok(*truth),
            Operand::Integer(number) => Ok(*number != 0),
            _ => match self.text().unwrap_or_default() {
                text if text.eq_ignore_ascii_case("true") => Ok(true),
                text if text.eq_ignore_ascii_case("false") => Ok(false),
                _ => Err(ErrorKind::Cast),
            },
        }
    }

    /// What NOT makes of the value. Of the integers it takes only those that a
    /// Boolean casts to: the specification's table of casts has a Boolean for
    /// each, but its conformance suite wants `NOT 10` to be a cast error.
    pub(crate) fn negation(&self) -> Result<bool, ErrorKind> {
        match self {
            Operand::Integer(number) if !(0..=1).contains(number) => Err(ErrorKind::Cast),
            other => Ok(!other.boolean()?),
        }
    }

    /// Whether `self`, cast to the type of `other`, equals `other`.
    pub(crate) fn equals(self, other: &Operand<'_>) -> Result<bool, ErrorKind> {
        Ok(match other {
            Operand::Boolean(truth) => self.boolean()? == *truth,
            Operand::Integer(number) => self.integer()? == *number,
            text => self.into_text().text() == text.text(),
        })
    }
}

impl<'a> From<Value<'a>> for Operand<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::String(text) => Operand::Text(text),
            Value::Integer(number) => Operand::Integer(number),
            Value::Boolean(truth) => Operand::Boolean(truth),
        }
    }
}
