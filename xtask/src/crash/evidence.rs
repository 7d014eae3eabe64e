//! What is kept of a trial that broke a promise: the data, the logs, the settings, the
//! plan, and the command that repeats it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use super::{Family, disk, plan::Plan, server::Setup, trial::Outcome};

/// Lines of the server's log that are printed.
const LOG_LINES: usize = 30;

/// Prints what happened and copies what is left of the trial into a directory below
/// `evidence`.
///
/// # Errors
/// It cannot be copied.
pub fn keep(evidence: &Path, family: Family, plan: &Plan, setup: &Setup, outcome: &Outcome) -> Result<()> {
    let kept = evidence.join(format!("{}-{}", family.name(), plan.seed));
    if kept.exists() {
        fs::remove_dir_all(&kept).context("remove older evidence")?;
    }
    fs::create_dir_all(&kept).context("make a directory for the evidence")?;
    let mut text = String::new();
    for violation in &outcome.violations {
        text += &format!("{violation}\n");
    }
    let canary = setup.canary.as_ref().map_or(String::new(), |canary| format!(" (planted: {canary})"));
    text += &format!(
        "repeat{canary}: cargo xtask crash --family {} --seed {} --trials 1\n",
        family.name(),
        plan.seed
    );
    let files = ["dataplane.log", "controlplane.log"].map(|name| setup.work.join(name));
    for file in files.iter().chain(&[setup.config(), setup.manifest()]) {
        // One that was never written is none to keep.
        let _ = fs::copy(file, kept.join(file.file_name().unwrap_or_default()));
    }
    fs::write(kept.join("violations.txt"), format!("{text}\n{plan:#?}\n")).context("write the violations")?;
    let log = fs::read_to_string(setup.log()).unwrap_or_default();
    let tail = log.lines().count().saturating_sub(LOG_LINES);
    let log: Vec<_> = log.lines().skip(tail).collect();
    eprintln!("{text}the server's last words:\n{}\nkept: {}", log.join("\n"), kept.display());
    // A disk that does not come back has nothing to copy; the rest is kept all the same.
    if let Err(error) = disk::run(Command::new("cp").arg("-a").arg(&setup.data).arg(kept.join("data"))) {
        eprintln!("the data could not be kept: {error:#}");
    }
    Ok(())
}
