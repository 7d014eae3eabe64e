//! What judging an event and compiling triggers cost.
//!
//! `cargo bench -p eagre-filter`

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use eagre_filter::cesql::Expression;
use eagre_filter::{Attributes, Filter, Matcher, Value};
use std::hint::black_box;

/// Ten attributes that are searched one after the other.
struct Event(Vec<(&'static str, Value<'static>)>);

impl Attributes for Event {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }
}

fn event() -> Event {
    Event(vec![
        ("specversion", Value::String("1.0")),
        ("id", Value::String("8f14e45f-ceea-467f-9575-1f2d3c4b5a69")),
        ("source", Value::String("/shop/eu/frankfurt")),
        ("type", Value::String("com.example.order.created.v0")),
        ("time", Value::String("2026-01-02T03:04:05Z")),
        ("subject", Value::String("orders/4711")),
        ("datacontenttype", Value::String("application/json")),
        ("tier", Value::String("gold")),
        ("qty", Value::Integer(5)),
        ("active", Value::Boolean(true)),
    ])
}

fn pair(name: &str, text: String) -> Vec<(String, String)> {
    vec![(name.to_owned(), text)]
}

fn exact(number: u32) -> Filter {
    Filter::Exact(pair("type", format!("com.example.order.created.v{number}")))
}

/// 70 % exact, 10 % prefix, 10 % all or any, 10 % CESQL; one of each kind has
/// the number 0 and matches.
fn mixed(number: u32) -> Filter {
    let n = number / 10;
    match number % 10 {
        0..7 => exact(number),
        7 => Filter::Prefix(pair("source", if n == 0 { "/shop/eu/".into() } else { format!("/shop/{n}/") })),
        8 if n.is_multiple_of(2) => {
            Filter::All(vec![exact(n), Filter::Suffix(pair("subject", "4711".into()))])
        }
        8 => Filter::Any(vec![exact(n), Filter::Exact(pair("subject", format!("orders/{n}")))]),
        _ => {
            Filter::Cesql(format!("type = 'com.example.order.created.v{n}' AND qty > 3 AND tier LIKE 'g%d'"))
        }
    }
}

fn compile(count: u32, filter: fn(u32) -> Filter) -> Matcher {
    let mut matcher = Matcher::new();
    for number in 0..count {
        matcher.insert(number, &filter(number)).expect("the filter is valid");
    }
    matcher
}

fn matches(c: &mut Criterion) {
    let event = event();
    let mut out = Vec::with_capacity(64);
    let mut group = c.benchmark_group("exact");
    for count in [1, 1000, 10_000] {
        let matcher = compile(count, exact);
        matcher.matches(&event, &mut out);
        assert_eq!(out, [0]);
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| matcher.matches(black_box(&event), &mut out));
        });
    }
    group.finish();
    let matcher = compile(10_000, mixed);
    matcher.matches(&event, &mut out);
    assert_eq!(out, [0, 7, 8, 9]);
    c.bench_function("mixed/10000", |b| b.iter(|| matcher.matches(black_box(&event), &mut out)));
}

fn expression(c: &mut Criterion) {
    let event = event();
    let text = "type LIKE 'com.%.created.%' AND tier = 'gold' AND qty > 3";
    let expression = Expression::new(text).expect("the text is an expression");
    assert!(expression.passes(&event, None));
    c.bench_function("cesql", |b| b.iter(|| expression.passes(black_box(&event), None)));
}

fn compiling(c: &mut Criterion) {
    let filters: Vec<Filter> = (0..10_000).map(mixed).collect();
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("10000", |b| {
        b.iter(|| {
            let mut matcher = Matcher::new();
            for (slot, filter) in (0..).zip(&filters) {
                matcher.insert(slot, filter).expect("the filter is valid");
            }
            matcher
        });
    });
    let matcher = compile(10_000, mixed);
    group.bench_function("clone", |b| b.iter(|| matcher.clone()));
    group.bench_function("update", |b| {
        let mut number = 0;
        b.iter_batched_ref(
            || matcher.clone(),
            |matcher| {
                number = (number + 7) % 10_000;
                matcher
                    .insert(number, &filters[(number as usize + 1) % filters.len()])
                    .expect("the filter is valid");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, matches, expression, compiling);
criterion_main!(benches);
