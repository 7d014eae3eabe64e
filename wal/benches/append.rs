//! The cost of an append without the disk: frame, copy, checksum; and of storing the
//! progress of consumers that have much unfinished and change little of it.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use eagre_wal::{Backend, Cursor, Fsync, Kind, Log, Lsn, Options, Pending, Place, Progress};

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

/// Twenty consumers with 4,096 unfinished records each, one of which is tried again.
fn progress(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { backend: Backend::Thread, ..Options::default() };
    let mut log = Log::open(dir.path(), options).expect("a log").0;
    let pending: Vec<_> = (0..4096).map(|n| Pending { lsn: Lsn(8 * n), ..Pending::default() }).collect();
    for consumer in 0..20 {
        let cursor = Cursor { read: Lsn(1 << 20), pending: pending.clone() };
        log.register(consumer, Place::Elsewhere, &cursor).expect("it is new");
    }
    log.append_cursors(0, Fsync::Never).expect("there is room");
    let (mut due_ms, mut written) = (0, 0);
    criterion.bench_function("progress of 20 consumers", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut storing = Duration::ZERO;
            for _ in 0..iterations {
                make_room(&mut log);
                due_ms += 1;
                let retried = [Pending { due_ms, ..pending[(due_ms % 4096) as usize] }];
                let (begun, end) = (Instant::now(), log.end());
                for consumer in 0..20 {
                    let progress = Progress {
                        place: Place::Elsewhere,
                        read: Lsn(1 << 20),
                        changed: &retried,
                        finished: &[],
                    };
                    log.progress(consumer, &progress).expect("it is registered");
                }
                log.append_cursors(0, Fsync::Never).expect("there is room");
                storing += begun.elapsed();
                written = log.end() - end;
            }
            storing
        });
    });
    println!("{written} bytes each time");
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

criterion_group!(benches, append, progress);
criterion_main!(benches);
