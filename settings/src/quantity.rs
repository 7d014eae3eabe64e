//! A whole number and a unit: the grammar that sizes and durations share.
//!
//! Fractions and signs are refused: no setting needs one, and `1.5GiB` would hide
//! that it is not a power of two.

use crate::ValueError;

/// A unit and how many of the smallest it is.
pub(crate) type Unit = (&'static str, u64);

/// Why a text is no quantity.
pub(crate) enum Flaw {
    Form,
    Overflow,
}

impl Flaw {
    /// `form` is the problem with what has another form, `forms` what may be written.
    pub(crate) fn told(self, form: &str, forms: &'static str) -> ValueError {
        let problem = match self {
            Flaw::Form => form,
            Flaw::Overflow => "more than can be counted",
        };
        ValueError { problem: problem.into(), forms }
    }
}

/// Reads `text`; space around the number and the unit is allowed.
pub(crate) fn parse(text: &str, units: &[&[Unit]]) -> Result<u64, Flaw> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let factor = units.iter().copied().flatten().find(|(name, _)| *name == unit);
    let (_, factor) = factor.filter(|_| !number.is_empty()).ok_or(Flaw::Form)?;
    let value = number.parse().ok().and_then(|number: u64| number.checked_mul(*factor));
    value.ok_or(Flaw::Overflow)
}

/// A value in the first of `units`, largest first, that is exact.
pub(crate) fn text(value: u64, units: &[Unit]) -> String {
    let exact = units.iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    let (unit, factor) = exact.or(units.last()).expect("there are units");
    format!("{}{unit}", value / factor)
}
