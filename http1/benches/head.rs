//! What a request head of the hot path costs, beside httparse alone.

use std::{hint::black_box, mem::MaybeUninit};

use criterion::{Criterion, criterion_group, criterion_main};
use eagre_http1::{Chunked, Headers, Limits, encode, parse_request};

const LIMITS: Limits =
    Limits { head_bytes_max: 16 * 1024, headers_max: 64, chunk_line_bytes_max: 256, trailer_bytes_max: 4096 };

/// A binary-mode event of 1 KiB with 13 fields.
const REQUEST: &[u8] = b"POST /default/orders HTTP/1.1\r\n\
    Host: broker-ingress.knative-eventing.svc.cluster.local\r\n\
    User-Agent: Go-http-client/1.1\r\n\
    Content-Length: 1024\r\n\
    Ce-Id: 6a1b5c9e-7c1a-4d0e-9a53-0d8f3c5f7a21\r\n\
    Ce-Source: /shop/eu/checkout\r\n\
    Ce-Specversion: 1.0\r\n\
    Ce-Subject: order/4711\r\n\
    Ce-Time: 2026-11-21T12:00:00.000000Z\r\n\
    Ce-Type: com.example.order.created\r\n\
    Content-Type: application/json\r\n\
    Prefer: reply\r\n\
    Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    Accept-Encoding: gzip\r\n\r\n";

fn head(criterion: &mut Criterion) {
    let mut received = REQUEST.to_vec();
    received.resize(REQUEST.len() + 1024, b'x');
    let mut group = criterion.benchmark_group("head");
    group.bench_function("httparse", |bencher| {
        bencher.iter(|| {
            let mut slots = [const { MaybeUninit::uninit() }; 64];
            let mut request = httparse::Request::new(&mut []);
            let status = request.parse_with_uninit_headers(black_box(&received), &mut slots);
            black_box((status.is_ok(), request.headers.len()))
        });
    });
    group.bench_function("request", |bencher| {
        bencher.iter(|| {
            let mut headers = Headers::new();
            let head = parse_request(black_box(&received), &mut headers, &LIMITS);
            black_box(head.is_ok_and(|head| head.is_some()))
        });
    });
    group.finish();
}

fn body(criterion: &mut Criterion) {
    let mut encoded = Vec::new();
    encode::chunk(&mut encoded, &[b'x'; 1024]);
    encoded.extend_from_slice(encode::LAST_CHUNK);
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function("chunked/1 KiB", |bencher| {
        bencher.iter(|| {
            out.clear();
            Chunked::new(&LIMITS).decode(black_box(&encoded), &mut out, 4096)
        });
    });
}

criterion_group!(benches, head, body);
criterion_main!(benches);
