//! Writes `seeds/`: a few small inputs for each target, from which a fuzzer
//! gets to the interesting parts at once. Deterministic; run it after a format
//! or the reading of an input has changed.

use std::{fs, path::Path, time::UNIX_EPOCH};

use eagre_event::{Draft, Ttl};
use eagre_filter::Filter;
use eagre_snapshot::{
    Annotations, Backoff, Broker, BrokerSettings, Delivery, Endpoint, Format, Fsync, Id, Snapshot, Trigger,
    encode,
};

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let write = |target: &str, list: Vec<Vec<u8>>| {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        for (number, bytes) in list.into_iter().enumerate() {
            fs::write(folder.join(format!("{number:02}")), bytes).expect("a file");
        }
    };
    write("http1_request", requests());
    write("http1_response", responses());
    write("http1_chunked", bodies());
    write("event_decode", messages());
    write("record_parse", records());
    write("cesql_parse", EXPRESSIONS.map(|text| text.as_bytes().to_vec()).to_vec());
    write("cesql_evaluate", EXPRESSIONS.map(evaluation).to_vec());
    write("filter_match", filters());
    write("snapshot_decode", snapshots());
    write("wal_open", logs());
}

/// Two cuts of two bytes each, then the message.
fn cut(message: &str) -> Vec<u8> {
    [&[9, 0, 30, 0], message.as_bytes()].concat()
}

fn requests() -> Vec<Vec<u8>> {
    [
        "POST /default/default HTTP/1.1\r\nHost: broker:8080\r\nContent-Length: 12\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
        "GET http://[::1]:80/a?b HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close, x\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ]
    .map(cut)
    .to_vec()
}

fn responses() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nce-id: 1\r\n\r\n",
        "HTTP/1.0 503 \r\nRetry-After: 5\r\n\r\nrest",
        "HTTP/1.1 204\r\nConnection: close\r\n\r\n",
    ]
    .map(cut)
    .to_vec()
}

/// A limit and two sizes of pieces, then the body.
fn bodies() -> Vec<Vec<u8>> {
    [
        "5\r\nhello\r\n0\r\n\r\n",
        "A;name=value\r\n0123456789\r\n1\r\n!\r\n0\r\nx-trailer: 1\r\n\r\nnext",
        "00000000000000ff\r\n",
    ]
    .map(|body| [&[20, 2, 5], body.as_bytes()].concat())
    .to_vec()
}

fn messages() -> Vec<Vec<u8>> {
    let json = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"b":true,"x":"\u00e9 %","data":{"a":[1]}}"#;
    let old = br#"{"specversion":"0.3","id":"1","source":"/s","type":"t","datacontentencoding":"base64","data":"aGk="}"#;
    let bytes = br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data_base64":"/w=="}"#;
    vec![
        b"\0content-type: text/plain\x1ece-subject: a%20b\x1etraceparent: 00-a-b-01\x1dhello".to_vec(),
        b"\0ce-time: 2026-11-21T12:00:00Z\x1ece-x: %C3%A9\x1ece-knativebrokerttl: 5\x1d{\"a\":1}".to_vec(),
        [b"\x01knative-x: y\x1d", &json[..]].concat(),
        [b"\x01\x1d", &old[..]].concat(),
        [b"\x01\x1d", &bytes[..]].concat(),
        [b"\x02\x1d[", &json[..], b",", &old[..], b"]"].concat(),
        b"\x07ce-specversion: 0.3\x1ece-id: 1\x1ece-source: s\x1ece-type: t\x1ece-schemaurl: a:b\x1d"
            .to_vec(),
    ]
}

/// A byte of choices, then the record.
fn records() -> Vec<Vec<u8>> {
    let record = |message: &[u8]| {
        let json: (&str, &[u8]) = ("content-type", b"application/cloudevents+json");
        let mut draft = Draft::new();
        draft.decode([json].into_iter(), message).expect("an event");
        draft.stamp(UNIX_EPOCH, Ttl::FromEvent { max: 255 }).expect("passes are left");
        [&[0], &draft.record_parts(message).concat()[..]].concat()
    };
    vec![
        record(br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"b":true,"x":"\u00e9","data":"d"}"#),
        record(br#"{"specversion":"0.3","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data":"d"}"#),
    ]
}

const EXPRESSIONS: [&str; 12] = [
    "type = 'com.example' AND (source LIKE '/a%' OR NOT EXISTS subject)",
    "qty * 2 + 1 >= -7 XOR tier IN ('gold', \"it's\", 5)",
    "INT(SUBSTRING(CONCAT('1', tier), 1, 2)) <> 5",
    "'a\\'b_%\\\\' NOT LIKE 'a__\\_%\\%'",
    "CONCAT_WS(',', LEFT(type, 3), UPPER(RIGHT(id, 2)), TRIM(' x ')) != LOWER(source)",
    "IS_BOOL(active) AND IS_INT(qty) OR BOOL('true') = STRING(TRUE)",
    "- qty / 0 % 3 - -2147483648",
    "KN_VERIFY_CORRELATION_ID(id, 'name', 'namespace', 'secret', 0, 1)",
    "ABS(-5) < LENGTH(id)",
    "((((TRUE))))",
    "time NOT IN (active, NOT FALSE)",
    "datacontenttype LIKE '_%text%_'",
];

/// Keys, eight attributes, then the expression.
fn evaluation(text: &str) -> Vec<u8> {
    [&[1, 0, 1, b't', 0, 2, b'/', b'a', 3, 5, 7, 3, 10, 3, 6, 4, 3, 5, 1], text.as_bytes()].concat()
}

/// Two events of eight attributes, then steps.
fn filters() -> Vec<Vec<u8>> {
    let events = [3, 1, 3, 2, 3, 5, 7, 3, 10, 3, 6, 4, 3, 5, 1, 3, 2, 7, 3, 4, 7, 7, 3, 7, 4, 2, 5, 0];
    let steps: [&[u8]; 3] = [
        &[0, 0, 2, 1, 2, 1, 1, 1, 0, 7, 2, 3, 1, 2, 1, 1, 4, 1, 2, 1, 2],
        &[0, 0, 11, 9, 2, 5, 0, 0, 1, 1, 0, 5, 1, 6, 1, 1, 1, 2, 0, 2, 0, 5, 2, 3, 1, 1, 0],
        &[1, 0, 6, 11, b't', b'y', b'p', b'e', b' ', b'=', b' ', b'\'', b'a', b'\'', b' ', 1, 7, 2, 0, 0],
    ];
    steps.map(|steps| [&events[..], steps].concat()).to_vec()
}

/// A byte of choices, then a file or a body alone.
fn snapshots() -> Vec<Vec<u8>> {
    let pairs = || vec![("type".to_owned(), "a".to_owned())];
    let broker = Broker {
        id: Id(1),
        namespace: "n".into(),
        name: "b".into(),
        settings: BrokerSettings { fsync: Some(Fsync::Interval { ms: 5 }), backlog_bytes_max: Some(1 << 30) },
        annotations: Annotations::new(),
    };
    let endpoint = Endpoint {
        uri: "http://s/".into(),
        host: "s".into(),
        port: 80,
        authority: "s".into(),
        target: "/".into(),
    };
    let filter = Filter::All(vec![
        Filter::Everything,
        Filter::Any(vec![Filter::Exact(pairs()), Filter::Prefix(pairs())]),
        Filter::Not(Box::new(Filter::Cesql("EXISTS source".into()))),
    ]);
    let trigger = Trigger {
        id: Id(2),
        broker: Id(1),
        namespace: "n".into(),
        name: "t".into(),
        filter,
        subscriber: endpoint.clone(),
        delivery: Delivery {
            retry_max: 3,
            backoff: Backoff::Linear,
            backoff_delay_ms: 500,
            timeout_ms: Some(1),
            retry_after_max_ms: None,
            format: Format::Json,
        },
        dead_letter: Some(endpoint),
        annotations: [("eagre.eventing.knative.dev/a".to_owned(), "b".to_owned())].into(),
    };
    let snapshot = Snapshot { brokers: vec![broker], triggers: vec![trigger], grace_ms: 0 };
    let file = encode(7, &snapshot).expect("a file");
    vec![[&[0], &file[..]].concat(), [&[1], &file[40..]].concat(), vec![1, 0, 0]]
}

/// Steps that build a log; see the target.
fn logs() -> Vec<Vec<u8>> {
    let steps: [&[u8]; 6] = [
        // A checkpoint and records.
        &[0, 0, 2, 0, 9, 3, 0, 200, 4, 7, 5],
        // A full segment, sealed, and its successor with records.
        &[0, 0, 2, 0, 255, 7, 0, 8, 0, 0, 0, 2, 0, 9],
        // A torn tail: bytes behind the last record.
        &[1, 0, 2, 0, 9, 10, 0, 32, 3, 1, 2, 3],
        // A gap: a later frame knows that more was durable.
        &[0, 0, 2, 0, 9, 9, 4, 2, 0, 9],
        // A cursor.
        &[
            0, 5, 1, 0, 0, 0, 32, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 9,
        ],
        // A segment and an empty one behind it.
        &[0, 0, 2, 0, 9, 8, 0, 0],
    ];
    steps.map(<[u8]>::to_vec).to_vec()
}
