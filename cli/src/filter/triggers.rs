//! The triggers of manifests: which of them an event goes to, and what stopped it on
//! the way to the others.

use std::{
    fmt::{self, Display},
    path::{Path, PathBuf},
};

use eagre_controlplane::{
    Diagnostic, Severity, TriggerFilter, TriggerFilters, manifest::Place, trigger_filters,
};
use eagre_event::Draft;
use eagre_filter::{Matcher, Stop, Verdict, explain};
use serde::Serialize;

use super::{
    failure::{Failure, Input},
    printable,
};

/// What a trigger makes of an event.
#[derive(Debug, Serialize)]
pub struct Judged {
    namespace: String,
    name: String,
    broker: String,
    /// Whether the event goes to it.
    pub matches: bool,
    /// What kept the event away; nothing if it matches.
    stops: Vec<Reason>,
    /// Every event matches.
    #[serde(skip)]
    asks_for_nothing: bool,
}

/// A condition that the event did not meet.
#[derive(Debug, Serialize)]
struct Reason {
    /// Where it stands in the filter.
    path: String,
    asks: String,
    /// What the event has instead.
    has: String,
}

/// All triggers, with a summary.
#[derive(Debug, Serialize)]
pub struct Explained {
    matching: usize,
    total: usize,
    triggers: Vec<Judged>,
}

/// Reads the triggers of manifests, at least one. What is no error in them is said on
/// standard error, unless it is only for information.
pub fn load(paths: &[PathBuf]) -> Result<Vec<TriggerFilter>, Failure> {
    let TriggerFilters { triggers, mut diagnostics } = trigger_filters(paths);
    diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Info);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure::all(Input::Manifests, diagnostics));
    }
    diagnostics.iter().for_each(|warning| eprintln!("{warning}\n"));
    if triggers.is_empty() {
        let path = paths.first().map_or(Path::new("."), PathBuf::as_path);
        let hint = "name a file or a folder with objects of the kind Trigger";
        let nothing = Diagnostic::error(&Place::file(path), "holds no trigger", hint);
        return Err(Failure::new(Input::Manifests, nothing));
    }
    Ok(triggers)
}

/// Judges all triggers as a broker's matcher does, and adds the reasons.
pub fn judge(triggers: &[TriggerFilter], event: &Draft) -> Vec<Judged> {
    const VALID: &str = "manifests with a filter that is not valid are refused";
    let mut matcher = Matcher::new();
    for (slot, trigger) in triggers.iter().enumerate() {
        matcher.insert(slot as u32, &trigger.filter).expect(VALID);
    }
    let mut found = Vec::new();
    matcher.matches(event, &mut found);
    let judged = triggers.iter().enumerate().map(|(slot, trigger)| {
        let matches = found.binary_search(&(slot as u32)).is_ok();
        let reasons = explain(&trigger.filter, event, None).expect(VALID);
        debug_assert_eq!(matches, reasons.verdict != Verdict::Fail, "{trigger:?}");
        Judged {
            namespace: trigger.namespace.clone(),
            name: trigger.name.clone(),
            broker: trigger.broker.clone(),
            matches,
            stops: reasons.stops.into_iter().map(Reason::from).collect(),
            asks_for_nothing: reasons.verdict == Verdict::NoFilter,
        }
    });
    judged.collect()
}

impl From<Stop> for Reason {
    fn from(Stop { path, text, actual }: Stop) -> Reason {
        Reason { path, asks: text, has: actual }
    }
}

impl Explained {
    /// Counts.
    pub fn of(triggers: Vec<Judged>) -> Explained {
        let matching = triggers.iter().filter(|judged| judged.matches).count();
        Explained { matching, total: triggers.len(), triggers }
    }
}

impl Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.matches { "match" } else { "no match" };
        let note = if self.asks_for_nothing { "  (it asks for nothing)" } else { "" };
        writeln!(f, "{verdict:8}  {}/{}{note}", self.namespace, self.name)?;
        for Reason { path, asks, has } in &self.stops {
            let (asks, has) = (printable(asks), printable(has));
            writeln!(f, "{:10}{path}\n{:12}asks: {asks}\n{:12}has:  {has}", "", "", "")?;
        }
        Ok(())
    }
}

/// The triggers below their brokers, then the summary.
impl Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let same = |a: &Judged, b: &Judged| (&a.namespace, &a.broker) == (&b.namespace, &b.broker);
        for group in self.triggers.chunk_by(same) {
            writeln!(f, "broker {}/{}", group[0].namespace, printable(&group[0].broker))?;
            for judged in group {
                judged.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{} of {} triggers match", self.matching, self.total)
    }
}
