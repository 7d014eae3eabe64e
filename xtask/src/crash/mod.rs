//! Crash trials: the real server under load, really crashed, and every event accounted
//! for by its id.
//!
//! In the order of a trial: a [`plan`] is made of a seed, a [`disk`] and a [`server`]
//! on it are set up, [`producers`] and [`subscribers`] write down what they see in a
//! [`history`], and the [`oracle`] judges it. The [`ledger`] remembers how often that
//! went well.

mod plan;
mod disk;
mod fuse;
mod server;
mod http;
mod producers;
mod subscribers;
mod history;
mod oracle;
mod trial;
mod sync_failure;
mod seams;
mod evidence;
mod owed;
mod patience;
pub mod ledger;

use std::{
    path::{Path, PathBuf},
    process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use self::{
    disk::{Disk, Ext4, Make},
    fuse::Fuse,
    plan::{ACKNOWLEDGED_MIN, Plan},
    server::Setup,
    trial::Outcome,
};

/// How the server is crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// SIGKILL of every process.
    Kill,
    /// ext4 loses what was not synced.
    PageCache,
    /// The fault disk loses what was not synced, page by page and name by name.
    Fuse,
    /// A sync of the log fails.
    SyncFailure,
    /// Something comes late, changes or runs short while events lie in backlogs.
    Seams,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 5] = [Self::Kill, Self::PageCache, Self::Fuse, Self::SyncFailure, Self::Seams];
    /// Those that try the log.
    pub const OF_THE_LOG: [Self; 4] = [Self::Kill, Self::PageCache, Self::Fuse, Self::SyncFailure];

    /// Its name on the command line and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PageCache => "page-cache",
            Self::Fuse => "fuse",
            Self::SyncFailure => "sync-failure",
            Self::Seams => "seams",
        }
    }
}

/// What a batch of trials is run with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the server is crashed.
    pub family: Family,
    /// Seed of the first trial.
    pub first_seed: u64,
    /// How many.
    pub trials: u64,
    /// The `eagre` binary.
    pub binary: PathBuf,
    /// The bug to plant.
    pub canary: Option<String>,
    /// A directory of its own, on a disk with room for it.
    pub work: PathBuf,
    /// Where the evidence of violations is kept; nothing is kept without.
    pub evidence: Option<PathBuf>,
    /// Stop after the first trial with a violation.
    pub until_violation: bool,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Trials that were run.
    pub trials: u64,
    /// Events whose 202 was read.
    pub acknowledged: usize,
    /// Deliveries beyond the first.
    pub duplicates: usize,
    /// Broken promises.
    pub violations: usize,
    /// All of it took so long.
    pub time: Duration,
}

/// Size of the file system of a trial: a few times what its logs take.
const DISK: Make = Make { bytes: 96 << 20, backing_bytes: 128 << 20, journal: true };

/// No trial takes so long, unless a process or a mount hangs in a way that no bound of
/// its own sees.
const TRIAL_MAX: Duration = Duration::from_secs(900);

/// Ends this process, and all that it started with it, if a trial takes too long.
/// Dropping the sender ends the watch.
fn watch(family: Family, seed: u64) -> mpsc::Sender<()> {
    let (over, trial) = mpsc::channel();
    thread::spawn(move || {
        if trial.recv_timeout(TRIAL_MAX) == Err(RecvTimeoutError::Timeout) {
            eprintln!("xtask: the trial of family {} and seed {seed} hangs", family.name());
            process::exit(1);
        }
    });
    over
}

/// Runs a batch and prints a line for each trial.
///
/// # Errors
/// A trial could not be carried out: a right, a device or a tool is missing.
pub fn run(options: &Options) -> Result<Sum> {
    let begun = Instant::now();
    let mut sum = Sum::default();
    for seed in options.first_seed..options.first_seed + options.trials {
        let since = Instant::now();
        let _watch = watch(options.family, seed);
        let outcome = run_one(options, seed).with_context(|| {
            format!("the trial of family {} and seed {seed} could not be carried out", options.family.name())
        })?;
        let Outcome { acknowledged, duplicates, violations } = &outcome;
        sum.trials += 1;
        sum.acknowledged += acknowledged;
        sum.duplicates += duplicates;
        sum.violations += violations.len();
        println!(
            "{} seed {seed}: {acknowledged} acknowledged, {duplicates} duplicates, {} violations, {:.1} s",
            options.family.name(),
            violations.len(),
            since.elapsed().as_secs_f64()
        );
        if !violations.is_empty() && options.until_violation {
            break;
        }
    }
    sum.time = begun.elapsed();
    Ok(sum)
}

fn run_one(options: &Options, seed: u64) -> Result<Outcome> {
    let work = tempfile::Builder::new().prefix("trial-").tempdir_in(&options.work);
    let work = work.context("make a directory for the trial")?;
    let setup = |data: &Path| Setup {
        binary: options.binary.clone(),
        canary: options.canary.clone(),
        work: work.path().to_owned(),
        data: data.to_owned(),
    };
    if options.family == Family::SyncFailure {
        let plan = sync_failure::plan(seed);
        let disk = Ext4::new(work.path(), &sync_failure::DISK)?;
        let setup = setup(disk.path());
        let outcome = sync_failure::run_trial(&plan, &setup, &disk)?;
        return finish(options, &plan, &setup, outcome);
    }
    if options.family == Family::Seams {
        let plan = seams::plan(seed);
        let disk = seams::make_disk(work.path(), seed)?;
        let setup = setup(disk.path());
        let outcome = seams::run(&plan, &setup)?;
        return finish(options, &plan, &setup, outcome);
    }
    let plan = Plan::new(seed);
    let mut disk = make_disk(options.family, work.path(), seed)?;
    let setup = setup(disk.path());
    let outcome = trial::run(options.family, &plan, &setup, disk.as_mut())?;
    finish(options, &plan, &setup, outcome)
}

/// A trial that found nothing must have had something to find; what was found is kept.
/// The disk is still there.
fn finish(options: &Options, plan: &Plan, setup: &Setup, outcome: Outcome) -> Result<Outcome> {
    if outcome.violations.is_empty() && outcome.acknowledged < ACKNOWLEDGED_MIN {
        bail!("only {} events were acknowledged", outcome.acknowledged);
    }
    if let (false, Some(evidence)) = (outcome.violations.is_empty(), &options.evidence) {
        evidence::keep(evidence, options.family, plan, setup, &outcome)?;
    }
    Ok(outcome)
}

fn make_disk(family: Family, work: &Path, seed: u64) -> Result<Box<dyn Disk>> {
    Ok(match family {
        // In memory, too: a kill needs a real file system, and no disk that may hang.
        Family::Kill | Family::PageCache => Box::new(Ext4::new(work, &DISK)?),
        Family::Fuse => Box::new(Fuse::new(work, seed)?),
        Family::SyncFailure | Family::Seams => bail!("this family makes its own disk"),
    })
}
