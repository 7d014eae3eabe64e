//! What is refused, and what the producer reads then.

mod support;

use eagre_event::{BatchError, Draft, Error, decode_batch};
use support::*;

#[track_caller]
fn refused(headers: &[(&str, &str)], body: &str, message: &str) {
    let error = decode(headers, body.as_bytes()).expect_err(message);
    assert_eq!(error.to_string(), message);
    assert_eq!(error.status(), 400);
}

/// The required headers with one of them changed.
fn replaced(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    REQUIRED.into_iter().map(|header| if header.0 == name { (header.0, value) } else { header }).collect()
}

#[test]
fn a_message_without_a_mode_is_no_event() {
    let message = "not a CloudEvent: send a ce-specversion header (binary mode) or content-type \
                   application/cloudevents+json (structured mode)";
    refused(&REQUIRED[1..], "", message);
    refused(&[("content-type", "application/json")], "{}", message);
    let batch = [("content-type", "application/cloudevents-batch+json")];
    refused(&batch, "[]", "the message is a batch where one event is expected; send events in that mode");
}

#[test]
fn a_bad_attribute_of_binary_mode_is_named_with_its_rule() {
    for version in ["19.0", "10.0", "9000.1", "1", ""] {
        let message =
            format!("attribute specversion: {version:?} is not a known version; use \"1.0\" or \"0.3\"");
        refused(&replaced("ce-specversion", version), "", &message);
    }
    for name in ["id", "source", "type"] {
        let field = format!("ce-{name}");
        let rest: Vec<_> = REQUIRED.into_iter().filter(|header| header.0 != field).collect();
        refused(&rest, "", &format!("attribute {name}: required but missing; add it"));
        // A blank source could be the URI-reference that it is.
        for blank in if name == "source" { &[""][..] } else { &["", "%20"] } {
            let message = format!("attribute {name}: must not be empty; give it a value");
            refused(&replaced(&field, blank), "", &message);
        }
    }
    for (header, message) in [
        (("ce-my_ext", "x"), "my_ext: names consist of letters a-z and digits 0-9 only; rename it"),
        (("ce-", "x"), ": names consist of letters a-z and digits 0-9 only; rename it"),
        (
            ("ce-time", "yesterday"),
            "time: \"yesterday\" is not an RFC 3339 timestamp; write it like 2026-11-21T12:00:00Z",
        ),
        (("ce-time", ""), "time: \"\" is not an RFC 3339 timestamp; write it like 2026-11-21T12:00:00Z"),
        (
            ("ce-dataschema", "relative"),
            "dataschema: \"relative\" is not an absolute URI (RFC 3986); write it with its scheme",
        ),
        (
            ("content-type", "not a type"),
            "datacontenttype: \"not a type\" is not a media type (RFC 2046); write it like application/json",
        ),
        (("ce-x", "a\nb"), "x: control characters are not allowed in a header; percent-encode them"),
        (("ce-x", "%C0%AF"), "x: not valid UTF-8 after percent-decoding; encode the value as UTF-8"),
        (("ce-x", "%ED%A0%80"), "x: not valid UTF-8 after percent-decoding; encode the value as UTF-8"),
        (("ce-x", "%FF"), "x: not valid UTF-8 after percent-decoding; encode the value as UTF-8"),
    ] {
        refused(&with(&[header]), "", &format!("attribute {message}"));
    }
    refused(
        &replaced("ce-source", "http://[oops"),
        "",
        "attribute source: \"http://[oops\" is not a URI-reference (RFC 3986); \
         percent-encode what is not allowed in one",
    );
    refused(
        &with(&[("x-request-id", "a\rb")]),
        "",
        "header x-request-id: control characters are not allowed in a field; remove them",
    );
}

#[test]
fn a_bad_envelope_is_told_with_its_place() {
    let start = r#""specversion":"1.0","id":"1","source":"/s","type":"t""#;
    for (body, message) in [
        (
            "[]".to_owned(),
            "body: not valid JSON: invalid type: sequence, expected an object with the attributes \
            and the data of an event at line 1 column 0; send one JSON object as RFC 8259 has it",
        ),
        (
            format!("{{{start}"),
            "body: not valid JSON: EOF while parsing an object at line 1 column 54; send one \
            JSON object as RFC 8259 has it",
        ),
        (r#"{"id":"1"}"#.to_owned(), "attribute specversion: required but missing; add it"),
        (r#"{"specversion":null}"#.to_owned(), "attribute specversion: required but missing; add it"),
        (
            r#"{"specversion":1.0}"#.to_owned(),
            "attribute specversion: must be a JSON string; put it in quotes",
        ),
        (
            r#"{"specversion":"2"}"#.to_owned(),
            "attribute specversion: \"2\" is not a known version; use \"1.0\" or \"0.3\"",
        ),
        (
            format!(r#"{{{start},"specversion":"1.0"}}"#),
            "attribute specversion: occurs more than once; keep one",
        ),
        (format!(r#"{{{start},"a":1,"A":null}}"#), "attribute a: occurs more than once; keep one"),
        (format!(r#"{{{start},"\u0061":1,"a":2}}"#), "attribute a: occurs more than once; keep one"),
        (
            format!(r#"{{{start},"my_ext":"x"}}"#),
            "attribute my_ext: names consist of letters a-z and digits 0-9 only; rename it",
        ),
        (format!(r#"{{{start},"subject":5}}"#), "attribute subject: must be a JSON string; put it in quotes"),
        (
            format!(r#"{{{start},"time":"noon"}}"#),
            "attribute time: \"noon\" is not an RFC 3339 timestamp; write it like 2026-11-21T12:00:00Z",
        ),
        (
            format!(r#"{{{start},"big":3000000000}}"#),
            "attribute big: 3000000000 is outside of the 32-bit integers; send it as a string",
        ),
        (
            format!(r#"{{{start},"ext":{{}}}}"#),
            "attribute ext: must be a string, a Boolean or an integer; move objects and arrays into data",
        ),
        (
            format!(r#"{{{start},"data":1,"data_base64":"AA=="}}"#),
            "member data: stands beside data_base64; send one of them",
        ),
        (
            format!(r#"{{{start},"data_base64":"?"}}"#),
            "member data_base64: not valid base64; encode it as RFC 4648 section 4 has it",
        ),
        (
            format!(r#"{{{start},"datacontenttype":"text/plain","data":{{}}}}"#),
            "member data: must be a JSON string, since \
            datacontenttype is not JSON; quote it or use data_base64",
        ),
        (
            format!(r#"{{{start},"datacontenttype":"a b"}}"#),
            "attribute datacontenttype: \"a b\" is not a media type (RFC 2046); write it like application/json",
        ),
    ] {
        refused(&[STRUCTURED], &body, message);
    }
    refused(
        &[STRUCTURED],
        r#"{"specversion":"0.3","id":"1","source":"/s","type":"t","datacontentencoding":"gzip"}"#,
        "attribute datacontentencoding: \"gzip\" is not a known encoding; use \"base64\" or leave it out",
    );
}

#[test]
fn limits_are_answered_with_413() {
    let mut draft = Draft::new();
    let mut limit = |headers: &[(&str, &str)], body: &[u8]| match draft.decode(fields(headers), body) {
        Err(error @ Error::Limit { what, .. }) => {
            assert_eq!(error.status(), 413);
            Some(what)
        }
        Err(error) => panic!("{error}"),
        Ok(()) => None,
    };
    let many = |count: usize| {
        let extensions = (0..count).map(|number| format!(r#","x{number}":1"#)).collect::<String>();
        format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{extensions}}}"#)
    };
    // The four of the envelope and the arrival time are among them.
    assert_eq!(limit(&[STRUCTURED], many(8_395).as_bytes()), None);
    assert_eq!(limit(&[STRUCTURED], many(8_396).as_bytes()), Some("attributes"));
    let long = "x".repeat(256 << 10);
    let mut limit_with = |name: &str, value: &str| {
        let headers: Vec<_> = REQUIRED.into_iter().chain([(name, value)]).collect();
        limit(&headers, b"")
    };
    assert_eq!(limit_with("ce-a", &long), Some("bytes of rendered headers"));
    assert_eq!(limit_with("x-b3-a", &long), Some("bytes of rendered headers"));
    let name = format!("ce-{}", &long[..=usize::from(u16::MAX)]);
    assert_eq!(limit_with(&name, "1"), Some("bytes of an attribute name"));
    assert_eq!(limit(&REQUIRED, b"1"), None, "a draft is usable after an error");

    let mut batch = |count: usize| {
        let body = format!("[{}]", vec![many(0); count].join(","));
        decode_batch(
            fields(&[("content-type", "application/cloudevents-batch+json")]),
            body.as_bytes(),
            &mut draft,
            |_, _| Ok::<(), ()>(()),
        )
    };
    assert_eq!(batch(4_096), Ok(4_096));
    assert!(matches!(batch(4_097), Err(BatchError::Batch(Error::Limit { what: "events of a batch", .. }))));
}

#[test]
fn any_event_of_64_kib_passes() {
    let start = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t""#;
    let end = "}";
    let room = 64 * 1024 - start.len() - end.len();
    let letters = || (b'0'..=b'9').chain(b'a'..=b'z').map(char::from);
    let mut many = String::new();
    for name in
        letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))))
    {
        let member = format!(",\"{name}\":1");
        if many.len() + member.len() > room {
            break;
        }
        many.push_str(&member);
    }
    let wide = format!(r#","x":"{}""#, "é".repeat((room - 7) / 2));
    let long_name = format!(r#","{}":1"#, "n".repeat(room - 5));
    let depth = (room - 9) / 2;
    let deep = format!(r#","data":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    for middle in [many, wide, long_name, deep] {
        let body = format!("{start}{middle}{end}");
        assert!(body.len() <= 64 * 1024 && body.len() > 63 * 1024);
        let bytes = accept(&[STRUCTURED], body.as_bytes());
        let again = json(&bytes);
        assert_eq!(attributes(&accept(&[STRUCTURED], again.as_bytes())), attributes(&bytes));
    }
}
