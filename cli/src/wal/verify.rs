//! `eagre wal verify`: all that is damaged.

use std::fmt::{self, Display};

use eagre_wal::{DamagedRange, Gap, Lsn, Verification};
use serde::Serialize;

use super::{
    Failure, logs, print,
    shown::{self, Begin, Range},
};
use crate::{args::WalVerifyArgs, exit};

/// Verifies the logs; returns the exit code.
pub fn run(args: &WalVerifyArgs) -> Result<u8, Failure> {
    let mut logs = Vec::new();
    for place in logs::find(&args.dir)? {
        logs.push(Log::of(place.name(), &eagre_wal::verify(&place.path)?));
    }
    let sound = logs.iter().all(|log| log.sound);
    print(&Document { directory: args.dir.display().to_string(), sound, logs }, args.output);
    Ok(if sound { exit::OK } else { exit::DATA })
}

/// With `-o json`, the document.
#[derive(Debug, Serialize)]
struct Document {
    directory: String,
    /// All logs are.
    sound: bool,
    logs: Vec<Log>,
}

/// What was found of a log.
#[derive(Debug, Serialize)]
pub struct Log {
    log: String,
    sound: bool,
    in_use_by: Option<u32>,
    segments: usize,
    bytes: u64,
    /// That are whole.
    records: u64,
    first: String,
    end: String,
    start: Begin,
    damages: Vec<Damage>,
    /// What a salvage left out earlier.
    gaps: Vec<Known>,
    /// A torn tail, which is sound.
    torn: Option<Range>,
    /// Cursors for which the log has no records.
    outside: Vec<Outside>,
    #[serde(skip)]
    in_use: String,
}

#[derive(Debug, Serialize)]
struct Damage {
    from: String,
    /// `None`: everything behind is missing.
    to: Option<String>,
    what: String,
    file: Option<String>,
    /// Bytes in the file.
    offset_from: Option<u64>,
    offset_to: Option<u64>,
    /// `None` where the numbers of other records do not tell.
    records_missing: Option<u64>,
    /// Triggers that were not done with all of it.
    not_passed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Known {
    #[serde(flatten)]
    range: Range,
    records_missing: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Outside {
    consumer: String,
    needs: String,
    /// Where a start moves it.
    nearest: String,
}

impl Log {
    /// Takes what is told of a log.
    pub fn of(log: String, verified: &Verification) -> Log {
        let inspection = &verified.inspection;
        let outside = verified.outside.iter().map(|clamped| Outside {
            consumer: shown::consumer(clamped.consumer),
            needs: clamped.from.to_string(),
            nearest: clamped.to.to_string(),
        });
        Log {
            log,
            sound: verified.is_sound(),
            in_use_by: inspection.holder,
            segments: inspection.segments.len(),
            bytes: inspection.bytes,
            records: verified.records,
            first: inspection.first.to_string(),
            end: verified.end.to_string(),
            start: Begin::of(&inspection.start),
            damages: verified.damages.iter().map(Damage::of).collect(),
            gaps: verified.gaps.iter().map(Known::of).collect(),
            torn: verified.torn.map(Range::new),
            outside: outside.collect(),
            in_use: shown::in_use(inspection),
        }
    }

    /// What is missing, for people.
    pub fn losses(&self) -> impl Display {
        fmt::from_fn(|f| {
            self.damages.iter().try_for_each(|damage| damage.fmt(f))?;
            self.outside.iter().try_for_each(|outside| outside.fmt(f))
        })
    }
}

impl Damage {
    fn of(range: &DamagedRange) -> Damage {
        Damage {
            from: range.from.to_string(),
            to: (range.to < Lsn::MAX).then(|| range.to.to_string()),
            what: range.fault.to_string(),
            file: range.file.clone(),
            offset_from: range.offsets.map(|offsets| offsets.0),
            offset_to: range.offsets.map(|offsets| offsets.1),
            records_missing: range.records,
            not_passed: range.not_passed.iter().map(|id| shown::consumer(*id)).collect(),
        }
    }
}

impl Known {
    fn of(gap: &Gap) -> Known {
        Known { range: Range::new((gap.from, gap.to)), records_missing: gap.records }
    }
}

impl Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.logs.iter().try_for_each(|log| log.fmt(f))?;
        if !self.sound {
            writeln!(f, "\nStop what uses {}, and keep a copy before anything else.", self.directory)?;
            writeln!(
                f,
                "Restore the named files from a copy, or see: eagre wal salvage --help, docs/salvage.md"
            )?;
        }
        Ok(())
    }
}

impl Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.sound { "sound" } else { "DAMAGED" };
        writeln!(f, "{}: {verdict}{}", self.log, self.in_use)?;
        let (segments, records) =
            (shown::count(self.segments as u64, "segment"), shown::count(self.records, "record"));
        writeln!(f, "  {segments}, {records} whole, from {} to {}", self.first, self.end)?;
        self.losses().fmt(f)?;
        match &self.torn {
            Some(torn) if self.in_use_by.is_some() => writeln!(f, "  {torn}: being written")?,
            Some(torn) => writeln!(
                f,
                "  {torn}: a torn tail, which the next start cuts off; nobody was told that it is there"
            )?,
            None => {}
        }
        for Known { range, records_missing } in &self.gaps {
            writeln!(f, "  {range}: a gap that a salvage left, {}", missing(*records_missing))?;
        }
        match self.start.refusal() {
            Some(refusal) => writeln!(f, "  a start refuses it {refusal}"),
            None if !self.sound => {
                writeln!(f, "  a start opens it, and stops with code 65 when it comes to the damage")
            }
            None => Ok(()),
        }
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Some(to) => writeln!(f, "  {} to {to}: {}", self.from, self.what)?,
            None => writeln!(f, "  from {} on: {}", self.from, self.what)?,
        }
        if let (Some(file), Some(from), Some(to)) = (&self.file, self.offset_from, self.offset_to) {
            writeln!(f, "    file {file}, bytes {from} to {to}")?;
        }
        writeln!(f, "    {}", missing(self.records_missing))?;
        if !self.not_passed.is_empty() {
            writeln!(f, "    not passed by {}", shown::consumers(&self.not_passed))?;
        }
        Ok(())
    }
}

impl Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outside { consumer, needs, nearest } = self;
        writeln!(f, "  {consumer} needs records from {needs} on; the nearest that the log has is {nearest}")
    }
}

fn missing(records: Option<u64>) -> String {
    match records {
        Some(0) => "no record is missing".to_owned(),
        Some(1) => "1 record is missing".to_owned(),
        Some(records) => format!("{records} records are missing"),
        None => "how many records are missing is not known, or counted with the next range".to_owned(),
    }
}
