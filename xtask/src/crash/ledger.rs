//! The ledger: one line for each batch of trials that was ever run, committed with the
//! sources. New batches take seeds that no line has.

use std::{fmt, fs, io::Write, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::Family;

const HEADER: &str =
    "date\tcommit\tfamily\tprofile\tfirst_seed\ttrials\tacknowledged\tduplicates\tviolations\tseconds";

/// A batch of trials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Day, UTC.
    pub date: String,
    /// The commit whose sources ran; `dirty` if there were uncommitted changes.
    pub commit: String,
    /// The family's name.
    pub family: String,
    /// Profile of the build: `dev` or `release`.
    pub profile: String,
    /// Seed of the first trial; the others follow.
    pub first_seed: u64,
    /// Trials that count.
    pub trials: u64,
    /// Events whose 202 was read.
    pub acknowledged: u64,
    /// Deliveries beyond the first.
    pub duplicates: u64,
    /// Broken promises.
    pub violations: u64,
    /// All of it took so long.
    pub seconds: u64,
}

/// The file.
pub struct Ledger {
    path: PathBuf,
    batches: Vec<Batch>,
}

impl Ledger {
    /// Reads it; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read, or a line is malformed.
    pub fn open() -> Result<Self> {
        let path = crate::root().join("xtask/ledger.tsv");
        let text =
            if path.exists() { fs::read_to_string(&path).context("read the ledger")? } else { String::new() };
        let lines = text.lines().enumerate().skip(1);
        let parse = |(index, line): (usize, &str)| {
            parse(line).with_context(|| format!("{}:{}: not a batch", path.display(), index + 1))
        };
        let batches = lines.map(parse).collect::<Result<_>>()?;
        Ok(Self { path, batches })
    }

    /// The first seed of the family that no batch has taken.
    pub fn next_seed(&self, family: Family) -> u64 {
        let of_family = self.batches.iter().filter(|batch| batch.family == family.name());
        of_family.map(|batch| batch.first_seed + batch.trials).max().unwrap_or(1)
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, batch: Batch) -> Result<()> {
        let is_new = !self.path.exists();
        let file = fs::OpenOptions::new().create(true).append(true).open(&self.path);
        let mut file = file.context("open the ledger")?;
        let header = if is_new { format!("{HEADER}\n") } else { String::new() };
        file.write_all(format!("{header}{batch}\n").as_bytes()).context("write the ledger")?;
        self.batches.push(batch);
        Ok(())
    }

    /// The sums of each family. Zero failures in `n` trials bound the rate of failures
    /// at `3/n`, with a confidence of 95 %.
    pub fn report(&self) -> String {
        let mut text =
            String::from("family         trials    events  duplicates  violations  failure rate\n");
        for family in Family::ALL {
            let of_family = self.batches.iter().filter(|batch| batch.family == family.name());
            let mut sum = Batch::default();
            for batch in of_family {
                sum.trials += batch.trials;
                sum.acknowledged += batch.acknowledged;
                sum.duplicates += batch.duplicates;
                sum.violations += batch.violations;
            }
            let Batch { trials, acknowledged, duplicates, violations, .. } = sum;
            let bound = match (trials, violations) {
                (0, _) => "unknown".to_owned(),
                (_, 0) => format!("< {:.4}", 3.0 / trials as f64),
                _ => "violated".to_owned(),
            };
            text += &format!(
                "{:<12} {trials:>8} {acknowledged:>9} {duplicates:>11} {violations:>11}  {bound}\n",
                family.name()
            );
        }
        text
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, family, profile, .. } = self;
        let Self { first_seed, trials, acknowledged, duplicates, violations, seconds, .. } = self;
        write!(f, "{date}\t{commit}\t{family}\t{profile}\t{first_seed}\t{trials}\t")?;
        write!(f, "{acknowledged}\t{duplicates}\t{violations}\t{seconds}")
    }
}

fn parse(line: &str) -> Result<Batch> {
    let fields: Vec<_> = line.split('\t').collect();
    let [date, commit, family, profile, numbers @ ..] = &fields[..] else { bail!("fields are missing") };
    let numbers = numbers.iter().map(|number| number.parse()).collect::<Result<Vec<u64>, _>>()?;
    let [first_seed, trials, acknowledged, duplicates, violations, seconds] = numbers[..] else {
        bail!("six numbers are expected");
    };
    Ok(Batch {
        date: (*date).to_owned(),
        commit: (*commit).to_owned(),
        family: (*family).to_owned(),
        profile: (*profile).to_owned(),
        first_seed,
        trials,
        acknowledged,
        duplicates,
        violations,
        seconds,
    })
}

/// The commit that is checked out; `dirty` if files differ from it.
///
/// # Errors
/// `git` does not answer.
pub fn commit() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let output =
            Command::new("git").current_dir(crate::root()).args(arguments).output().context("run git")?;
        if !output.status.success() {
            bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // The ledger itself changes with every batch.
    let changes = git(&["status", "--porcelain", "--", ".", ":!xtask/ledger.tsv"])?;
    if changes.is_empty() { git(&["rev-parse", "--short=12", "HEAD"]) } else { Ok("dirty".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let batch = Batch {
            date: "2026-11-21".into(),
            commit: "dirty".into(),
            family: "kill".into(),
            profile: "dev".into(),
            first_seed: 7,
            trials: 20,
            acknowledged: 9001,
            duplicates: 3,
            violations: 0,
            seconds: 41,
        };
        assert_eq!(parse(&batch.to_string()).unwrap(), batch);
        assert_eq!(HEADER.split('\t').count(), batch.to_string().split('\t').count());
    }

    #[test]
    fn the_committed_ledger_can_be_read() {
        Ledger::open().unwrap();
    }
}
