//! Tasks of the project: crash trials of the real server, the ledger of all that were
//! run, and the planted bugs that prove that trials find something.
//!
//! `cargo xtask crash --trials 20` and `cargo xtask canaries`; see `--help` of each.
//! A trial that cannot be carried out, because a right, a device or a tool is missing,
//! fails with the reason; nothing is ever skipped.

mod build;
mod isolation;
mod random;
mod sys;

mod crash;
mod canaries;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::{
    build::Build,
    crash::{
        Family, Options, Sum,
        ledger::{self, Batch, Ledger},
    },
};

/// Tasks of the project
#[derive(Debug, Parser)]
#[command(name = "xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Crash the real server under load and account for every event
    Crash(CrashArgs),
    /// Plant bugs, one after another, and see the trials find each
    Canaries(CanariesArgs),
}

#[derive(Debug, Args)]
struct CrashArgs {
    /// Trials of each family
    #[arg(long, default_value_t = 10, value_name = "N")]
    trials: u64,

    /// How the server is crashed: kill, page-cache, fuse, sync-failure, seams, or all
    #[arg(long, default_value = "all", value_parser = families, value_name = "FAMILY")]
    family: Families,

    /// Seed of the first trial [default: the first that the ledger does not have]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Try the release build
    #[arg(long)]
    release: bool,

    /// Try this `eagre` binary instead of building one; for the ledger it does not count
    #[arg(long, value_name = "FILE", conflicts_with = "release", requires = "no_ledger")]
    binary: Option<PathBuf>,

    /// Plant this bug; takes a binary that was built with --cfg canary
    #[arg(long, value_name = "NAME", requires = "binary")]
    canary: Option<String>,

    /// Write nothing into the ledger
    #[arg(long)]
    no_ledger: bool,

    /// Run nothing; print the sums of the ledger
    #[arg(long)]
    report: bool,
}

#[derive(Debug, Args)]
struct CanariesArgs {
    /// Only this one
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// One family, or all of them.
#[derive(Clone, Copy, Debug)]
struct Families(&'static [Family]);

fn families(name: &str) -> Result<Families, String> {
    let one = || Family::ALL.iter().position(|family| family.name() == name);
    match name {
        "all" => Ok(Families(&Family::ALL)),
        _ => one().map(|at| Families(&Family::ALL[at..=at])).ok_or_else(|| "no such family".to_owned()),
    }
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Crash(args) => crash(&args),
        Task::Canaries(args) => canaries::run(args.only.as_deref()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn crash(args: &CrashArgs) -> Result<ExitCode> {
    if args.report {
        print!("{}", Ledger::open()?.report());
        return Ok(ExitCode::SUCCESS);
    }
    let build = if args.release { Build::Release } else { Build::Dev };
    let Some(work) = isolation::work() else {
        if args.binary.is_none() {
            build.make(&["eagre"])?;
        }
        return isolation::enter();
    };
    isolation::end_on_signals()?;
    let binary = args.binary.clone().map_or_else(|| build.binary("eagre"), Ok)?;
    let mut ledger = Ledger::open()?;
    let mut violations = 0;
    for &family in args.family.0 {
        let options = Options {
            family,
            first_seed: args.seed.unwrap_or_else(|| ledger.next_seed(family)),
            trials: args.trials,
            binary: binary.clone(),
            canary: args.canary.clone(),
            work: work.clone(),
            evidence: Some(build.binary("crash")?),
            until_violation: false,
        };
        let sum = crash::run(&options)?;
        println!("{}", summary(&options, &sum));
        violations += sum.violations;
        if !args.no_ledger {
            ledger.append(batch(&options, build, &sum)?)?;
        }
    }
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(options: &Options, sum: &Sum) -> String {
    let Sum { trials, acknowledged, duplicates, violations, time } = sum;
    let first = options.first_seed;
    format!(
        "{}: {trials} trials from seed {first}, {acknowledged} events acknowledged, {duplicates} duplicates, \
         {violations} violations, {:.1} s",
        options.family.name(),
        time.as_secs_f64()
    )
}

fn batch(options: &Options, build: Build, sum: &Sum) -> Result<Batch> {
    Ok(Batch {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        commit: ledger::commit().context("name the commit for the ledger")?,
        family: options.family.name().to_owned(),
        profile: build.profile().to_owned(),
        first_seed: options.first_seed,
        trials: sum.trials,
        acknowledged: sum.acknowledged as u64,
        duplicates: sum.duplicates as u64,
        violations: sum.violations as u64,
        seconds: sum.time.as_secs(),
    })
}
