//! Why a value is refused.

use std::{error::Error, fmt, ops::RangeInclusive};

/// What is wrong with a value and what may be written. Who reads the value says where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What is wrong, to be read after a colon.
    pub problem: String,
    /// A sentence with the forms that are allowed.
    pub forms: &'static str,
}

impl fmt::Display for ValueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.problem, self.forms)
    }
}

impl Error for ValueError {}

/// Whether `value` lies in `allowed`; `text` writes values for the problem.
///
/// # Errors
/// What is wrong.
pub fn within<T: PartialOrd>(
    value: &T,
    allowed: &RangeInclusive<T>,
    text: impl Fn(&T) -> String,
) -> Result<(), String> {
    if allowed.contains(value) {
        return Ok(());
    }
    Err(format!("must be between {} and {}", text(allowed.start()), text(allowed.end())))
}
