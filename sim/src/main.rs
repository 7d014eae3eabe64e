//! Runs seeds: `--seeds N [--from S]` many of them, `--seed S` one with its trace.
//!
//! Exit code 0: every promise was held. 1: one was broken; its seed is told. 64:
//! the arguments are wrong.

use std::{panic, process::ExitCode};

use eagre_sim::{Coverage, Trace, run};

const USAGE: &str = "usage: eagre-sim --seeds N [--from S] | --seed S";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    let (from, seeds) = match arguments[..] {
        ["--seed", seed] => (number(seed), None),
        ["--seeds", seeds] => (Some(0), number(seeds)),
        ["--seeds", seeds, "--from", from] => (number(from), number(seeds)),
        _ => (None, None),
    };
    match (from, seeds) {
        (Some(seed), None) if arguments[0] == "--seed" => {
            let outcome = run(seed, Trace::printed());
            println!("trace {:016x}", outcome.trace);
            ExitCode::SUCCESS
        }
        (Some(from), Some(seeds)) => run_many(from, seeds),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(64)
        }
    }
}

fn run_many(from: u64, seeds: u64) -> ExitCode {
    let mut coverage = Coverage::default();
    for seed in from..from.saturating_add(seeds) {
        match panic::catch_unwind(|| run(seed, Trace::hashed())) {
            Ok(outcome) => coverage.add(&outcome.coverage),
            Err(_) => {
                eprintln!("seed {seed} breaks a promise: cargo run -p eagre-sim -- --seed {seed}");
                return ExitCode::from(1);
            }
        }
    }
    for branch in eagre_sim::Branch::ALL {
        println!("{:>9} {branch:?}", coverage.of(*branch));
    }
    println!("{seeds} seeds hold every promise");
    ExitCode::SUCCESS
}
