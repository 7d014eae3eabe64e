//! An event as it arrived, and how it is shown. Lenient: what the data plane has let
//! through is shown as it is, not judged again.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Display, Write},
};

use serde_json::value::RawValue;

use super::{connection::Request, json};

/// Bytes of data shown; a terminal is no place for more.
const DATA_BYTES_MAX: usize = 16 << 10;

/// Attributes that come first, in this order; the others follow by name.
const FIRST: [&str; 4] = ["type", "source", "id", "specversion"];

/// What is shown of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// In the order they are shown.
    attributes: Vec<(String, String)>,
    data: Vec<u8>,
}

impl Event {
    /// The event in a request, in binary or structured mode, if there is one.
    pub fn of(request: &Request) -> Option<Event> {
        let media_type = request.header("content-type").unwrap_or_default();
        let is_structured = media_type.to_ascii_lowercase().starts_with(b"application/cloudevents+json");
        let mut event = if is_structured { structured(&request.body)? } else { binary(request)? };
        event.attributes.sort_by_cached_key(|(name, _)| {
            let rank = FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len());
            (rank, name.clone())
        });
        Some(event)
    }
}

fn binary(request: &Request) -> Option<Event> {
    request.header("ce-specversion")?;
    let attribute = |(name, value): &(String, Vec<u8>)| {
        let name = name.to_ascii_lowercase();
        let name = match name.strip_prefix("ce-") {
            Some(name) => name.to_owned(),
            None if name == "content-type" => "datacontenttype".to_owned(),
            None => return None,
        };
        Some((name, percent_decoded(value)))
    };
    let attributes = request.headers.iter().filter_map(attribute).collect();
    Some(Event { attributes, data: request.body.clone() })
}

fn structured(body: &[u8]) -> Option<Event> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    members.get("specversion")?;
    let data = members.remove("data").or_else(|| members.remove("data_base64"));
    let attributes = members.into_iter().map(|(name, value)| {
        // A number or Boolean is shown as it is written.
        let text = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
        (name, text)
    });
    Some(Event {
        attributes: attributes.collect(),
        data: data.map(|data| data.get().as_bytes().to_vec()).unwrap_or_default(),
    })
}

/// Undoes the percent coding of attribute values in headers.
fn percent_decoded(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let coded = match tail {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        let (byte, length) = coded.map_or((*first, 1), |(high, low)| (high << 4 | low, 3));
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
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

    const HEADERS: [(&str, &str); 6] = [
        ("Host", "h"),
        ("ce-specversion", "1.0"),
        ("Ce-Id", "a%20b%"),
        ("ce-zone", "\u{1b}[2J"),
        ("ce-type", "t"),
        ("content-type", "application/json"),
    ];

    #[test]
    fn a_binary_event_is_a_table_and_its_data() {
        let event = Event::of(&request(&HEADERS, r#"{"b":1,"a":[]}"#)).unwrap();
        let expected = "
event
  type             t
  id               a b%
  specversion      1.0
  datacontenttype  application/json
  zone             \\u{1b}[2J
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
        let body = r#"{"specversion":"1.0","id":"1","n":7,"type":"t","data":{"x":1}}"#;
        let event =
            Event::of(&request(&[("Content-Type", "application/cloudevents+json; charset=utf-8")], body));
        let text = event.unwrap().to_string();
        assert!(text.contains("  n            7\n") && text.contains("    \"x\": 1\n"), "{text}");
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(Event::of(&request(&[("content-type", "application/json")], "{}")), None);
        assert_eq!(Event::of(&request(&[("content-type", "application/cloudevents+json")], "[")), None);
    }

    #[test]
    fn data_beyond_the_limit_is_counted() {
        let body = "x".repeat(DATA_BYTES_MAX + 5);
        let text = Event::of(&request(&HEADERS, &body)).unwrap().to_string();
        assert!(text.ends_with("  … and 5 bytes more\n"));
    }
}
