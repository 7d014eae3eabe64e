//! What the fuzz targets share: input cut into typed pieces, and an event with
//! attributes from such pieces.
//!
//! Each target states an invariant beyond "does not panic"; what it is stands
//! at the top of the target. Everything here is total: an input that is too
//! short yields zeros and empty texts, so that every mutation means something.

use eagre_filter::{Attributes, Value};

/// A fuzzer's bytes, taken from the front.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte, or 0.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next two bytes, little-endian.
    pub fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// The next `count` bytes, or what is left.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A text of at most 63 bytes: its length, then as much as is UTF-8.
    pub fn text(&mut self) -> &'a str {
        let count = usize::from(self.byte() % 64);
        utf8(self.bytes(count))
    }

    /// One of a list.
    pub fn choose<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The longest start that is UTF-8.
pub fn utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// Names that expressions, filters and events have in common, so that they meet.
pub const NAMES: [&str; 8] = ["type", "source", "id", "time", "datacontenttype", "tier", "qty", "active"];

/// An event of a few attributes.
pub struct Event<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> Event<'a> {
    /// For each of [`NAMES`] a byte that says which type it has, if any, and its value.
    pub fn read(input: &mut Input<'a>) -> Self {
        let mut attributes = Vec::new();
        for name in NAMES {
            match input.byte() % 8 {
                0..=2 => attributes.push((name, Value::String(input.text()))),
                3 => attributes.push((name, Value::String(input.choose(&TEXTS)))),
                4 => attributes.push((name, Value::Integer(input.choose(&INTEGERS)))),
                5 => attributes.push((name, Value::Boolean(input.byte() % 2 == 1))),
                _ => {}
            }
        }
        Self(attributes)
    }

    /// Bytes of the longest text.
    pub fn longest(&self) -> usize {
        let texts =
            self.0.iter().map(|(_, value)| if let Value::String(text) = value { text.len() } else { 11 });
        texts.max().unwrap_or(0)
    }
}

/// Texts that are something else as well.
pub const TEXTS: [&str; 12] =
    ["", "a", "ab", "abc", "b", "5", "-7", "true", "FALSE", "2147483648", "text/plain; x=y", "é%_\\"];
const INTEGERS: [i32; 8] = [0, 1, -1, 5, -7, 64, i32::MAX, i32::MIN];

impl Attributes for Event<'_> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }
}

/// Cuts of a stream of `len` bytes into three pieces.
pub fn cuts(input: &mut Input<'_>, len: impl Fn(&Input<'_>) -> usize) -> [usize; 2] {
    let (a, b) = (input.number(), input.number());
    let len = len(input) + 1;
    let (a, b) = (a % len, b % len);
    [a.min(b), a.max(b)]
}
