//! An event as it arrived, and how it is shown. What is an event, and what its attributes
//! and its data are, says [`eagre_event`].

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
};

use eagre_event::Draft;

use super::{connection::Request, json};

/// Bytes of data shown; a terminal is no place for more.
const DATA_BYTES_MAX: usize = 16 << 10;

/// Attributes that come first, in this order; the others follow by name.
const FIRST: [&str; 4] = ["type", "source", "id", "specversion"];

/// When the broker accepted the event.
const ARRIVAL_TIME: &str = "knativearrivaltime";

/// What is shown of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// In the order they are shown.
    attributes: Vec<(String, String)>,
    data: Vec<u8>,
}

impl Event {
    /// The event in a request, read as the ingress reads it, if there is one.
    pub fn of(request: &Request) -> Option<Event> {
        let fields = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let mut draft = Draft::new();
        draft.decode(fields, &request.body).ok()?;
        // A draft has the arrival time of its own broker; that of the sender is shown.
        let arrival = request.header("ce-knativearrivaltime").map(String::from_utf8_lossy);
        let arrival = arrival.map(|value| (ARRIVAL_TIME.to_owned(), value.into_owned()));
        let attributes = draft.attributes().filter(|(name, _)| *name != ARRIVAL_TIME);
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_string()));
        let mut attributes: Vec<_> = attributes.chain(arrival).collect();
        attributes.sort_by_cached_key(|(name, _)| {
            let rank = FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
            (rank, name.clone())
        });
        Some(Event { attributes, data: draft.payload(&request.body).to_vec() })
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.attributes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        writeln!(f, "\nevent")?;
        for (name, value) in &self.attributes {
            writeln!(f, "  {:width$}  {}", visible(name), visible(value))?;
        }
        if !self.data.is_empty() {
            writeln!(f, "data, {} bytes", self.data.len())?;
        }
        let shown = self.data.get(..DATA_BYTES_MAX).unwrap_or(&self.data);
        let text = match json::indented(&self.data) {
            Some(text) if shown.len() == self.data.len() => Cow::from(text),
            _ => String::from_utf8_lossy(shown),
        };
        for line in text.lines() {
            writeln!(f, "  {}", visible(line))?;
        }
        if shown.len() < self.data.len() {
            writeln!(f, "  … and {} bytes more", self.data.len() - shown.len())?;
        }
        Ok(())
    }
}

/// The text with control characters escaped, which could otherwise reprogram the terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let shown = if character.is_control() && character != '\t' {
            write!(out, "{}", character.escape_default())
        } else {
            out.write_char(character)
        };
        shown.expect("a String takes everything");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], body: &str) -> Request {
        Request {
            method: "POST".into(),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: body.into(),
            keep_alive: true,
        }
    }

    const HEADERS: [(&str, &str); 8] = [
        ("Host", "h"),
        ("ce-specversion", "1.0"),
        ("Ce-Id", "a%20b%"),
        ("ce-source", "/s"),
        ("ce-knativearrivaltime", "2026-11-21T12:00:00Z"),
        ("ce-zone", "%1B[2J"),
        ("ce-type", "t"),
        ("content-type", "application/json"),
    ];

    #[test]
    fn a_binary_event_is_a_table_and_its_data() {
        let event = Event::of(&request(&HEADERS, r#"{"b":1,"a":[]}"#)).unwrap();
        let expected = "
event
  type                t
  source              /s
  id                  a b%
  specversion         1.0
  datacontenttype     application/json
  knativearrivaltime  2026-11-21T12:00:00Z
  zone                \\u{1b}[2J
data, 14 bytes
  {
    \"b\": 1,
    \"a\": []
  }
";
        assert_eq!(event.to_string(), expected);
    }

    #[test]
    fn a_structured_event_looks_the_same() {
        let body = r#"{"specversion":"1.0","id":"1","source":"/s","n":7,"type":"t","data":{"x":1}}"#;
        let event =
            Event::of(&request(&[("Content-Type", "application/cloudevents+json; charset=utf-8")], body));
        let text = event.unwrap().to_string();
        assert!(text.contains("  n            7\n") && text.contains("    \"x\": 1\n"), "{text}");
    }

    #[test]
    fn data_in_base64_is_shown_as_what_it_stands_for() {
        let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"aGVsbG8="}"#;
        let event = Event::of(&request(&[("content-type", "application/cloudevents+json")], body)).unwrap();
        assert!(event.to_string().ends_with("data, 5 bytes\n  hello\n"), "{event}");
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(Event::of(&request(&[("content-type", "application/json")], "{}")), None);
        assert_eq!(Event::of(&request(&[("content-type", "application/cloudevents+json")], "[")), None);
        assert_eq!(Event::of(&request(&HEADERS[..3], "")), None);
    }

    #[test]
    fn data_beyond_the_limit_is_counted() {
        let body = "x".repeat(DATA_BYTES_MAX + 5);
        let text = Event::of(&request(&HEADERS, &body)).unwrap().to_string();
        assert!(text.ends_with("  … and 5 bytes more\n"));
    }
}
