//! The event that is judged: a file in structured mode, taken in as the ingress
//! takes in a request with that body.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use eagre_controlplane::{Diagnostic, manifest::Place};
use eagre_event::{Draft, Error, Ttl};
use serde::de::IgnoredAny;

use super::failure::{Failure, Input};

/// Bytes of an event: the largest body that a broker can be configured to take.
const EVENT_BYTES_MAX: u64 = 32 << 20;

/// How often an event without `knativebrokerttl` may pass a broker, as at the ingress.
const TTL_MAX: u8 = 255;

/// The header that makes the file's content an event.
const STRUCTURED: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents+json")];

/// What an event looks like.
const HINT: &str = "write one event in structured JSON, for example \
     {\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"order.created\"}";

/// Reads the event from a file, or from standard input where `path` is `-`.
pub fn read(path: &Path) -> Result<Draft, Failure> {
    let is_stdin = path == "-";
    let name = if is_stdin { Path::new("<stdin>") } else { path };
    let file = Place::file(name);
    let bytes = if is_stdin { content(io::stdin()) } else { File::open(path).and_then(content) };
    let bytes = bytes.map_err(|error| {
        let hint = if is_stdin { "" } else { "name a file with one event, or - for standard input" };
        Failure::new(Input::Unreadable, Diagnostic::error(&file, format!("cannot be read: {error}"), hint))
    })?;
    let wrong = |message: String, hint| Failure::new(Input::Event, Diagnostic::error(&file, message, hint));
    if bytes.len() as u64 > EVENT_BYTES_MAX {
        let message = format!("larger than {} MiB, which no broker takes", EVENT_BYTES_MAX >> 20);
        return Err(wrong(message, HINT));
    }
    let mut draft = Draft::new();
    draft.decode(STRUCTURED.into_iter(), &bytes).map_err(|error| {
        let diagnostic = match &error {
            Error::Json { .. } => not_an_object(name, &bytes),
            _ => Diagnostic::error(&file, format!("not a CloudEvent: {error}"), HINT),
        };
        Failure::new(Input::Event, diagnostic)
    })?;
    let stamped = draft.stamp(SystemTime::now(), Ttl::FromEvent { max: TTL_MAX });
    stamped.map_err(|error| {
        wrong(format!("no broker takes this event: {error}"), "remove knativebrokerttl, or make it larger")
    })?;
    Ok(draft)
}

/// One byte more than is allowed tells that there are more.
fn content(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(EVENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the text stops being JSON, or that it is JSON of another kind.
fn not_an_object(name: &Path, bytes: &[u8]) -> Diagnostic {
    // What is cut off is shown where it ends, not on an empty line below.
    let bytes = bytes.trim_ascii_end();
    let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) else {
        let is_array = bytes.trim_ascii_start().first() == Some(&b'[');
        let found = if is_array { "a JSON array" } else { "not a JSON object" };
        return Diagnostic::error(&Place::file(name), format!("{found} where one event is expected"), HINT);
    };
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes, from 1; at the end, those it has read.
    let before = if error.is_eof() { error.column() } else { error.column().saturating_sub(1) };
    let column = String::from_utf8_lossy(&line[..before.min(line.len())]).chars().count() + 1;
    let place = Place { path: name.into(), line: error.line(), column };
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let mut diagnostic = Diagnostic::error(&place, format!("not valid JSON: {message}"), HINT);
    diagnostic.source = String::from_utf8_lossy(line).trim_end().to_owned();
    diagnostic
}
