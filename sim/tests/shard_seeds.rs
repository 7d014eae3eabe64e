//! Many seeds of whole shards, one seed, and those that once found something.
//!
//! `EAGRE_SIM_SEEDS=5000 cargo test -p eagre-sim --profile sim --test shard_seeds`
//! runs more of them, from a place in the row that `EAGRE_SIM_FROM` names;
//! `EAGRE_SIM_SEED=7 cargo test -p eagre-sim --test shard_seeds -- --nocapture`
//! runs one and prints its trace.
#![cfg(feature = "shard")]

use eagre_sim::{
    Trace,
    shard::{Outcome, Seen, Sights, run},
};

/// What a build without optimization does in some twenty seconds.
const SEEDS: u64 = 250;

/// Seeds that broke a promise, and what they found. Where the order of random
/// choices changes, a seed comes to mean another history; then only the commit
/// that mended it tells the story.
const FOUND: [(u64, &str); 13] = [
    (616, "events on their way to a backlog were taken for moved by a lane that read the log, and lost"),
    (728, "what was handed out before it was moved was handed out again after a restart"),
    (553, "the same, while the backlog was still read"),
    (166, "a stop did not sync dead letters that a killed process had left in the page cache"),
    (1066, "one who looked for a connection twice had two places in the queue, and another was never called"),
    (1193, "one who waits for a descriptor and looks again waits twice"),
    (8113, "a reply that found the log short of space cost its delivery an attempt"),
    (1092, "without a sync a broker's backlog was never let go of, and the broker over its quota for good"),
    (3674, "events of many brokers in one segment made more backlogs than there is room for"),
    (4380, "a backlog went while a lane had still to read in the shard's log what had been moved"),
    (124, "a backlog forgot the place of a trigger that was not in the configuration after a crash"),
    (7275, "changed options left no room for the cursors that would have freed a segment, and the log full"),
    (11, "a trigger that was back in another slot of the counters was counted in both"),
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn run_or_name(seed: u64) -> Outcome {
    let outcome = run(seed, Trace::hashed());
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed} breaks a promise: {violation}: cargo run -p eagre-sim -- shard --seed {seed}");
    }
    outcome
}

/// Seeds from `from` on, on all cores.
fn run_all(from: u64, seeds: u64) -> Vec<Outcome> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        let part = |thread| {
            move || {
                (from..from + seeds)
                    .skip(thread as usize)
                    .step_by(threads as usize)
                    .map(run_or_name)
                    .collect()
            }
        };
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(part(thread))).collect();
        let outcomes: Vec<Vec<Outcome>> = parts.into_iter().map(|part| part.join().unwrap()).collect();
        outcomes.into_iter().flatten().collect()
    })
}

#[test]
fn many_seeds_hold_every_promise_and_see_everything() {
    let seeds = number("EAGRE_SIM_SEEDS").unwrap_or(SEEDS);
    let mut sights = Sights::default();
    for outcome in run_all(number("EAGRE_SIM_FROM").unwrap_or(0), seeds) {
        sights.add(&outcome.sights);
    }
    let missed: Vec<_> = Seen::ALL.iter().filter(|seen| sights.of(**seen) == 0).collect();
    assert!(seeds < SEEDS || missed.is_empty(), "no seed saw {missed:?}");
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
    let outcome = run(number("EAGRE_SIM_SEED").unwrap_or(0), trace);
    assert_eq!(outcome.violation, None);
}

#[test]
fn a_seed_gives_the_same_trace_each_time() {
    let first: Vec<_> = (0..25).map(run_or_name).collect();
    // In another order, so that nothing is left over from the seed before.
    for seed in (0..25).rev() {
        assert!(run_or_name(seed) == first[seed as usize], "seed {seed} differs");
    }
    assert!(first.windows(2).all(|pair| pair[0].trace != pair[1].trace), "two seeds do the same");
}
