//! A position in the log.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

/// A byte position in an endless log: it only grows, and is never used again
/// for another record that was durable.
///
/// The text form is sixteen lower-case hexadecimal digits, which sort like the
/// positions do; files are named by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first record of every log.
    pub const ZERO: Self = Self(0);
    /// Beyond the last record of every log.
    pub const MAX: Self = Self(u64::MAX);
}

impl Add<u64> for Lsn {
    type Output = Self;

    fn add(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl Sub for Lsn {
    type Output = u64;

    /// Bytes between two positions; the left one must not be the lower.
    fn sub(self, lower: Self) -> u64 {
        debug_assert!(lower <= self);
        self.0 - lower.0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The text is not the text form of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log position is sixteen lower-case hexadecimal digits")]
pub struct ParseLsnError;

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, ParseLsnError> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 16 || !digits {
            return Err(ParseLsnError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ParseLsnError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_sorts_like_the_position_and_reads_back() {
        let ordered = [Lsn(0), Lsn(9), Lsn(10), Lsn(0xff), Lsn(1 << 40), Lsn::MAX];
        for pair in ordered.windows(2) {
            assert!(pair[0].to_string() < pair[1].to_string());
        }
        for lsn in ordered {
            assert_eq!(lsn.to_string().parse(), Ok(lsn));
        }
    }

    #[test]
    fn other_texts_are_no_positions() {
        for text in ["", "0", "000000000000000G", "00000000000000FF", "+00000000000000a", "00000000000000000"]
        {
            assert_eq!(text.parse::<Lsn>(), Err(ParseLsnError), "{text}");
        }
    }
}
