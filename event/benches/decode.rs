//! What one event costs between the HTTP codec and the log, and from the log to a subscriber.

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eagre_event::{Draft, Record, Ttl};

/// 13 fields, as a producer's library sends them.
const HEADERS: [(&str, &[u8]); 13] = [
    ("Host", b"broker-ingress.knative-eventing.svc.cluster.local"),
    ("User-Agent", b"Go-http-client/1.1"),
    ("Content-Length", b"1024"),
    ("Content-Type", b"application/json"),
    ("Ce-Specversion", b"1.0"),
    ("Ce-Id", b"5a1f8c52-8d5e-4f6f-9a57-0d6f4b8f8f11"),
    ("Ce-Source", b"/apis/v1/namespaces/default/orders"),
    ("Ce-Type", b"com.example.order.created"),
    ("Ce-Subject", b"order/4711"),
    ("Ce-Time", b"2026-11-21T12:00:00.123456789Z"),
    ("Ce-Partitionkey", b"customer-17"),
    ("Traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("Accept-Encoding", b"gzip"),
];

fn store(draft: &mut Draft, headers: &[(&'static str, &'static [u8])], body: &[u8]) -> usize {
    draft.decode(black_box(headers).iter().copied(), black_box(body)).unwrap();
    draft.stamp(SystemTime::now(), Ttl::FromEvent { max: 255 }).unwrap();
    draft.record_parts(body).iter().map(|part| black_box(part).len()).sum()
}

fn events(c: &mut Criterion) {
    let mut draft = Draft::new();
    let mut group = c.benchmark_group("event");
    group.throughput(Throughput::Elements(1));

    let body = [b"{\"text\":\"", "x".repeat(1_013).as_bytes(), b"\"}"].concat();
    group.bench_function("binary 13 headers 1 KiB: decode, stamp, record", |b| {
        b.iter(|| store(&mut draft, &HEADERS, &body));
    });

    let data = String::from_utf8(body.clone()).unwrap();
    let envelope = format!(
        r#"{{"specversion":"1.0","id":"5a1f8c52","source":"/orders","type":"com.example.order.created","subject":"order/4711","time":"2026-11-21T12:00:00Z","partitionkey":"customer-17","datacontenttype":"application/json","data":{data}}}"#
    );
    let structured: [(&str, &[u8]); 1] = [("Content-Type", b"application/cloudevents+json")];
    group.bench_function("structured 1 KiB: decode, stamp, record", |b| {
        b.iter(|| store(&mut draft, &structured, envelope.as_bytes()));
    });

    store(&mut draft, &HEADERS, &body);
    let record = draft.record_parts(&body).concat();
    group.bench_function("record: parse", |b| b.iter(|| Record::parse(black_box(&record)).unwrap().ttl()));
    let parsed = Record::parse(&record).unwrap();
    let mut out = Vec::new();
    group.bench_function("record: write_json", |b| {
        b.iter(|| {
            out.clear();
            parsed.write_json(&mut out);
            out.len()
        });
    });
    group.bench_function("draft: four lookups", |b| {
        b.iter(|| {
            ["type", "source", "subject", "partitionkey"]
                .map(|name| draft.attribute(black_box(name)).is_some())
        });
    });
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
