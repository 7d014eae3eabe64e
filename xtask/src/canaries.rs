//! The proof that the trials find something: each bug of `wal/src/canary.rs` and of
//! `dataplane/src/canary.rs` is planted in turn, and the trials that are there to find it
//! must fail. Without any planted bug the same build must pass. The lists of bugs are read
//! from those files, so that a new one cannot be forgotten here.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    build::Build,
    crash::{self, Family, Options},
    isolation,
};

/// Who has to find a bug, and with how much.
#[derive(Clone, Copy, Debug)]
enum Hunter {
    /// Crash trials of a family, at most so many.
    Trials(Family, u64),
    /// The simulator of the log, with so many seeds.
    Simulator(u64),
    /// The simulator of whole shards, with so many seeds.
    Shards(u64),
}

/// The bugs that real crashes have to find, each with a budget that is a multiple of what
/// it takes. All others are the simulator's.
const CRASHES: &[(&str, Family, u64)] = &[
    // Not by loss of the page cache: what a sync has submitted, a loop device completes.
    ("AckBeforeSync", Family::Fuse, 30),
    ("FileNotSynced", Family::PageCache, 6),
    ("FileNotSynced", Family::Fuse, 6),
    // Not by loss of the page cache: ext4 commits the name with the file's first sync.
    ("NameNotSynced", Family::Fuse, 20),
    ("IgnoreSyncError", Family::SyncFailure, 2),
    ("RetrySync", Family::SyncFailure, 2),
    ("PendingForgotten", Family::Kill, 20),
    // By what comes again although the disk called it finished.
    ("CursorsForgotten", Family::Kill, 4),
    ("CursorsForgotten", Family::PageCache, 4),
];

/// Seeds of the simulator.
const SEEDS: u64 = 2000;
/// Trials of each family that must pass with nothing planted.
const HEALTHY_TRIALS: u64 = 2;
/// Seeds of each simulator that must.
const HEALTHY_SEEDS: u64 = 200;
/// Seeds of whole shards, which is what a commit is tried with.
const SHARD_SEEDS: u64 = 5000;

/// Plants all of them, or only the one that is named.
///
/// # Errors
/// A trial cannot be carried out, or the table above does not name the bugs there are.
pub fn run(only: Option<&str>) -> Result<ExitCode> {
    let Some(work) = isolation::work() else {
        hunts()?;
        Build::Canary.make(&["eagre", "eagre-sim"])?;
        return isolation::enter();
    };
    isolation::end_on_signals()?;
    let mut chosen = hunts()?;
    chosen.retain(|(name, _)| only.is_none_or(|only| only == name));
    if chosen.is_empty() {
        bail!("there is no such canary; wal/src/canary.rs and dataplane/src/canary.rs name them");
    }
    let mut red = false;
    if only.is_none() {
        for family in Family::OF_THE_LOG {
            red |= found(Hunter::Trials(family, HEALTHY_TRIALS), None, &work)?;
        }
        red |= found(Hunter::Simulator(HEALTHY_SEEDS), None, &work)?;
        red |= found(Hunter::Shards(HEALTHY_SEEDS), None, &work)?;
    }
    println!(
        "nothing planted: {}",
        if red { "FAILED, so that what follows proves nothing" } else { "passed" }
    );
    for (name, hunter) in chosen {
        let since = Instant::now();
        let found = found(hunter, Some(&name), &work)?;
        let verdict = if found { "found" } else { "NOT FOUND" };
        println!("canary {name}: {verdict} by {hunter:?} after {:.1} s", since.elapsed().as_secs_f64());
        red |= !found;
    }
    Ok(if red { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether the hunter finds a violation.
fn found(hunter: Hunter, canary: Option<&str>, work: &Path) -> Result<bool> {
    match hunter {
        Hunter::Trials(family, trials) => {
            let options = Options {
                family,
                first_seed: 1,
                trials,
                binary: Build::Canary.binary("eagre")?,
                canary: canary.map(str::to_owned),
                work: work.to_owned(),
                evidence: None,
                until_violation: true,
            };
            Ok(crash::run(&options)?.violations > 0)
        }
        Hunter::Simulator(seeds) => simulate(&[], seeds, canary),
        Hunter::Shards(seeds) => simulate(&["shard"], seeds, canary),
    }
}

fn simulate(what: &[&str], seeds: u64, canary: Option<&str>) -> Result<bool> {
    let mut simulator = Command::new(Build::Canary.binary("eagre-sim")?);
    simulator.args(what).args(["--seeds", &seeds.to_string()]);
    simulator.env("EAGRE_CANARY", canary.unwrap_or_default());
    // What it says of a bug that it should find is noise.
    let output = simulator.output().context("run the simulator")?;
    match output.status.code() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => bail!("the simulator ended with {}", output.status),
    }
}

/// The bugs that a file declares.
fn declared(file: &str) -> Result<Vec<String>> {
    let path = crate::root().join(file);
    let source = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let (_, variants) =
        source.split_once("enum Canary {").with_context(|| format!("{file} has no enum Canary"))?;
    let (variants, _) = variants.split_once('}').context("the enum Canary has no end")?;
    Ok(variants.lines().filter_map(|line| line.trim().strip_suffix(',')).map(str::to_owned).collect())
}

/// Every bug with its hunters, in the order of the files.
fn hunts() -> Result<Vec<(String, Hunter)>> {
    let names = declared("wal/src/canary.rs")?;
    if let Some((stray, ..)) = CRASHES.iter().find(|(name, ..)| !names.iter().any(|known| known == name)) {
        bail!("xtask/src/canaries.rs names {stray}, which wal/src/canary.rs does not have");
    }
    let mut hunts = Vec::new();
    for name in names {
        let crashes = CRASHES.iter().filter(|(crash, ..)| *crash == name);
        let mut hunters: Vec<_> =
            crashes.map(|(_, family, trials)| Hunter::Trials(*family, *trials)).collect();
        if hunters.is_empty() {
            hunters.push(Hunter::Simulator(SEEDS));
        }
        hunts.extend(hunters.into_iter().map(|hunter| (name.clone(), hunter)));
    }
    let of_shards = declared("dataplane/src/canary.rs")?;
    hunts.extend(of_shards.into_iter().map(|name| (name, Hunter::Shards(SHARD_SEEDS))));
    Ok(hunts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_hunter() {
        let hunts = hunts().unwrap();
        assert!(hunts.len() > CRASHES.len());
        assert!(hunts.iter().all(|(name, _)| name.chars().all(char::is_alphanumeric)));
    }
}
