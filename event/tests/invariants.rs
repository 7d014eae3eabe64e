//! What holds for every event.

mod support;

use eagre_event::{Draft, Record, Value, decode_batch};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use support::*;

/// Names that are free for extensions in every mode.
fn extension() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,11}".prop_filter("taken", |name| {
        let taken = ["id", "source", "type", "subject", "time", "specversion", "dataschema", "data"];
        let others = ["datacontenttype", "datacontentencoding", "schemaurl"];
        !taken.contains(&&**name) && !others.contains(&&**name) && !name.starts_with("knative")
    })
}

/// A field value as parsers hand it out: trimmed, without control bytes.
fn field_value() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~é€]{0,24}", "[a-z0-9%\"\\\\ ]{0,24}"]
        .prop_map(|value| value.trim().to_owned())
        .prop_filter("decodes to UTF-8", |value| {
            let mut draft = Draft::new();
            let headers: Vec<_> = REQUIRED.into_iter().chain([("ce-x", value.as_str())]).collect();
            draft.decode(fields(&headers), b"").is_ok()
        })
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
    ]
}

fn data() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        json_value(),
        vec(json_value(), 0..4).prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null)
    ]
}

fn without_arrival(attributes: Vec<(String, String)>) -> Vec<(String, String)> {
    attributes.into_iter().filter(|(name, _)| name != "knativearrivaltime").collect()
}

/// A record with every feature of the layout in it.
fn sample() -> Vec<u8> {
    let body = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"b":true,"x":"\u00e9 %","data":"d"}"#;
    accept(&[STRUCTURED, ("traceparent", "00-a-b-01")], body)
}

/// Uses everything that a record offers.
fn exercise(bytes: &[u8]) {
    let Ok(record) = Record::parse(bytes) else { return };
    let mut out = Vec::new();
    record.write_json(&mut out);
    serde_json::from_slice::<serde_json::Value>(&out).expect("always valid JSON");
    for (name, value) in record.attributes() {
        assert_eq!(record.attributes().filter(|(other, _)| *other == name).count(), 1);
        assert_eq!(record.attribute(name), Some(value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn binary_mode_gives_every_byte_back(
        extensions in btree_map(extension(), field_value(), 0..8),
        beside in btree_map("(knative|x-b3)-[a-z]{1,6}", "[!-~]([ -~]{0,9}[!-~])?", 0..3),
        body in vec(any::<u8>(), 0..64),
    ) {
        let extensions: Vec<_> = extensions.into_iter().map(|(name, value)| (format!("ce-{name}"), value)).collect();
        let others = extensions.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let beside = beside.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let headers: Vec<_> = REQUIRED.into_iter().chain(others).chain(beside).collect();
        let bytes = accept(&headers, &body);
        let record = Record::parse(&bytes).unwrap();
        prop_assert_eq!(record.payload(), &body[..]);
        let sent = lines(record.headers());
        let sent: Vec<_> = sent.iter().filter(|(n, _)| n != "ce-knativearrivaltime").map(|(n, v)| (n.as_str(), std::str::from_utf8(v).unwrap())).collect();
        prop_assert_eq!(sent, headers);
    }

    #[test]
    fn json_mode_gives_attributes_and_data_back(
        extensions in btree_map(extension(), json_value(), 0..6),
        data in data(),
        content_type in prop_oneof![Just(None), Just(Some("application/x+json")), Just(Some("text/plain"))],
    ) {
        let mut envelope = serde_json::json!({"specversion": "1.0", "id": "é \u{1}", "source": "/s%20s", "type": "t"});
        let members = envelope.as_object_mut().unwrap();
        members.extend(extensions);
        let is_text = content_type == Some("text/plain");
        members.insert("data".into(), if is_text { data.to_string().into() } else { data });
        if let Some(value) = content_type {
            members.insert("datacontenttype".into(), value.into());
        }
        let first = accept(&[STRUCTURED], envelope.to_string().as_bytes());
        let second = accept(&[STRUCTURED], json(&first).as_bytes());
        prop_assert_eq!(attributes(&first), attributes(&second));
        prop_assert_eq!(Record::parse(&first).unwrap().payload(), Record::parse(&second).unwrap().payload());
    }

    #[test]
    fn a_record_sent_in_binary_mode_arrives_as_the_same_event(
        extensions in btree_map(extension(), any::<String>(), 0..6),
        body in any::<String>(),
    ) {
        let mut envelope = serde_json::json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "\r\nx: y"});
        envelope.as_object_mut().unwrap().extend(extensions.into_iter().map(|(n, v)| (n, v.into())));
        envelope["data"] = body.into();
        let first = accept(&[STRUCTURED], envelope.to_string().as_bytes());
        let record = Record::parse(&first).unwrap();
        let sent: Vec<_> = lines(record.headers());
        prop_assert!(sent.iter().all(|(_, value)| value.iter().all(|byte| matches!(byte, b' '..=b'~'))));
        let mut draft = Draft::new();
        draft.decode(sent.iter().map(|(n, v)| (n.as_str(), &v[..])), record.payload()).unwrap();
        let second = support::record(&mut draft, record.payload());
        let mut expected = without_arrival(attributes(&first));
        expected.push(("datacontenttype".into(), "String(\"application/json\")".into()));
        expected.sort();
        prop_assert_eq!(expected, without_arrival(attributes(&second)));
        prop_assert_eq!(record.payload(), Record::parse(&second).unwrap().payload());
    }

    #[test]
    fn garbage_never_panics(bytes in vec(any::<u8>(), 0..300), name in any::<String>(), value in vec(any::<u8>(), 0..40)) {
        exercise(&bytes);
        let mut draft = Draft::new();
        let headers = [("ce-specversion", &b"1.0"[..]), (&name, &value), ("content-type", &value), ("ce-source", &value)];
        let _ = draft.decode(headers.into_iter(), &bytes);
        let _ = draft.decode([("content-type", &b"application/cloudevents+json"[..])].into_iter(), &bytes);
        let batch = [("content-type", &b"application/cloudevents-batch+json"[..])];
        let _ = decode_batch(batch.into_iter(), &bytes, &mut draft, |_, _| Ok::<(), ()>(()));
    }
}

#[test]
fn a_cut_record_is_an_error() {
    let whole = sample();
    exercise(&whole);
    for length in 0..whole.len() {
        Record::parse(&whole[..length]).expect_err("a part of a record");
    }
    Record::parse(&[&whole[..], b"x"].concat()).expect_err("more than a record");
}

#[test]
fn a_flipped_bit_never_panics() {
    let whole = sample();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        exercise(&bytes);
    }
}

#[test]
fn two_flipped_bytes_of_the_head_never_panic() {
    let whole = sample();
    let head = 40 + 16 * Record::parse(&whole).unwrap().attributes().count();
    for first in 0..head {
        for second in first + 1..head {
            let mut bytes = whole.clone();
            (bytes[first], bytes[second]) = (0xFF, 0xFF);
            exercise(&bytes);
        }
    }
}

#[test]
fn types_survive_the_record() {
    let bytes = sample();
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(record.attribute("n"), Some(Value::Integer(5)));
    assert_eq!(record.attribute("b"), Some(Value::Boolean(true)));
    assert_eq!(record.attribute("x"), Some(Value::String("é %")));
}
