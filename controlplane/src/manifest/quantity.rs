//! Sizes and short durations of a broker's settings: a whole number and a unit.
//!
//! The data plane's options and `eagre.toml` take the same forms; sizes may also
//! be written as Kubernetes quantities, which is what a ConfigMap's readers
//! expect. Fractions are refused: none of the settings needs one.

use std::ops::RangeInclusive;

use thiserror::Error;

/// Why a text is no quantity for its setting.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Not of the form.
    #[error("not a whole number with a known unit")]
    Syntax,
    /// Out of the setting's range.
    #[error("not within {min} to {max}")]
    Range {
        /// The least allowed.
        min: String,
        /// The most allowed.
        max: String,
    },
}

/// A unit and how many of the smallest it is.
type Unit = (&'static str, u64);

const DURATIONS: &[Unit] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Kubernetes' binary units, largest first; with a `B` they are those of `eagre.toml`.
const BINARY: &[Unit] =
    &[("Ei", 1 << 60), ("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

/// Kubernetes' decimal units. Its `m`, a thousandth, has no use here.
const DECIMAL: &[Unit] = &[
    ("", 1),
    ("B", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

/// Reads a duration such as `5ms`, in milliseconds.
pub fn milliseconds(text: &str, allowed: RangeInclusive<u64>) -> Result<u64, QuantityError> {
    let (number, unit) = split(text);
    read(number, lookup(DURATIONS, unit), allowed, |ms| exact(ms, DURATIONS.iter().rev()))
}

/// Reads a size such as `512Mi`, `64MiB`, `2G` or `1048576`, in bytes.
pub fn bytes(text: &str, allowed: RangeInclusive<u64>) -> Result<u64, QuantityError> {
    let (number, unit) = split(text);
    let unit = match unit.strip_suffix('B') {
        Some(binary) if !binary.is_empty() => lookup(BINARY, binary),
        _ => lookup(BINARY, unit).or_else(|| lookup(DECIMAL, unit)),
    };
    read(number, unit, allowed, |bytes| exact(bytes, BINARY.iter()))
}

fn read(
    number: &str,
    unit: Option<u64>,
    allowed: RangeInclusive<u64>,
    written: impl Fn(u64) -> String,
) -> Result<u64, QuantityError> {
    let unit = unit.filter(|_| !number.is_empty()).ok_or(QuantityError::Syntax)?;
    // Digits that do not fit are far beyond every range.
    let value = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    value.filter(|value| allowed.contains(value)).ok_or_else(|| {
        let (min, max) = allowed.into_inner();
        QuantityError::Range { min: written(min), max: written(max) }
    })
}

/// Digits, and what follows them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn lookup(units: &[Unit], name: &str) -> Option<u64> {
    units.iter().find(|(unit, _)| *unit == name).map(|(_, factor)| *factor)
}

/// A value in the first of the units, largest first, that is exact.
fn exact<'u>(value: u64, mut units: impl Iterator<Item = &'u Unit>) -> String {
    match units.find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", value / factor),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: RangeInclusive<u64> = 0..=u64::MAX;

    #[test]
    fn what_the_command_line_and_the_tuning_file_take_is_taken() {
        for (text, ms) in
            [("1ms", 1), ("1500ms", 1500), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000)]
        {
            assert_eq!(milliseconds(text, ANY), Ok(ms), "{text}");
        }
        for (text, shift) in [("1B", 0), ("1KiB", 10), ("1MiB", 20), ("1GiB", 30), ("1TiB", 40)] {
            assert_eq!(bytes(text, ANY), Ok(1 << shift), "{text}");
        }
        assert_eq!((milliseconds(" 90000 ms ", ANY), bytes("64 MiB", ANY)), (Ok(90_000), Ok(64 << 20)));
    }

    #[test]
    fn kubernetes_quantities_of_whole_bytes_are_taken() {
        for (text, value) in
            [("7", 7), ("512Mi", 512 << 20), ("2Gi", 2 << 30), ("1Ei", 1 << 60), ("3k", 3000)]
        {
            assert_eq!(bytes(text, ANY), Ok(value), "{text}");
        }
        assert_eq!(bytes("5G", ANY), Ok(5_000_000_000));
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in ["", "s", "10", "-1s", "1.5s", "10 sec", "5 MS", "+5ms"] {
            assert_eq!(milliseconds(text, ANY), Err(QuantityError::Syntax), "{text}");
        }
        for text in ["", "MiB", "1MB", "-1", "1e6", "1.5Gi", "100m", "1BB", "1 B B", "1K", "1mi"] {
            assert_eq!(bytes(text, ANY), Err(QuantityError::Syntax), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        let range = |min: &str, max: &str| QuantityError::Range { min: min.into(), max: max.into() };
        for text in ["0ms", "61s", "18446744073709551615h", "99999999999999999999ms"] {
            assert_eq!(milliseconds(text, 1..=60_000), Err(range("1ms", "1m")), "{text}");
        }
        for text in ["0", "8388607", "1025Ti", "18446744073709551615KiB"] {
            assert_eq!(bytes(text, 8 << 20..=1 << 50), Err(range("8Mi", "1Pi")), "{text}");
        }
    }
}
