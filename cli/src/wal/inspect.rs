//! `eagre wal inspect`: what logs consist of.

use std::fmt::{self, Display};

use eagre_wal::{FORMAT_VERSION, Inspection, Pending, Place, SegmentState, SegmentSummary};
use serde::Serialize;

use super::{
    Failure, logs, print,
    shown::{self, Begin},
};
use crate::{args::WalInspectArgs, exit};

/// Shows the logs; returns the exit code.
pub fn run(args: &WalInspectArgs) -> Result<u8, Failure> {
    let mut logs = Vec::new();
    for place in logs::find(&args.dir)? {
        let inspection = eagre_wal::inspect(&place.path)?;
        logs.push(Log::of(&place, &inspection));
    }
    print(&Document { directory: args.dir.display().to_string(), logs }, args.output);
    Ok(exit::OK)
}

/// With `-o json`, the document.
#[derive(Debug, Serialize)]
struct Document {
    directory: String,
    logs: Vec<Log>,
}

#[derive(Debug, Serialize)]
struct Log {
    log: String,
    /// The process that has it.
    in_use_by: Option<u32>,
    format_version: u16,
    /// Before the oldest record.
    first: String,
    /// Behind the last record.
    end: String,
    /// The highest position that is known to have been on the disk.
    durable: String,
    /// Number of the owner's record that comes next.
    next_sequence: u64,
    /// Bytes of all segments.
    bytes: u64,
    start: Begin,
    segments: Vec<Segment>,
    cursors: Vec<Cursor>,
    /// What an earlier salvage could not keep.
    missing: Vec<Missing>,
    /// The next start removes them.
    unfinished_files: Vec<String>,
    unknown_files: Vec<String>,
    #[serde(skip)]
    in_use: String,
}

#[derive(Debug, Serialize)]
struct Segment {
    file: String,
    base: String,
    file_bytes: u64,
    /// By its header.
    segment_bytes: Option<u64>,
    generation: Option<u32>,
    state: &'static str,
    /// Of a later release.
    format_version: Option<u16>,
    records: u64,
    first_time: Option<String>,
    last_time: Option<String>,
    /// Where its records end.
    end: String,
    /// Why a start refuses it.
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct Missing {
    /// The segment that had them.
    segment: String,
    records: u64,
}

#[derive(Debug, Serialize)]
struct Cursor {
    consumer: String,
    /// Its positions are those of another log: of a backlog, for what was moved there.
    elsewhere: bool,
    /// Every record below was handed out.
    read: String,
    /// Every record below is finished.
    low: String,
    pending: Vec<Unfinished>,
}

/// A record that was handed out and is not finished.
#[derive(Debug, Serialize)]
struct Unfinished {
    lsn: String,
    attempts: u16,
    due: String,
    /// The owner's.
    note: u32,
}

impl Log {
    fn of(place: &logs::Place, inspection: &Inspection) -> Log {
        let cursors = inspection.cursors.iter().map(|(consumer, cursor)| Cursor {
            consumer: shown::consumer(consumer),
            elsewhere: inspection.cursors.place(consumer) == Some(Place::Elsewhere),
            read: cursor.read.to_string(),
            low: cursor.low().to_string(),
            pending: cursor.pending.iter().map(Unfinished::of).collect(),
        });
        Log {
            log: place.name(),
            in_use_by: inspection.holder,
            format_version: FORMAT_VERSION,
            first: inspection.first.to_string(),
            end: inspection.end.to_string(),
            durable: inspection.durable.to_string(),
            next_sequence: inspection.next_sequence,
            bytes: inspection.bytes,
            start: Begin::of(&inspection.start),
            segments: inspection.segments.iter().map(Segment::of).collect(),
            cursors: cursors.collect(),
            missing: inspection.missing.iter().map(Missing::of).collect(),
            unfinished_files: inspection.unfinished.clone(),
            unknown_files: logs::strangers(place, &inspection.unknown_files),
            in_use: shown::in_use(inspection),
        }
    }
}

impl Segment {
    fn of(summary: &SegmentSummary) -> Segment {
        let (state, format_version) = match summary.state {
            SegmentState::Sealed => ("sealed", None),
            SegmentState::Active => ("active", None),
            SegmentState::Prepared => ("prepared", None),
            SegmentState::Damaged => ("damaged", None),
            SegmentState::Future(version) => ("future", Some(version)),
        };
        Segment {
            file: summary.file.clone(),
            base: summary.base.to_string(),
            file_bytes: summary.file_bytes,
            segment_bytes: summary.header.map(|header| header.segment_bytes),
            generation: summary.header.map(|header| header.generation),
            state,
            format_version,
            records: summary.records,
            first_time: summary.times_ms.map(|(first, _)| shown::time(first)),
            last_time: summary.times_ms.map(|(_, last)| shown::time(last)),
            end: summary.end.to_string(),
            refusal: summary.refusal.as_ref().map(ToString::to_string),
        }
    }
}

impl Missing {
    fn of(missing: &eagre_wal::Missing) -> Missing {
        Missing { segment: missing.from.to_string(), records: missing.records }
    }
}

impl Unfinished {
    fn of(pending: &Pending) -> Unfinished {
        let Pending { lsn, attempts, due_ms, note } = *pending;
        Unfinished { lsn: lsn.to_string(), attempts, due: shown::time(due_ms), note }
    }
}

impl Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, log) in self.logs.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            log.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", self.log, self.in_use)?;
        let Log { first, end, durable, next_sequence, bytes, format_version, .. } = self;
        writeln!(f, "  from {first} to {end}, durable up to {durable} at least")?;
        writeln!(
            f,
            "  next record {next_sequence}, {bytes} bytes on the disk, format version {format_version}"
        )?;
        if let Some(refusal) = self.start.refusal() {
            writeln!(f, "  a start refuses it {refusal}")?;
        }
        let dash = || "-".to_owned();
        writeln!(
            f,
            "  {:24} {:9} {:>10} {:>8} {:>10}  {:24} {:24} END",
            "SEGMENT", "STATE", "BYTES", "RECORDS", "GENERATION", "FIRST", "LAST"
        )?;
        for segment in &self.segments {
            let state = match segment.format_version {
                Some(version) => format!("version {version}"),
                None => segment.state.to_owned(),
            };
            writeln!(
                f,
                "  {:24} {:9} {:>10} {:>8} {:>10}  {:24} {:24} {}",
                segment.file,
                state,
                segment.file_bytes,
                segment.records,
                segment.generation.map_or_else(dash, |generation| format!("{generation:08x}")),
                segment.first_time.clone().unwrap_or_else(dash),
                segment.last_time.clone().unwrap_or_else(dash),
                segment.end
            )?;
        }
        if !self.cursors.is_empty() {
            writeln!(f, "  {:16}  {:16}  {:16}  {:>7}  ATTEMPTS", "CONSUMER", "READ", "LOW", "PENDING")?;
        }
        for Cursor { consumer, elsewhere, read, low, pending } in &self.cursors {
            let attempts = pending.iter().map(|pending| pending.attempts).max();
            let attempts = attempts.map_or_else(dash, |most| format!("up to {most}"));
            let note = if *elsewhere { "  in another log" } else { "" };
            writeln!(f, "  {consumer}  {read}  {low}  {:>7}  {attempts}{note}", pending.len())?;
        }
        for Missing { segment, records } in &self.missing {
            let records = shown::count(*records, "record");
            writeln!(f, "  {segment}: {records} missing, which a salvage could not keep")?;
        }
        for file in &self.unfinished_files {
            writeln!(f, "  {}: never finished; the next start removes it", shown::printable(file))?;
        }
        for file in &self.unknown_files {
            writeln!(f, "  {}: not the log's", shown::printable(file))?;
        }
        Ok(())
    }
}
