//! What a configuration change costs, and what no change costs.
//!
//! `cargo bench -p eagre-snapshot`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use eagre_snapshot::{Counter, Id, Publisher, StatsWriter, Subscriber, Swap, decode, encode};

#[path = "../tests/support/mod.rs"]
mod support;

fn refresh(criterion: &mut Criterion) {
    let swap = Swap::new(Arc::new(0));
    let mut local = swap.local();
    criterion
        .bench_function("refresh/nothing_new", |bench| bench.iter(|| black_box(&swap).refresh(&mut local)));
}

fn count(criterion: &mut Criterion) {
    let dir = tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs");
    let writer = StatsWriter::create(dir.path(), 1, 1024).expect("stats");
    let counters = writer.shard(0).and_then(|mut shard| shard.claim(0, Id(1)).ok()).expect("a cell");
    criterion
        .bench_function("stats/add", |bench| bench.iter(|| black_box(&counters).add(Counter::Matched, 1)));
}

fn publish(criterion: &mut Criterion) {
    for triggers in [1_000, 10_000] {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs");
        let mut publisher = Publisher::open(dir.path()).expect("a publisher");
        let mut subscriber = Subscriber::open(dir.path()).expect("a subscriber");
        let snapshot = support::marked(triggers, 0);
        let mut group = criterion.benchmark_group(format!("{triggers}_triggers"));
        group.sample_size(20);
        group.bench_function("publish_and_load", |bench| {
            bench.iter(|| {
                publisher.publish(&snapshot).expect("published");
                subscriber.load().expect("accepted").expect("new")
            });
        });
        group.bench_function("validate", |bench| bench.iter(|| snapshot.validate()));
        group.bench_function("encode", |bench| bench.iter(|| encode(1, &snapshot)));
        let file = encode(1, &snapshot).expect("encoded");
        group.bench_function("decode", |bench| bench.iter(|| decode(&file)));
        group.finish();
    }
}

criterion_group!(benches, refresh, count, publish);
criterion_main!(benches);
