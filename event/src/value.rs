//! The value of an attribute as the record keeps it. What filters and tools see is
//! [`eagre_filter::Value`]: headers know strings only, JSON keeps integers and
//! Booleans.

pub use eagre_filter::Value;

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
