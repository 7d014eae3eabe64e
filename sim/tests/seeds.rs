//! Many seeds, one seed, and those that once found something.
//!
//! `EAGRE_SIM_SEEDS=100000 cargo test -p eagre-sim --release --test seeds` runs
//! more of them, from a place in the row that `EAGRE_SIM_FROM` names;
//! `EAGRE_SIM_SEED=7 cargo test -p eagre-sim --test seeds -- --nocapture` runs
//! one and prints its trace.

use std::panic;

use eagre_sim::{Branch, Coverage, Outcome, Trace, run};

/// What a build without optimization does in some twenty seconds.
const SEEDS: u64 = 2500;

/// Seeds that broke a promise, and what they found. `wal/tests/README.md` lists
/// every bug, those too that an earlier order of random choices found: where that
/// order changes, a seed comes to mean another simulation, and only the bug's own
/// test remains.
const FOUND: [(u64, &str); 2] = [
    (149, "segments went by cursors that were written and not synced"),
    (353, "a larger active segment from before the options changed filled the log for good"),
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn run_or_name(seed: u64) -> Outcome {
    panic::catch_unwind(|| run(seed, Trace::hashed())).unwrap_or_else(|_| {
        panic!("seed {seed} breaks a promise: cargo run -p eagre-sim -- --seed {seed}");
    })
}

#[test]
fn many_seeds_hold_every_promise_and_take_every_branch() {
    let from = number("EAGRE_SIM_FROM").unwrap_or(0);
    let seeds = number("EAGRE_SIM_SEEDS").unwrap_or(SEEDS);
    let mut coverage = Coverage::default();
    for seed in from..from + seeds {
        coverage.add(&run_or_name(seed).coverage);
    }
    let missed: Vec<_> = Branch::ALL.iter().filter(|branch| coverage.of(**branch) == 0).collect();
    assert!(seeds < SEEDS || missed.is_empty(), "no seed came to {missed:?}");
}

#[test]
fn seeds_that_once_found_something_hold() {
    for (seed, found) in FOUND {
        println!("seed {seed}: {found}");
        let _ = run_or_name(seed);
    }
}

#[test]
fn one_pasted_seed_holds_and_prints_its_trace() {
    let trace = if number("EAGRE_SIM_SEED").is_some() { Trace::printed() } else { Trace::hashed() };
    let _ = run(number("EAGRE_SIM_SEED").unwrap_or(0), trace);
}

#[test]
fn a_seed_gives_the_same_trace_each_time() {
    let first: Vec<_> = (0..60).map(run_or_name).collect();
    // In another order, so that nothing is left over from the seed before.
    for seed in (0..60).rev() {
        assert!(run_or_name(seed) == first[seed as usize], "seed {seed} differs");
    }
    assert!(first.windows(2).all(|pair| pair[0].trace != pair[1].trace), "two seeds do the same");
}
