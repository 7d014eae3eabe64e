//! What the logs on a disk owe to each trigger: what may be delivered again after a
//! crash, and without which an event is lost.
//!
//! A trigger is owed what its cursors do not call finished. In a shard's log that is
//! what lies at or behind the place up to which everything was handed out, and before it
//! what is listed as unfinished; in the backlog of a broker the same, by the cursor that
//! is kept for it. What was moved to a backlog is owed by that alone.
//!
//! The disk is read with the code of this build, whatever build wrote it: a bug that is
//! planted is the server's and not the judge's. Deliberately absent: time.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use eagre_dataplane::contents::{self, Contents, Event};
use eagre_snapshot::Id;
use eagre_wal::{Cursor, Cursors, InspectError, Lsn, Read, Since};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{history::EventId, patience};

/// The events that each trigger is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed(Vec<HashSet<EventId>>);

/// An event in a log.
struct Stored {
    lsn: Lsn,
    broker: Id,
    triggers: Vec<Id>,
    id: EventId,
}

/// A backlog: its events, and what it knows of triggers that the shard's log knows
/// nothing of yet.
struct Backlog {
    cursors: Cursors,
    events: Vec<Stored>,
    /// Events of the shard's log below are here, as far as a trigger needs them.
    moved_to: Lsn,
}

impl Owed {
    /// What each trigger is owed.
    #[cfg(test)]
    pub fn of(owed: Vec<HashSet<EventId>>) -> Self {
        Self(owed)
    }

    /// The trigger is owed the event.
    pub fn includes(&self, trigger: usize, id: EventId) -> bool {
        self.0.get(trigger).is_some_and(|owed| owed.contains(&id))
    }
}

/// Reads what the logs of a data directory owe to triggers `default/t0`, `t1` and so on.
/// While a server has them, events may be finished that are owed here, and none is owed
/// that is not here, but for one whose trigger is just getting its first cursor of a
/// backlog.
///
/// # Errors
/// A log cannot be read.
pub fn look(data: &Path, triggers: usize) -> Result<Owed> {
    let ids: Vec<_> = (0..triggers).map(trigger).collect();
    let mut owed = vec![HashSet::new(); triggers];
    for shard in directories(data)? {
        let Some(cursors) = cursors(&shard)? else { continue };
        // After the cursors: what they call unfinished is still there, or in a backlog.
        let events = events(&shard)?.0;
        let mut backlogs = HashMap::new();
        for path in directories(&shard.join("backlog"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let id = u64::from_str_radix(&name, 16).with_context(|| format!("{name} names no broker"))?;
            backlogs.extend(Backlog::read(&path)?.map(|backlog| (Id(id), backlog)));
        }
        for (trigger, owed) in ids.iter().zip(&mut owed) {
            add(*trigger, &cursors, &events, &backlogs, owed);
        }
    }
    Ok(Owed(owed))
}

/// Waits until no log of a data directory is held any more: the kernel keeps the files of
/// a killed process until the last operation of its rings has ended.
///
/// # Errors
/// A log stays held.
pub fn await_release(data: &Path) -> Result<()> {
    let mut logs = directories(data)?;
    while let Some(log) = logs.pop() {
        logs.extend(directories(&log)?);
        let lock = match File::open(log.join("lock")) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("open the lock of a log"),
        };
        let what = format!("{} is not held any more", log.display());
        patience::until(&what, || match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error).context("ask for the lock of a log"),
        })?;
    }
    Ok(())
}

fn trigger(index: usize) -> Id {
    Id::of("Trigger", "default", &format!("t{index}"), None)
}

fn add(
    trigger: Id,
    cursors: &Cursors,
    events: &[Stored],
    backlogs: &HashMap<Id, Backlog>,
    owed: &mut HashSet<EventId>,
) {
    let in_log = Place::of(cursors.get(trigger.0));
    let moved_to = |broker| backlogs.get(&broker).map_or(Lsn::ZERO, |backlog| backlog.moved_to);
    let of_log = events.iter().filter(|event| event.lsn >= moved_to(event.broker) && in_log.owes(event.lsn));
    let of_backlogs = backlogs.iter().flat_map(|(broker, backlog)| {
        let known = cursors.get(contents::backlog_consumer(trigger, *broker));
        let place = Place::of(known.or_else(|| backlog.cursors.get(trigger.0)));
        backlog.events.iter().filter(move |event| place.owes(event.lsn))
    });
    let is_for = |event: &&Stored| event.triggers.contains(&trigger);
    owed.extend(of_log.chain(of_backlogs).filter(is_for).map(|event| event.id));
}

/// A cursor, made to be asked often.
struct Place {
    read: Lsn,
    pending: HashSet<Lsn>,
}

impl Place {
    /// Nothing is owed to one without a cursor: it begins at the end.
    fn of(cursor: Option<Cursor>) -> Self {
        let pending =
            cursor.as_ref().map(|cursor| cursor.pending.iter().map(|pending| pending.lsn).collect());
        Self { read: cursor.map_or(Lsn::MAX, |cursor| cursor.read), pending: pending.unwrap_or_default() }
    }

    fn owes(&self, lsn: Lsn) -> bool {
        lsn >= self.read || self.pending.contains(&lsn)
    }
}

impl Backlog {
    fn read(path: &Path) -> Result<Option<Self>> {
        let Some(cursors) = cursors(path)? else { return Ok(None) };
        let (events, moved_to) = events(path)?;
        Ok(Some(Self { cursors, events, moved_to }))
    }
}

/// As a start would find them; none if there is no log yet.
fn cursors(path: &Path) -> Result<Option<Cursors>> {
    match eagre_wal::inspect(path) {
        Ok(inspection) => Ok(Some(inspection.cursors)),
        Err(InspectError::NoLog { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All events of a log, and what is behind the last one that was moved there.
fn events(path: &Path) -> Result<(Vec<Stored>, Lsn)> {
    let (mut events, mut moved_to) = (Vec::new(), Lsn::ZERO);
    for read in eagre_wal::records(path, Since::Lsn(Lsn::ZERO))? {
        // A start that meets a lost range refuses, and the trial tells.
        let Read::Record(record) = read? else { continue };
        let event = match contents::read(record.kind, &record.body)? {
            Some(Contents::Event(event)) => event,
            Some(Contents::Moved { source, event, .. }) => {
                moved_to = source + 1;
                event
            }
            Some(Contents::DeadLetter { .. }) | None => continue,
        };
        events.push(stored(record.lsn, event)?);
    }
    Ok((events, moved_to))
}

fn stored(lsn: Lsn, event: Event<'_>) -> Result<Stored> {
    let Event { broker, triggers, record } = event;
    let id = record.attribute("id").context("an event of a log has no id")?.to_string();
    let id = id.parse().with_context(|| format!("a log holds an event {id:?}"))?;
    Ok(Stored { lsn, broker, triggers, id })
}

/// The directories in one that may not be there.
fn directories(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("list {}", path.display()))?,
    };
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.is_dir());
    Ok(paths)
}
