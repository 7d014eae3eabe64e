//! Seeds of whole shards, on all cores.

use std::{
    panic,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use eagre_sim::{
    Trace,
    shard::{Seen, Sights, run},
};

/// Runs one seed and prints everything that happens.
pub(crate) fn one(seed: u64) -> ExitCode {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .without_time()
        .with_ansi(false)
        .with_writer(std::io::stdout)
        .init();
    let outcome = run(seed, Trace::printed());
    println!("trace {:016x}, {} polls, {} budgets a turn", outcome.trace, outcome.polls, outcome.turn);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("seed {seed}: {violation}");
            ExitCode::from(1)
        }
    }
}

/// What all threads have found.
#[derive(Default)]
struct Found {
    sights: Sights,
    polls: u64,
    turn: (u64, u64),
    broken: Vec<(u64, String)>,
}

/// Runs seeds until `broken_max` of them have broken a promise.
pub(crate) fn many(from: u64, seeds: u64) -> ExitCode {
    let broken_max = std::env::var("EAGRE_SIM_BROKEN_MAX").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    // Panics of a process are part of its history.
    panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let end = from.saturating_add(seeds);
    let found = Mutex::new(Found::default());
    let work = || {
        while found.lock().unwrap_or_else(PoisonError::into_inner).broken.len() < broken_max {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= end {
                break;
            }
            let outcome = panic::catch_unwind(|| run(seed, Trace::hashed()));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(outcome) => {
                    found.sights.add(&outcome.sights);
                    found.polls += outcome.polls;
                    found.turn = found.turn.max((outcome.turn, seed));
                    found.broken.extend(outcome.violation.map(|violation| (seed, violation)));
                }
                Err(panic) => {
                    let text = panic
                        .downcast_ref::<String>()
                        .cloned()
                        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    found.broken.push((seed, format!("a panic: {}", text.unwrap_or_default())));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for seen in Seen::ALL {
        println!("{:>9} {seen:?}", found.sights.of(*seen));
    }
    println!("{} polls, at most {} budgets a turn (seed {})", found.polls, found.turn.0, found.turn.1);
    let ran = next.load(Relaxed).min(end) - from;
    println!("{ran} seeds in {:.1} s", begun.elapsed().as_secs_f64());
    for (seed, violation) in &found.broken {
        println!("seed {seed} breaks a promise: {violation}");
        println!("    cargo run -p eagre-sim --profile sim -- shard --seed {seed}");
    }
    if found.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
