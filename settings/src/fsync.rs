//! When an event counts as stored, and its producer gets the 202.

use std::{fmt, str::FromStr, time::Duration};

use crate::{FSYNC_INTERVAL_MS_RANGE, ValueError, duration, quantity, within};

/// When an event counts as stored. Snapshots encode it: variants keep their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Once the disk has it.
    #[default]
    Always,
    /// At most this long before the disk has it.
    Interval {
        /// Milliseconds, within [`FSYNC_INTERVAL_MS_RANGE`].
        ms: u64,
    },
    /// Once the page cache has it; the kernel decides when the disk does.
    Never,
}

impl Fsync {
    /// What may be written.
    pub const FORMS: &str = "write always, never, interval:MS, or a duration such as 5ms";

    /// The mode that syncs every `ms` milliseconds.
    ///
    /// # Errors
    /// It lies outside of [`FSYNC_INTERVAL_MS_RANGE`].
    pub fn interval(ms: u64) -> Result<Self, ValueError> {
        let text = |ms: &u64| duration::text(Duration::from_millis(*ms));
        within(&ms, &FSYNC_INTERVAL_MS_RANGE, text).map_err(|problem| ValueError {
            problem: format!("an interval {problem}"),
            forms: Self::FORMS,
        })?;
        Ok(Self::Interval { ms })
    }
}

/// `always`, `never`, `interval:MS`, or the interval as a duration.
impl FromStr for Fsync {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let interval = match (text, text.strip_prefix("interval:")) {
            ("always", _) => return Ok(Self::Always),
            ("never", _) => return Ok(Self::Never),
            (_, Some(ms)) => quantity::parse(ms, &[&[("", 1)]]),
            (_, None) => quantity::parse(text, &[duration::UNITS]),
        };
        let ms = interval.map_err(|flaw| flaw.told("neither a mode nor a duration", Self::FORMS))?;
        Self::interval(ms)
    }
}

/// The canonical text, which reads as the same value.
impl fmt::Display for Fsync {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => formatter.pad("always"),
            Self::Never => formatter.pad("never"),
            Self::Interval { ms } => write!(formatter, "interval:{ms}"),
        }
    }
}
