//! What an event shows to a filter: attributes by name, each with its type.

use std::fmt;

/// The value of one attribute.
///
/// URI, URI reference, timestamp and binary count as strings, in the canonical
/// form of the CloudEvents type system (contract 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, or any type whose canonical form is one.
    String(&'a str),
    /// A 32-bit integer that arrived as a JSON number.
    Integer(i32),
    /// A Boolean that arrived as a JSON literal.
    Boolean(bool),
}

/// The canonical string of the value.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::String(text) => f.write_str(text),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}

/// The attributes of one event.
pub trait Attributes {
    /// The attribute `name` (lower-case), or `None` if the event does not
    /// carry it. Judging an event asks for each attribute at most once.
    fn get(&self, name: &str) -> Option<Value<'_>>;
}

/// The decimal rendering of an integer, kept in place: the canonical string
/// without an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    bytes: [u8; Decimal::LENGTH_MAX],
    start: u8,
}

impl Decimal {
    /// `-2147483648`.
    const LENGTH_MAX: usize = 11;

    pub(crate) fn of(number: i32) -> Decimal {
        let mut bytes = [b'0'; Decimal::LENGTH_MAX];
        let mut start = Decimal::LENGTH_MAX;
        let mut rest = number.unsigned_abs();
        loop {
            start -= 1;
            bytes[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            start -= 1;
            bytes[start] = b'-';
        }
        Decimal { bytes, start: start as u8 }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[usize::from(self.start)..]).expect("digits and a sign are ASCII")
    }
}

/// The canonical string of a Boolean.
pub(crate) fn boolean_text(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn a_decimal_reads_as_the_standard_formatting_does() {
        for number in [0, 1, -1, 9, 10, -10, 1234567890, i32::MAX, i32::MIN] {
            assert_eq!(Decimal::of(number).as_str(), number.to_string());
        }
    }
}
