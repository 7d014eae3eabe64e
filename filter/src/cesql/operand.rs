//! Values during an evaluation, and the casts between their types.

use super::error::ErrorKind;
use crate::value::{Decimal, Value, boolean_text};

/// A value on the evaluation stack. Text is borrowed from the event or the
/// program wherever it can be.
#[derive(Clone, Debug)]
pub(crate) enum Operand<'a> {
    /// An attribute the event does not carry: whatever is empty in the type
    /// that is needed, and `false` where none is. The error was raised when
    /// the attribute was read.
    Missing,
    Boolean(bool),
    Integer(i32),
    Text(&'a str),
    Decimal(Decimal),
    Owned(String),
}

/// What the elements of a comparison are cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    Integer,
    String,
}

/// A value and the error met on the way to it.
pub(crate) type Cast<T> = (T, Option<ErrorKind>);

impl<'a> Operand<'a> {
    pub(crate) fn kind(&self) -> Type {
        match self {
            Operand::Missing | Operand::Boolean(_) => Type::Boolean,
            Operand::Integer(_) => Type::Integer,
            Operand::Text(_) | Operand::Decimal(_) | Operand::Owned(_) => Type::String,
        }
    }

    /// The characters, if the value is a string already.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Decimal(decimal) => Some(decimal.as_str()),
            Operand::Owned(text) => Some(text),
            Operand::Missing | Operand::Boolean(_) | Operand::Integer(_) => None,
        }
    }

    /// Casts to String, which always succeeds.
    pub(crate) fn into_text(self) -> Operand<'a> {
        match self {
            Operand::Missing => Operand::Text(""),
            Operand::Boolean(truth) => Operand::Text(boolean_text(truth)),
            Operand::Integer(number) => Operand::Decimal(Decimal::of(number)),
            text => text,
        }
    }

    /// Casts to Integer; 0 if that is impossible.
    pub(crate) fn integer(&self) -> Cast<i32> {
        match self {
            Operand::Missing => (0, None),
            Operand::Boolean(truth) => (i32::from(*truth), None),
            Operand::Integer(number) => (*number, None),
            _ => match self.text().unwrap_or_default().parse() {
                Ok(number) => (number, None),
                Err(_) => (0, Some(ErrorKind::Cast)),
            },
        }
    }

    /// Casts to Boolean; `false` if that is impossible.
    pub(crate) fn boolean(&self) -> Cast<bool> {
        match self {
            Operand::Missing => (false, None),
            Operand::Boolean(truth) => (*truth, None),
            Operand::Integer(number) => (*number != 0, None),
            _ => match self.text().unwrap_or_default() {
                text if text.eq_ignore_ascii_case("true") => (true, None),
                text if text.eq_ignore_ascii_case("false") => (false, None),
                _ => (false, Some(ErrorKind::Cast)),
            },
        }
    }

    /// Whether `self`, cast to the type of `other`, equals `other`.
    pub(crate) fn equals(self, other: &Operand<'_>) -> Cast<bool> {
        match other.kind() {
            Type::Boolean => {
                let (truth, error) = self.boolean();
                (truth == other.boolean().0, error)
            }
            Type::Integer => {
                let (number, error) = self.integer();
                (number == other.integer().0, error)
            }
            Type::String => (self.into_text().text() == other.text(), None),
        }
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
