//! `eagre wal salvage`: what is whole, written to a new directory.

use std::{
    fmt::{self, Display},
    fs, io,
    path::{Path, PathBuf, absolute},
};

use eagre_wal::{Salvage, SalvageError};
use serde::Serialize;

use super::{Failure, logs, print, verify};
use crate::{args::WalSalvageArgs, exit};

/// Salvages all logs; returns the exit code.
pub fn run(args: &WalSalvageArgs) -> Result<u8, Failure> {
    let places = logs::find(&args.dir)?;
    refuse_place(&args.dir, &args.to)?;
    // Before the first is written, so that nothing half done is left behind.
    places.iter().try_for_each(refuse_in_use)?;
    let mut logs = Vec::new();
    for place in places {
        let to = target(&args.to, &place.relative);
        match eagre_wal::salvage(&place.path, &to) {
            Ok(salvage) => logs.push(Log::of(&place, &to, &salvage)?),
            // Of a log in which nothing was written yet nothing is missed.
            Err(SalvageError::Nothing { .. }) => logs.push(Log::empty(&place, &to)),
            Err(error) => return Err(Failure::new(code(&error), error)),
        }
    }
    let sound = logs.iter().all(|log| log.sound);
    print(&Document { from: display(&args.dir), to: display(&args.to), sound, logs }, args.output);
    Ok(if sound { exit::OK } else { exit::DATA })
}

/// An empty end would make `NEWDIR` into `NEWDIR/`.
fn target(to: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() { to.to_owned() } else { to.join(relative) }
}

/// The new directory is outside of the old one and holds nothing.
fn refuse_place(dir: &Path, to: &Path) -> Result<(), Failure> {
    let cannot =
        |why: &dyn Display| Failure::new(exit::CANNOT_CREATE, format!("--to {}: {why}", to.display()));
    let old = fs::canonicalize(dir).map_err(|error| cannot(&error))?;
    let new = fs::canonicalize(to).or_else(|_| absolute(to)).map_err(|error| cannot(&error))?;
    if new.starts_with(&old) {
        return Err(cannot(&"lies in the directory that is salvaged; choose one outside of it"));
    }
    match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(false) => Err(cannot(&"is not empty; choose a directory that does not exist yet")),
        Ok(true) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot(&error)),
    }
}

fn refuse_in_use(place: &logs::Place) -> Result<(), Failure> {
    let Some(holder) = eagre_wal::inspect(&place.path)?.holder else { return Ok(()) };
    let error = SalvageError::InUse { path: place.path.clone(), holder };
    Err(Failure::new(code(&error), error))
}

fn code(error: &SalvageError) -> u8 {
    match error {
        SalvageError::Inspect(_) => exit::NO_INPUT,
        SalvageError::InUse { .. } => exit::TEMP_FAIL,
        SalvageError::FutureVersion { .. } | SalvageError::Nothing { .. } => exit::DATA,
        SalvageError::NotEmpty { .. } | SalvageError::Write { .. } => exit::CANNOT_CREATE,
        SalvageError::CursorsDoNotFit { .. } => exit::SOFTWARE,
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// With `-o json`, the document.
#[derive(Debug, Serialize)]
struct Document {
    from: String,
    to: String,
    /// All that was written is.
    sound: bool,
    logs: Vec<Log>,
}

#[derive(Debug, Serialize)]
struct Log {
    log: String,
    to: String,
    /// What was written is.
    sound: bool,
    segments: usize,
    bytes: u64,
    /// Records that are kept.
    records: u64,
    /// Where the log goes on.
    end: Option<String>,
    /// What was found of the old log; nothing if it held no record.
    source: Option<verify::Log>,
}

impl Log {
    /// Reads what was written once more: only then it is salvaged.
    fn of(place: &logs::Place, to: &Path, salvage: &Salvage) -> Result<Log, Failure> {
        let written = eagre_wal::verify(to)?;
        Ok(Log {
            log: place.name(),
            to: display(to),
            // A cursor that stood outside of the old log does so in the new one.
            sound: written.damages.is_empty(),
            segments: salvage.segments,
            bytes: salvage.bytes,
            records: written.records,
            end: Some(salvage.end.to_string()),
            source: Some(verify::Log::of(place.name(), &salvage.source)),
        })
    }

    fn empty(place: &logs::Place, to: &Path) -> Log {
        Log {
            log: place.name(),
            to: display(to),
            sound: true,
            segments: 0,
            bytes: 0,
            records: 0,
            end: None,
            source: None,
        }
    }
}

impl Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            let Log { log, to, records, segments, source, .. } = log;
            let Some(source) = source else {
                writeln!(f, "{log}: holds no record; nothing was written")?;
                continue;
            };
            writeln!(f, "{log}: {records} records in {segments} segments, written to {to}")?;
            source.losses().fmt(f)?;
        }
        let verdict = if self.sound { "sound" } else { "NOT SOUND: do not use it, and report this" };
        writeln!(f, "\nWhat was written was read once more: {verdict}.")?;
        if self.sound {
            writeln!(f, "Start with it as the data directory: eagre up --data {}", self.to)?;
        }
        Ok(())
    }
}
