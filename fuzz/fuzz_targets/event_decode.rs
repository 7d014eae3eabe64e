//! A message that is accepted as an event makes a record that parses and whose
//! header block is nothing but whole lines; as JSON and in binary mode the
//! record is the same event again.
//!
//! Input: a byte of choices, then header lines as `name: value`, each ended by
//! 0x1E, then 0x1D and the body. So values can hold CR and LF.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use eagre_event::{Draft, Mode, Record, Ttl, Value, decode_batch, mode};
use eagre_fuzz::Input;
use libfuzzer_sys::fuzz_target;

type Field<'a> = (&'a str, &'a [u8]);

const STRUCTURED: Field<'_> = ("content-type", b"application/cloudevents+json");
const REQUIRED: [Field<'_>; 4] =
    [("ce-specversion", b"1.0"), ("ce-id", b"1"), ("CE-Source", b"/s"), ("ce-type", b"t")];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choices = input.byte();
    let split = input.0.iter().position(|byte| *byte == 0x1D);
    let (head, body) = input.0.split_at(split.unwrap_or(input.0.len()));
    let body = body.get(1..).unwrap_or_default();
    let given = match choices & 3 {
        0 => &REQUIRED[..],
        1 => &[STRUCTURED],
        2 => &[("Content-Type", &b"application/cloudevents-batch+json"[..])],
        _ => &[],
    };
    let sent: Vec<Field<'_>> =
        given.iter().copied().chain(head.split(|byte| *byte == 0x1E).filter_map(field)).collect();
    let mut draft = Draft::new();

    if mode(sent.iter().copied()) == Some(Mode::Batch) {
        assert!(draft.decode(sent.iter().copied(), body).is_err());
        let mut seen = 0;
        let count = decode_batch(sent.iter().copied(), body, &mut draft, |draft, part| {
            seen += 1;
            check(draft, part);
            Ok::<(), ()>(())
        });
        assert!(count.is_err() || count == Ok(seen));
    } else if draft.decode(sent.iter().copied(), body).is_ok() {
        check(&mut draft, body);
    } else {
        assert_eq!(draft.attributes().count(), 0, "after an error the draft holds no event");
    }
});

fn field(line: &[u8]) -> Option<Field<'_>> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()))
}

fn check(draft: &mut Draft, body: &[u8]) {
    let Some(bytes) = record(draft, body) else { return };
    let record = Record::parse(&bytes).expect("every record a draft made parses");
    assert!(record.attributes().eq(draft.attributes()));
    assert_eq!(record.payload(), draft.payload(body));
    let lines = lines(record.headers());

    // Headers know strings only.
    let mut again = Draft::new();
    again.decode(lines.iter().copied(), record.payload()).expect("binary mode takes its own headers");
    same(&record, &mut again, record.payload(), &["datacontenttype"], text);
    assert_eq!(again.payload(record.payload()), record.payload());

    let mut json = Vec::new();
    record.write_json(&mut json);
    serde_json::from_slice::<serde_json::Value>(&json).expect("always valid JSON");
    let refused = |error| panic!("{error}: {}", json.escape_ascii());
    again.decode([STRUCTURED].into_iter(), &json).unwrap_or_else(refused);
    same(&record, &mut again, &json, &["data", "datacontentencoding"], |value| format!("{value:?}"));
    let (first, second) = (record.payload(), again.payload(&json));
    assert!(first == second || first.trim_ascii() == second, "{}", json.escape_ascii());
}

/// The attributes of the record and of the draft agree, but for these.
fn same(
    record: &Record<'_>,
    draft: &mut Draft,
    body: &[u8],
    but: &[&str],
    show: impl Fn(Value<'_>) -> String,
) {
    let bytes = self::record(draft, body).expect("it has passes left");
    let other = Record::parse(&bytes).expect("every record a draft made parses");
    let list = |record: &Record<'_>| {
        let owned = record.attributes().map(|(name, value)| (name.to_owned(), show(value)));
        let mut list: Vec<_> = owned.filter(|(name, _)| !but.contains(&&**name)).collect();
        list.sort_unstable();
        list
    };
    assert_eq!(list(record), list(&other));
}

/// The record's bytes; `None` if the event has passed too many brokers.
fn record(draft: &mut Draft, body: &[u8]) -> Option<Vec<u8>> {
    let arrival = UNIX_EPOCH + Duration::from_secs(1_781_690_400);
    draft.stamp(arrival, Ttl::FromEvent { max: 255 }).ok()?;
    Some(draft.record_parts(body).concat())
}

/// The lines of a header block: lower-case names, no byte that ends a line.
fn lines(block: &[u8]) -> Vec<Field<'_>> {
    block.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

fn line(line: &[u8]) -> Field<'_> {
    let (name, value) = line.strip_suffix(b"\r\n").and_then(field).expect("whole lines of name and value");
    assert!(
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
    );
    assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    (name, value)
}

fn text(value: Value<'_>) -> String {
    match value {
        Value::String(text) => text.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
    }
}
