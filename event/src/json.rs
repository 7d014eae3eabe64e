//! A record as a JSON envelope (CloudEvents JSON event format).

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::media_type;
use crate::name::{CONTENT_ENCODING, Known, SpecVersion};
use crate::record::Record;
use crate::value::Value;

impl Record<'_> {
    /// Appends the event in structured mode: one valid JSON object, whatever the data is.
    ///
    /// Data of a JSON type stands verbatim if it is JSON, text of another type
    /// as a string, everything else as base64. An extension called `data` has
    /// no place in an envelope and is left out.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.write_attributes(out);
        self.write_data(out);
        out.push(b'}');
    }

    fn write_attributes(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (name, value) in self.attributes() {
            let is_data_encoding = name == CONTENT_ENCODING && self.spec == SpecVersion::V03;
            if name != "data" && !is_data_encoding {
                member(out, name, value);
            }
        }
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        let payload = self.payload();
        if payload.is_empty() {
            return;
        }
        let is_v03 = self.spec == SpecVersion::V03;
        let content_type = self.index.known_text(Known::DataContentType);
        let text = str::from_utf8(payload).ok();
        if is_v03 && let (Some(text), Some(_)) = (text, self.attribute(CONTENT_ENCODING)) {
            // The body of a binary 0.3 event was base64 already.
            member(out, CONTENT_ENCODING, Value::String("base64"));
            return member(out, "data", Value::String(text));
        }
        let is_json = media_type::is_json(content_type.map(str::as_bytes));
        let json: Option<&RawValue> =
            text.filter(|_| is_json).and_then(|text| serde_json::from_str(text).ok());
        match (json, text) {
            (Some(json), _) => {
                key(out, "data");
                out.extend_from_slice(json.get().as_bytes());
            }
            (None, Some(text)) if !is_json => member(out, "data", Value::String(text)),
            _ if is_v03 => {
                member(out, CONTENT_ENCODING, Value::String("base64"));
                base64_member(out, "data", payload);
            }
            _ => base64_member(out, "data_base64", payload),
        }
    }
}

/// Appends `"name":`, after a comma unless it is the first of the object.
/// Names need no escaping: they are letters, digits and `_`.
fn key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn member(out: &mut Vec<u8>, name: &str, value: Value<'_>) {
    key(out, name);
    match value {
        Value::String(text) => {
            serde_json::to_writer(out, text).expect("a string is JSON and a vector takes it");
        }
        Value::Integer(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
    }
}

fn base64_member(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    use std::io::Write;
    key(out, name);
    write!(out, "\"{}\"", Base64Display::new(bytes, &STANDARD)).expect("a vector takes every write");
}
