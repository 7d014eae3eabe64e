//! The wire examples of the contract with upstream, as far as they concern events.

mod support;

use eagre_event::{
    BatchError, Draft, Error, Failure, Mode, Record, Ttl, TtlExhausted, Value, decode_batch, is_event, mode,
};
use support::*;

#[test]
fn the_smallest_event_is_stored_as_it_will_be_sent() {
    let bytes = accept(&REQUIRED, b"{}");
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(
        String::from_utf8_lossy(record.headers()),
        "ce-specversion: 1.0\r\nce-knativearrivaltime: 2026-06-17T10:00:00.123456789Z\r\n\
         ce-id: 1\r\nce-source: /s\r\nce-type: t\r\n"
    );
    assert_eq!((record.payload(), record.ttl()), (&b"{}"[..], 255));
}

#[test]
fn version_0_3_stays_0_3() {
    let mut headers = REQUIRED;
    headers[0].1 = "0.3";
    let bytes = accept(&headers, b"");
    assert_eq!(header(&bytes, "ce-specversion").as_deref(), Some("0.3"));
    let body = br#"{"specversion":"0.3","id":"1","source":"/s","type":"t","schemaurl":"/x",
        "datacontenttype":"image/png","datacontentencoding":"base64","data":"AP8="}"#;
    let bytes = accept(&[STRUCTURED], body);
    assert_eq!(Record::parse(&bytes).unwrap().payload(), [0, 255]);
    assert!(json(&bytes).ends_with(
        r#""schemaurl":"/x","datacontenttype":"image/png","datacontentencoding":"base64","data":"AP8="}"#
    ));
}

#[test]
fn a_structured_event_leaves_in_binary_mode() {
    let body =
        br#"{"specversion":"1.0","id":"a b","source":"/s","type":"t","subject":"","qty":5,"active":true,
        "gone":null,"tier":"g\u00f6ld","data": {"k" : 1.0} }"#;
    let bytes =
        accept(&[("Content-Type", "application/cloudevents+json; charset=UTF-8"), ("ce-id", "9")], body);
    let record = Record::parse(&bytes).unwrap();
    let sent: Vec<_> =
        lines(record.headers()).into_iter().filter(|(n, _)| n != "ce-knativearrivaltime").collect();
    let expected = [
        ("ce-specversion", "1.0"),
        ("ce-id", "a%20b"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
        ("ce-qty", "5"),
        ("ce-active", "true"),
        ("ce-tier", "g%C3%B6ld"),
        ("content-type", "application/json"),
    ];
    assert_eq!(sent, expected.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())));
    assert_eq!(record.payload(), br#"{"k" : 1.0}"#);
    assert_eq!(record.attribute("qty"), Some(Value::Integer(5)));
    assert_eq!(record.attribute("active"), Some(Value::Boolean(true)));
    assert_eq!(record.attribute("tier"), Some(Value::String("göld")));
    assert_eq!(record.attribute("id"), Some(Value::String("a b")));
    assert_eq!(record.attribute("datacontenttype"), None, "an implied content type is a header only");
}

#[test]
fn data_follows_its_content_type() {
    let envelope =
        |rest: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{rest}}}"#);
    for (rest, payload) in [
        (r#""data": 42"#, "42"),
        (r#""data":null"#, "null"),
        (r#""data":"x""#, "\"x\""),
        (r#""datacontenttype":"application/vnd.a+json","data":[1, 2]"#, "[1, 2]"),
        (r#""datacontenttype":"text/plain","data":"a\nb""#, "a\nb"),
        (r#""datacontenttype":"text/plain","data":"plain""#, "plain"),
        (r#""datacontenttype":"text/plain","data":null"#, ""),
        (r#""data_base64":"aGk=""#, "hi"),
        (r#""subject":"none""#, ""),
    ] {
        let body = envelope(rest);
        let bytes = accept(&[STRUCTURED], body.as_bytes());
        assert_eq!(Record::parse(&bytes).unwrap().payload(), payload.as_bytes(), "{rest}");
    }
}

#[test]
fn passes_are_counted_down_and_the_last_one_is_refused() {
    let stamped = |headers: &[(&str, &str)], ttl| {
        let mut draft = decode(headers, b"").unwrap();
        draft.stamp(noon(), ttl).map(|()| draft.ttl())
    };
    let max = Ttl::FromEvent { max: 255 };
    for (value, left) in [("2", Ok(1)), ("abc", Ok(255)), ("1", Err(TtlExhausted)), ("0", Err(TtlExhausted))]
    {
        assert_eq!(stamped(&with(&[("ce-knativebrokerttl", value)]), max), left, "{value}");
    }
    assert_eq!(stamped(&with(&[("ce-knativebrokerttl", "-5")]), max), Err(TtlExhausted));
    assert_eq!(stamped(&with(&[("ce-knativebrokerttl", "100000")]), max), Ok(255));
    assert_eq!(stamped(&REQUIRED, max), Ok(255));
    assert_eq!(stamped(&with(&[("ce-knativebrokerttl", "9")]), Ttl::FromParent(4)), Ok(3));
    assert_eq!(stamped(&REQUIRED, Ttl::FromParent(1)), Err(TtlExhausted));
    let body = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","knativebrokerttl":7}"#;
    assert_eq!(stamped_json(body), 6);
}

fn stamped_json(body: &[u8]) -> u8 {
    Record::parse(&accept(&[STRUCTURED], body)).unwrap().ttl()
}

#[test]
fn the_broker_s_attributes_are_its_own() {
    let headers = with(&[("ce-knativebrokerttl", "7"), ("ce-knativearrivaltime", "2001-01-01T00:00:00Z")]);
    let bytes = accept(&headers, b"");
    assert_eq!(header(&bytes, "ce-knativebrokerttl"), None);
    assert_eq!(header(&bytes, "ce-knativearrivaltime").unwrap(), "2026-06-17T10:00:00.123456789Z");
    assert!(!json(&bytes).contains("knativebrokerttl"));
}

#[test]
fn only_the_allow_list_passes_through() {
    let beside = [
        ("X-Request-Id", "r"),
        ("Retry-After", "1"),
        ("Knative-Hello", "world"),
        ("X-B3-TraceId", "b"),
        ("Traceparent", "00-a-b-01"),
        ("tracestate", "a=b"),
        ("baggage", "k=v"),
    ];
    let dropped = [("Authorization", "x"), ("kn-namespace", "x"), ("x-forwarded-for", "x"), ("cookie", "x")];
    let body = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    for (mode, body) in [(REQUIRED.to_vec(), &b""[..]), (vec![STRUCTURED], &body[..])] {
        let headers: Vec<_> = mode.into_iter().chain(beside).chain(dropped).collect();
        let bytes = accept(&headers, body);
        for (name, value) in beside {
            assert_eq!(header(&bytes, &name.to_ascii_lowercase()).as_deref(), Some(value), "{name}");
        }
        for (name, _) in dropped {
            assert_eq!(header(&bytes, name), None, "{name}");
        }
    }
}

#[test]
fn header_bytes_pass_untouched_and_filters_see_them_decoded() {
    let headers = with(&[("CE-Tier", "\"g\\\"%20\""), ("ce-off", "50%"), ("ce-empty", ""), ("ce-data", "x")]);
    let bytes = accept(&headers, b"");
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(header(&bytes, "ce-tier").as_deref(), Some("\"g\\\"%20\""));
    assert_eq!(record.attribute("tier"), Some(Value::String("g\" ")));
    assert_eq!(record.attribute("off"), Some(Value::String("50%")));
    assert_eq!(record.attribute("empty"), Some(Value::String("")));
    assert_eq!(record.attribute("data"), Some(Value::String("x")));
}

#[test]
fn a_uri_that_was_never_encoded_stays_a_uri() {
    let source = |value: &'static str| {
        let headers = [REQUIRED[0], REQUIRED[1], ("ce-source", value), REQUIRED[3]];
        let draft = decode(&headers, b"").unwrap();
        format!("{:?}", draft.attribute("source").unwrap())
    };
    assert_eq!(source("/a%20b"), r#"String("/a%20b")"#);
    assert_eq!(source("/a%2520b"), r#"String("/a%20b")"#);
}

#[test]
fn the_first_of_several_headers_counts_and_an_empty_subject_is_no_subject() {
    let headers = with(&[("ce-subject", ""), ("ce-id", "2"), ("ce-a", "1"), ("Ce-A", "2")]);
    let bytes = accept(&headers, b"");
    assert_eq!(header(&bytes, "ce-id").as_deref(), Some("1"));
    assert_eq!(header(&bytes, "ce-a").as_deref(), Some("1"));
    assert_eq!(header(&bytes, "ce-subject"), None);
    assert_eq!(lines(Record::parse(&bytes).unwrap().headers()).len(), 6);
}

#[test]
fn the_mode_is_what_the_message_claims() {
    let claims = |headers: &[(&'static str, &'static str)]| mode(fields(headers));
    assert_eq!(claims(&[("content-type", "Application/CloudEvents+JSON;x=y")]), Some(Mode::Structured));
    assert_eq!(claims(&[("content-type", "application/cloudevents+avro")]), None);
    assert_eq!(claims(&[("content-type", "application/cloudevents-batch+json")]), Some(Mode::Batch));
    assert_eq!(claims(&[("Ce-SpecVersion", "9000.1")]), Some(Mode::Binary));
    assert_eq!(claims(&[("content-type", "application/json"), ("ce-id", "1")]), None);
    assert!(is_event(fields(&REQUIRED)) && !is_event(fields(&[("content-type", "application/json")])));
}

#[test]
fn json_output_is_valid_whatever_the_data_is() {
    for (content_type, body, data) in [
        ("application/json", &b"{\"a\":1}\n"[..], r#","data":{"a":1}}"#),
        ("application/json", b"{", r#","data_base64":"ew=="}"#),
        ("text/plain", b"a\"b", r#","data":"a\"b"}"#),
        ("text/plain", b"\xff", r#","data_base64":"/w=="}"#),
        ("image/png", b"", r#""datacontenttype":"image/png"}"#),
    ] {
        let text = json(&accept(&with(&[("content-type", content_type)]), body));
        assert!(text.ends_with(data), "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

#[test]
fn a_dead_letter_tells_who_failed_and_how() {
    let bytes = accept(&with(&[("ce-knativebrokerttl", "9")]), b"d");
    let record = Record::parse(&bytes).unwrap();
    let data = vec![b'x'; 5_000];
    let failure = Failure { destination: "http://fake.svc.cluster.local", code: Some(422), data: &data };
    let mut block = Vec::new();
    record.write_dead_letter_headers(&mut block, &failure);
    assert!(block.starts_with(record.headers()));
    let added = lines(&block[record.headers().len()..]);
    let names: Vec<_> = added.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        ["ce-knativebrokerttl", "ce-knativeerrordest", "ce-knativeerrorcode", "ce-knativeerrordata"]
    );
    assert_eq!((&*added[0].1, &*added[1].1), (&b"8"[..], &b"http://fake.svc.cluster.local"[..]));
    assert_eq!((&*added[2].1, added[3].1.len()), (&b"422"[..], 1_024));
    block.clear();
    record.write_dead_letter_headers(&mut block, &Failure { code: None, data: b"", ..failure });
    let added = lines(&block[record.headers().len()..]);
    let names: Vec<_> = added.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["ce-knativebrokerttl", "ce-knativeerrordest"]);
}

#[test]
fn error_attributes_of_an_earlier_failure_are_kept() {
    let bytes =
        accept(&with(&[("ce-knativeerrordest", "http://first"), ("ce-knativeerrorcode", "500")]), b"");
    let mut block = Vec::new();
    let failure = Failure { destination: "http://second", code: Some(404), data: b"no" };
    Record::parse(&bytes).unwrap().write_dead_letter_headers(&mut block, &failure);
    let all: Vec<_> =
        lines(&block).into_iter().filter(|(name, _)| name.starts_with("ce-knativeerror")).collect();
    let expected = [("dest", "http://first"), ("code", "500"), ("data", "bm8=")];
    assert_eq!(all, expected.map(|(n, v)| (format!("ce-knativeerror{n}"), v.as_bytes().to_vec())));
}

#[test]
fn a_batch_is_all_of_its_events_or_none() {
    let headers = [("content-type", "application/cloudevents-batch+json"), ("x-request-id", "r")];
    let event =
        |id: &str| format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"t","data":"{id}"}}"#);
    let (mut draft, mut seen) = (Draft::new(), Vec::new());
    let body = format!("[{}, {}]", event("a"), event("b"));
    let count = decode_batch(fields(&headers), body.as_bytes(), &mut draft, |draft, body| {
        seen.push(record(draft, body));
        Ok::<(), ()>(())
    });
    assert_eq!(count, Ok(2));
    assert_eq!(Record::parse(&seen[1]).unwrap().payload(), b"\"b\"");
    assert_eq!(header(&seen[1], "x-request-id").as_deref(), Some("r"));

    let body = format!("[{}, {}]", event("a"), event(""));
    let outcome = decode_batch(fields(&headers), body.as_bytes(), &mut draft, |_, _| Ok::<(), ()>(()));
    assert!(matches!(outcome, Err(BatchError::Event { position: 1, error: Error::Attribute { .. } })));
    let outcome = decode_batch(fields(&headers), body.as_bytes(), &mut draft, |_, _| Err("full"));
    assert_eq!(outcome, Err(BatchError::Refused { position: 0, error: "full" }));
    assert_eq!(decode_batch(fields(&headers), b"[]", &mut draft, |_, _| Ok::<(), ()>(())), Ok(0));
}
