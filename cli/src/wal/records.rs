//! `eagre wal inspect --records`: the records of logs, and the events in them.

use std::{
    fmt::{self, Display},
    io::{self, BufWriter, Write},
};

use eagre_dataplane::contents::{self, Contents, Event};
use eagre_wal::{Kind, Lsn, Read, Record, Since};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Failure, logs, shown};
use crate::{
    args::{Output, WalInspectArgs},
    exit,
};

/// Shows the records; returns the exit code.
pub fn run(args: &WalInspectArgs) -> Result<u8, Failure> {
    let places = logs::find(&args.dir)?;
    let since = args.from.unwrap_or(Since::Lsn(Lsn::ZERO));
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut out = BufWriter::new(io::stdout().lock());
    for place in &places {
        let name = place.name();
        for read in eagre_wal::records(&place.path, since)? {
            if left == 0 {
                break;
            }
            left -= 1;
            let line = Line::of(&name, &read?);
            let written = match args.output {
                Output::Text => writeln!(out, "{line}"),
                Output::Json => writeln!(out, "{}", serde_json::to_string(&line).expect("plain data")),
            };
            if written.is_err() {
                // A reader that closed the pipe has seen enough.
                return Ok(exit::OK);
            }
        }
    }
    let _ = out.flush();
    Ok(exit::OK)
}

/// A line of the output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Record(Box<Shown<'a>>),
    Lost { log: &'a str, lost: shown::Range },
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    log: &'a str,
    lsn: String,
    time: String,
    kind: u8,
    name: &'static str,
    sequence: u64,
    /// Of the body.
    bytes: usize,
    /// The next record belongs to the same group.
    group_continues: bool,
    /// Why the body of a record of a known kind cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    /// Of an event that was moved here: its position in the shard's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// And when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<String>,
    /// The triggers that it matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    triggers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failed>,
    /// In structured mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    /// Type, source and id, for people.
    #[serde(skip)]
    about: String,
}

/// Why an event was kept.
#[derive(Debug, Serialize)]
struct Failed {
    trigger: String,
    /// HTTP status, if there was a response.
    code: Option<u16>,
    destination: String,
    /// The beginning of the response, as far as it is text.
    data: String,
}

impl<'a> Line<'a> {
    fn of(log: &'a str, read: &Read) -> Line<'a> {
        match read {
            Read::Lost { from, to } => Line::Lost { log, lost: shown::Range::new((from, to)) },
            Read::Record(record) => Line::Record(Box::new(Shown::of(log, record))),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(log: &'a str, record: &Record) -> Shown<'a> {
        let mut shown = Shown {
            log,
            lsn: record.lsn.to_string(),
            time: shown::time(record.time_ms),
            kind: record.kind.0,
            name: name(record.kind),
            sequence: record.sequence,
            bytes: record.body.len(),
            group_continues: record.group_continues,
            unreadable: None,
            source: None,
            accepted: None,
            broker: None,
            triggers: None,
            failure: None,
            event: None,
            about: String::new(),
        };
        match contents::read(record.kind, &record.body) {
            Ok(None) => {}
            Ok(Some(Contents::Event(event))) => {
                shown.name = "event";
                shown.take(&event);
            }
            Ok(Some(Contents::Moved { source, time_ms, event })) => {
                shown.name = "moved";
                shown.source = Some(source.to_string());
                shown.accepted = Some(shown::time(time_ms));
                shown.take(&event);
            }
            Ok(Some(Contents::DeadLetter { trigger, code, destination, data, event })) => {
                shown.name = "dead letter";
                let data = String::from_utf8_lossy(data).into_owned();
                let destination = destination.to_owned();
                shown.failure = Some(Failed { trigger: trigger.to_string(), code, destination, data });
                shown.take(&event);
            }
            Err(error) => shown.unreadable = Some(error.to_string()),
        }
        shown
    }

    fn take(&mut self, event: &Event<'_>) {
        self.broker = Some(event.broker.to_string());
        self.triggers = Some(event.triggers.iter().map(ToString::to_string).collect());
        let mut json = Vec::new();
        event.record.write_json(&mut json);
        self.event = String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok());
        let attribute =
            |name| event.record.attribute(name).map(|value| value.to_string()).unwrap_or_default();
        self.about = format!("{} from {} id {}", attribute("type"), attribute("source"), attribute("id"));
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::CHECKPOINT => "checkpoint",
        Kind::CURSORS => "cursors",
        Kind::GAP => "gap",
        Kind::PROGRESS => "progress",
        _ => "unknown",
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Lost { log, lost } => write!(f, "{log}  {lost}: LOST; eagre wal verify tells more"),
            Line::Record(shown) => shown.fmt(f),
        }
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { log, lsn, time, name, sequence, bytes, .. } = self;
        write!(f, "{log}  {lsn}  {time}  {sequence:>8}  {name:11}  {bytes:>7} bytes")?;
        if self.group_continues {
            write!(f, "  +group")?;
        }
        if let Some(triggers) = &self.triggers {
            let about = shown::printable(&self.about);
            write!(f, "  {about}, {}", shown::count(triggers.len() as u64, "trigger"))?;
        }
        if let Some(Failed { trigger, code, destination, .. }) = &self.failure {
            let code = code.map_or_else(|| "no response".to_owned(), |code| code.to_string());
            write!(f, "  failed for {trigger} at {}: {code}", shown::printable(destination))?;
        }
        match &self.unreadable {
            Some(error) => write!(f, "  {error}"),
            None => Ok(()),
        }
    }
}
