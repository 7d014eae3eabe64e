//! Runs seeds: `[shard] --seeds N [--from S]` many of them, `[shard] --seed S` one
//! with its trace, `[shard] hunt [--from S]` one after another until one breaks a
//! promise. Without `shard` they are simulations of the log alone.
//!
//! Exit code 0: every promise was held. 1: one was broken; its seed is told. 64:
//! the arguments are wrong.

#[cfg(feature = "shard")]
mod shards;

use std::{panic, process::ExitCode};

use eagre_sim::{Coverage, Trace, run};

const USAGE: &str =
    "usage: eagre-sim [shard] --seeds N [--from S] | [shard] --seed S | shard hunt [--from S]";

/// What is asked for.
enum Request {
    One(u64),
    Many { from: u64, seeds: u64 },
    Hunt { from: u64 },
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (of_shards, arguments) = match arguments[..] {
        ["shard", ref rest @ ..] => (true, rest),
        ref rest => (false, rest),
    };
    let request = match request(arguments) {
        Some(Request::Hunt { .. }) if !of_shards => None,
        request => request,
    };
    let Some(request) = request else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    if of_shards { shards(request) } else { log(request) }
}

fn request(arguments: &[&str]) -> Option<Request> {
    let number = |text: &str| text.parse::<u64>().ok();
    Some(match *arguments {
        ["--seed", seed] => Request::One(number(seed)?),
        ["--seeds", seeds] => Request::Many { from: 0, seeds: number(seeds)? },
        ["--seeds", seeds, "--from", from] => Request::Many { from: number(from)?, seeds: number(seeds)? },
        ["hunt"] => Request::Hunt { from: 0 },
        ["hunt", "--from", from] => Request::Hunt { from: number(from)? },
        _ => return None,
    })
}

#[cfg(feature = "shard")]
fn shards(request: Request) -> ExitCode {
    match request {
        Request::One(seed) => shards::one(seed),
        Request::Many { from, seeds } => shards::many(from, seeds),
        Request::Hunt { from } => shards::many(from, u64::MAX - from),
    }
}

#[cfg(not(feature = "shard"))]
fn shards(_: Request) -> ExitCode {
    eprintln!("this build simulates the log alone; build it with the feature `shard`");
    ExitCode::from(64)
}

fn log(request: Request) -> ExitCode {
    let (from, seeds) = match request {
        Request::One(seed) => {
            let outcome = run(seed, Trace::printed());
            println!("trace {:016x}", outcome.trace);
            return ExitCode::SUCCESS;
        }
        Request::Many { from, seeds } => (from, seeds),
        Request::Hunt { from } => (from, u64::MAX - from),
    };
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
