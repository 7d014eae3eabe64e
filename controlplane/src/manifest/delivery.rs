//! Delivery settings as written (contract 3.1).

use std::time::Duration;

use eagre_snapshot::{Backoff, Format, RETRY_MAX};

use super::destination::Destination;
use super::duration;
use super::reader::{Reader, find};
use super::yaml::{Field, Node, Value};

/// `spec.delivery` of a broker or trigger; what is left out is `None`.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Attempts after the first.
    pub retry: Option<u32>,
    /// How the wait grows.
    pub backoff_policy: Option<Backoff>,
    /// The unit of the wait.
    pub backoff_delay: Option<Duration>,
    /// Time for one attempt; not zero.
    pub timeout: Option<Duration>,
    /// Cap on a subscriber's `Retry-After`; zero ignores it.
    pub retry_after_max: Option<Duration>,
    /// Content mode.
    pub format: Option<Format>,
    /// Where undeliverable events go.
    pub dead_letter_sink: Option<Destination>,
}

const FIELDS: &[&str] =
    &["retry", "backoffPolicy", "backoffDelay", "timeout", "retryAfterMax", "format", "deadLetterSink"];

impl Reader<'_> {
    /// Reads delivery settings.
    pub fn delivery(&mut self, node: &Node, path: &str) -> Option<Delivery> {
        let fields = self.mapping(node, path)?;
        self.unknown(fields, path, FIELDS);
        let at = |name: &str| format!("{path}.{name}");
        let delivery = Delivery {
            retry: find(fields, "retry").and_then(|node| self.retry(node, &at("retry"))),
            backoff_policy: self.choice(
                fields,
                path,
                "backoffPolicy",
                &[("linear", Backoff::Linear), ("exponential", Backoff::Exponential)],
            ),
            backoff_delay: self.duration(fields, path, "backoffDelay"),
            timeout: self.timeout(fields, path),
            retry_after_max: self.duration(fields, path, "retryAfterMax"),
            format: self.choice(
                fields,
                path,
                "format",
                &[("json", Format::Json), ("binary", Format::Binary)],
            ),
            dead_letter_sink: find(fields, "deadLetterSink")
                .and_then(|node| self.destination(node, &at("deadLetterSink"))),
        };
        self.warn_of_half_a_backoff(fields, path);
        Some(delivery)
    }

    fn retry(&mut self, node: &Node, path: &str) -> Option<u32> {
        let hint = format!("write the number of attempts after the first, 0 to {RETRY_MAX}");
        let Value::Integer(number) = node.value else {
            self.error(node.at, format!("`{path}` must be an integer, not {}", node.value.kind()), hint);
            return None;
        };
        if number < 0 {
            self.error(node.at, format!("`{path}` is negative"), hint);
            return None;
        }
        match u32::try_from(number) {
            Ok(number) if number <= RETRY_MAX => Some(number),
            _ => {
                self.error(node.at, format!("`{path}` is more than {RETRY_MAX}"), hint);
                None
            }
        }
    }

    fn choice<T: Copy>(
        &mut self,
        fields: &[Field],
        path: &str,
        name: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let node = find(fields, name)?;
        let text = self.string(node, &format!("{path}.{name}"))?.value;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.error(
                node.at,
                format!("`{path}.{name}` cannot be `{text}`"),
                format!("write {}", words.join(" or ")),
            );
        }
        found.map(|(_, value)| *value)
    }

    fn timeout(&mut self, fields: &[Field], path: &str) -> Option<Duration> {
        let timeout = self.duration(fields, path, "timeout")?;
        if timeout.is_zero() {
            let at = find(fields, "timeout")?.at;
            self.error(at, format!("`{path}.timeout` is zero"), "leave it out for the default of 600 s");
            return None;
        }
        Some(timeout)
    }

    fn duration(&mut self, fields: &[Field], path: &str, name: &str) -> Option<Duration> {
        let node = find(fields, name)?;
        let text = self.string(node, &format!("{path}.{name}"))?.value;
        match duration::parse(&text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("`{path}.{name}` is no duration: `{text}`: {error}");
                self.error(node.at, message, duration_hint(&text));
                None
            }
        }
    }

    /// Policy and delay work together only (contract 3.2).
    fn warn_of_half_a_backoff(&mut self, fields: &[Field], path: &str) {
        let field = |name: &str| fields.iter().find(|field| field.name == name);
        let (given, missing) = match (field("backoffPolicy"), field("backoffDelay")) {
            (Some(given), None) => (given, "backoffDelay"),
            (None, Some(given)) => (given, "backoffPolicy"),
            _ => return,
        };
        let message =
            format!("`{path}.{}` has no effect without `{missing}`; retries are immediate", given.name);
        self.warning(given.at, message, format!("give `{missing}` too"));
    }
}

/// Suggests the ISO form of what looks like `200ms` or `1.5s`.
fn duration_hint(text: &str) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let iso = match (number.parse::<f64>(), unit.trim()) {
        (Ok(number), "ms") => format!("PT{}S", number / 1000.0),
        (Ok(_), "" | "s") => format!("PT{number}S"),
        (Ok(_), "m") => format!("PT{number}M"),
        (Ok(_), "h") => format!("PT{number}H"),
        _ => return "write an ISO 8601 duration such as PT0.2S, PT1M30S or P1D".to_owned(),
    };
    format!("write {iso}")
}
