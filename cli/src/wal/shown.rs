//! How positions, times, consumers and ranges are shown.

use std::{borrow::Cow, fmt::Display};

use eagre_wal::{Damage, Inspection, Start};
use serde::Serialize;

/// A time of a log: RFC 3339 in UTC, or the number if that is no time.
pub fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{ms} ms"), |time| format!("{time:.3}"))
}

/// A consumer, as the admin interface shows ids.
pub fn consumer(id: u64) -> String {
    format!("{id:016x}")
}

/// Several, in a sentence.
pub fn consumers(ids: &[String]) -> String {
    ids.join(", ")
}

/// `1 record`, `2 records`.
pub fn count(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `text` with one visible character for each that could steer a terminal or begin a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        text.replace(char::is_control, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// A range of positions.
#[derive(Clone, Debug, Serialize)]
pub struct Range {
    from: String,
    to: String,
}

impl Range {
    pub fn new((from, to): (impl Display, impl Display)) -> Range {
        Range { from: from.to_string(), to: to.to_string() }
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// What a start would do.
#[derive(Clone, Debug, Serialize)]
pub struct Begin {
    opens: bool,
    /// Torn, and cut off by the start.
    truncates: Option<Range>,
    /// Why it does not open.
    refuses: Option<String>,
}

impl Begin {
    pub fn of(start: &Start) -> Begin {
        let refuses = match start {
            Start::Opens { truncates } => {
                return Begin { opens: true, truncates: truncates.map(Range::new), refuses: None };
            }
            Start::Refuses(Damage { from, to, what }) => format!("from {from} up to {to}: {what}"),
            Start::FutureVersion { base, version } => format!(
                "segment {base} has format version {version}, this release reads {}; use the later release",
                eagre_wal::FORMAT_VERSION
            ),
        };
        Begin { opens: false, truncates: None, refuses: Some(refuses) }
    }

    pub fn refusal(&self) -> Option<&str> {
        self.refuses.as_deref()
    }
}

/// Behind a log's name: who has it.
pub fn in_use(inspection: &Inspection) -> String {
    inspection.holder.map_or_else(String::new, |process| {
        format!("  in use by process {process}: its end moves on while this is read")
    })
}
