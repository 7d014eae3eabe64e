//! Durations of delivery settings: ISO 8601, strictly.
//!
//! `P[nY][nM][nW][nD][T[nH][nM][nS]]` with at least one component, a fraction
//! only in the last, no sign. Every digit counts (contract section 9.12 shows
//! what truncation does). Years and months have no fixed length; they count as
//! 365.2425 days and a twelfth of that, as upstream counts them (contract 3.1).

use std::time::Duration;

use thiserror::Error;

use crate::limits::{DURATION_DIGITS_MAX, DURATION_MAX};

/// Nanoseconds of each unit, in the order they may appear in.
const DATE_UNITS: &[(char, u128)] = &[
    ('Y', 31_556_952 * SECOND),
    ('M', 2_629_746 * SECOND),
    ('W', 7 * 86_400 * SECOND),
    ('D', 86_400 * SECOND),
];
const TIME_UNITS: &[(char, u128)] = &[('H', 3_600 * SECOND), ('M', 60 * SECOND), ('S', SECOND)];
const SECOND: u128 = 1_000_000_000;

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    /// No leading `P`.
    #[error("an ISO 8601 duration begins with `P`")]
    NoDesignator,
    /// A sign.
    #[error("the duration is negative")]
    Negative,
    /// `P`, `PT`, `P1DT`.
    #[error("a component is missing after `{0}`")]
    Empty(char),
    /// Not a number where one is due.
    #[error("a number is missing before `{0}`")]
    NoNumber(char),
    /// Digits without a unit after them.
    #[error("a unit is missing at the end")]
    NoUnit,
    /// A letter that is no unit here, or comes too late.
    #[error("`{0}` is no unit here; the order is Y M W D, then after `T` H M S, each at most once")]
    Unit(char),
    /// A fraction that is not in the last component.
    #[error("only the last component may have a fraction")]
    Fraction,
    /// More digits than are taken.
    #[error("a number has more than {DURATION_DIGITS_MAX} digits")]
    Digits,
    /// Longer than any delivery can wait.
    #[error("the duration is longer than {} days", DURATION_MAX.as_secs() / 86_400)]
    TooLong,
}

/// Parses an ISO 8601 duration. Parts of a nanosecond round up, so that what is
/// not zero stays so.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.starts_with(['-', '+']) {
        return Err(DurationError::Negative);
    }
    let rest = text.strip_prefix('P').ok_or(DurationError::NoDesignator)?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    if date.is_empty() && time.is_none() {
        return Err(DurationError::Empty('P'));
    }
    if time == Some("") {
        return Err(DurationError::Empty('T'));
    }
    let (date_nanos, fraction) = components(date, DATE_UNITS)?;
    if fraction && time.is_some() {
        return Err(DurationError::Fraction);
    }
    let (time_nanos, _) = components(time.unwrap_or_default(), TIME_UNITS)?;
    let nanos = u64::try_from(date_nanos + time_nanos).map_err(|_| DurationError::TooLong)?;
    let duration = Duration::from_nanos(nanos);
    if duration > DURATION_MAX { Err(DurationError::TooLong) } else { Ok(duration) }
}

/// The sum of the components in nanoseconds, and whether the last has a fraction.
fn components(mut text: &str, mut units: &[(char, u128)]) -> Result<(u128, bool), DurationError> {
    let mut nanos = 0;
    let mut fraction = false;
    while !text.is_empty() {
        if fraction {
            return Err(DurationError::Fraction);
        }
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | ',')).ok_or(DurationError::NoUnit)?;
        let (number, rest) = text.split_at(end);
        let mut rest = rest.chars();
        let letter = rest.next().unwrap_or_default();
        text = rest.as_str();
        let at = units.iter().position(|unit| unit.0 == letter).ok_or(DurationError::Unit(letter))?;
        nanos += scaled(number, units[at].1, letter)?;
        fraction = number.contains(['.', ',']);
        units = &units[at + 1..];
    }
    Ok((nanos, fraction))
}

/// `number` times `unit` nanoseconds. Fits: 10^18 years of nanoseconds are
/// below 2^116, and so is a year times the 18 digits of a fraction.
fn scaled(number: &str, unit: u128, letter: char) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let digits = |text: &str| {
        if text.is_empty() || text.contains(['.', ',']) {
            return Err(DurationError::NoNumber(letter));
        }
        if text.len() > DURATION_DIGITS_MAX {
            return Err(DurationError::Digits);
        }
        text.parse::<u128>().map_err(|_| DurationError::NoNumber(letter))
    };
    let scale = 10_u128.pow(fraction.len().min(DURATION_DIGITS_MAX) as u32);
    Ok(digits(whole)? * unit + (digits(fraction)? * unit).div_ceil(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_every_digit() {
        let table = [
            ("PT0S", 0),
            ("PT0.2S", 200_000_000),
            ("PT0,2S", 200_000_000),
            ("PT0.09S", 90_000_000),
            ("PT0.99S", 990_000_000),
            ("PT0.025M", 1_500_000_000),
            ("PT1M30S", 90_000_000_000),
            ("PT36H", 129_600_000_000_000),
            ("P1D", 86_400_000_000_000),
            ("P1W", 604_800_000_000_000),
            ("P1DT0.000000001S", 86_400_000_000_001),
            ("PT0.0000000001S", 1),
            ("P0.5Y", 15_778_476_000_000_000),
            ("P1M", 2_629_746_000_000_000),
        ];
        for (text, nanos) in table {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_not_iso_8601_is_refused() {
        use DurationError::*;
        let table = [
            ("", NoDesignator),
            ("200ms", NoDesignator),
            ("1S", NoDesignator),
            ("pt1s", NoDesignator),
            ("-PT1S", Negative),
            ("+PT1S", Negative),
            ("P", Empty('P')),
            ("PT", Empty('T')),
            ("P1DT", Empty('T')),
            ("PT1", NoUnit),
            ("PTS", NoNumber('S')),
            ("PT.5S", NoNumber('S')),
            ("PT5.S", NoNumber('S')),
            ("PT1.2.3S", NoNumber('S')),
            ("P1S", Unit('S')),
            ("P1H", Unit('H')),
            ("PT1D", Unit('D')),
            ("PT1S1M", Unit('M')),
            ("PT1S1S", Unit('S')),
            ("PT-1S", Unit('-')),
            ("PT 1S", Unit(' ')),
            ("PT1T1S", Unit('T')),
            ("PT1.5M2S", Fraction),
            ("P1.5DT1S", Fraction),
            ("P9999999999999999999Y", Digits),
            ("P999999999999999999Y", TooLong),
            ("P2Y", TooLong),
        ];
        for (text, error) in table {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
