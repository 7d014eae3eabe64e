//! Interleavings of the in-process hand-over, under the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p eagre-snapshot --release --test loom`
#![cfg(loom)]

use eagre_snapshot::{Local, Swap};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// A value that knows its number, and counts its drops.
struct Table {
    number: u64,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Table {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// With three threads or more beside each other, all interleavings with at most
/// three preemptions: nearly every known concurrency bug needs fewer, and all
/// of them would take hours.
fn model_bounded(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

struct Setup {
    swap: Arc<Swap<Table>>,
    dropped: Arc<AtomicUsize>,
}

impl Setup {
    fn new() -> Setup {
        let dropped = Arc::new(AtomicUsize::new(0));
        let first = Arc::new(Table { number: 1, dropped: Arc::clone(&dropped) });
        Setup { swap: Arc::new(Swap::new(first)), dropped }
    }

    /// A thread that stores these numbers.
    fn writer(&self, numbers: &'static [u64]) -> thread::JoinHandle<()> {
        let (swap, dropped) = (Arc::clone(&self.swap), Arc::clone(&self.dropped));
        thread::spawn(move || {
            for &number in numbers {
                swap.store(Arc::new(Table { number, dropped: Arc::clone(&dropped) }));
            }
        })
    }

    /// A thread that refreshes `turns` times, checking every step.
    fn reader(&self, turns: usize) -> thread::JoinHandle<Local<Table>> {
        let swap = Arc::clone(&self.swap);
        thread::spawn(move || {
            let mut local = swap.local();
            for _ in 0..turns {
                let before = local.number;
                let changed = swap.refresh(&mut local);
                assert!(local.number >= before, "back to an older value");
                assert_eq!(changed, local.number > before);
            }
            local
        })
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[test]
fn a_reader_sees_whole_values_in_order_and_the_last_one_in_the_end() {
    loom::model(|| {
        let setup = Setup::new();
        let (reader, writer) = (setup.reader(2), setup.writer(&[2, 3]));
        let mut local = reader.join().unwrap();
        writer.join().unwrap();
        setup.swap.refresh(&mut local);
        assert_eq!(local.number, 3, "an update was lost");
        assert!(!setup.swap.refresh(&mut local));
    });
}

#[test]
fn old_values_are_dropped_once_their_last_reader_has_moved_on() {
    model_bounded(|| {
        let setup = Setup::new();
        let (one, other, writer) = (setup.reader(1), setup.reader(1), setup.writer(&[2]));
        let mut locals = [one.join().unwrap(), other.join().unwrap()];
        writer.join().unwrap();
        for local in &mut locals {
            setup.swap.refresh(local);
        }
        assert_eq!(setup.dropped(), 1, "only the first value is old");
        drop(locals);
        assert_eq!(setup.dropped(), 1, "the newest value stays for the next reader");
    });
}
