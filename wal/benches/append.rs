//! The cost of an append without the disk: frame, copy, checksum.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use eagre_wal::{Backend, Fsync, Kind, Log, Options};

/// Bytes that are appended between two flushes.
const BATCH_BYTES: usize = 1024 * 1024;

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for bytes in [128, 1024, 16 * 1024] {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options { backend: Backend::Thread, ..Options::default() };
        let mut log = Log::open(dir.path(), options).expect("a log").0;
        let body = vec![7; bytes];
        let batch = (BATCH_BYTES / bytes) as u64;
        group.bench_function(format!("{bytes} bytes"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut appending = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let records = left.min(batch);
                    make_room(&mut log);
                    let begun = Instant::now();
                    for _ in 0..records {
                        log.append(Kind(16), 0, Fsync::Never, &[&body]).expect("there is room for a batch");
                    }
                    appending += begun.elapsed();
                    left -= records;
                }
                appending
            });
        });
    }
    group.finish();
}

/// Flushes what is pending, and waits until a segment stands ready: then a batch
/// fits.
fn make_room(log: &mut Log) {
    log.submit().expect("the disk works");
    while !log.is_idle() || log.usage().spares == 0 {
        log.poll().expect("the disk works");
        log.release(0);
        std::thread::yield_now();
    }
}

criterion_group!(benches, append);
criterion_main!(benches);
