//! The value of an attribute, as filters and tools see it.

/// A value with the type its carrier gave it: headers know strings only, JSON
/// keeps integers and Booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text, percent-decoded; also URIs and timestamps.
    String(&'a str),
    /// A JSON number of an extension.
    Integer(i32),
    /// A JSON Boolean of an extension.
    Boolean(bool),
}

/// The type tag of an index entry; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    String = 0,
    Integer = 1,
    Boolean = 2,
}

impl Tag {
    pub(crate) fn from_bits(bits: u8) -> Option<Tag> {
        [Tag::String, Tag::Integer, Tag::Boolean].into_iter().find(|tag| *tag as u8 == bits)
    }

    /// The value whose canonical string is `text`; `None` if the two disagree.
    pub(crate) fn read(self, text: &str) -> Option<Value<'_>> {
        match self {
            Tag::String => Some(Value::String(text)),
            Tag::Integer => text.parse().ok().map(Value::Integer),
            Tag::Boolean => text.parse().ok().map(Value::Boolean),
        }
    }
}
