//! Durations in whole milliseconds: `5ms`, `10s`, `2m`, `24h`.
//!
//! Deliberately absent: days, which are not always 24 hours long, and a bare number,
//! which says no unit.

use std::time::Duration;

use crate::{
    ValueError,
    quantity::{self, Unit},
};

/// What may be written.
pub const FORMS: &str = "write a whole number and ms, s, m or h, such as 10s or 500ms";

pub(crate) const UNITS: &[Unit] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration.
///
/// # Errors
/// It is none.
pub fn parse(text: &str) -> Result<Duration, ValueError> {
    let ms = quantity::parse(text, &[UNITS]).map_err(|flaw| flaw.told("not a duration", FORMS))?;
    Ok(Duration::from_millis(ms))
}

/// The canonical text: in the largest unit that is exact.
#[must_use]
pub fn text(duration: Duration) -> String {
    quantity::text(duration.as_millis() as u64, UNITS)
}
