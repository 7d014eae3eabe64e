//! What `eagre up` prints when it serves: where things are, and a line to try.

use std::fmt::{self, Display};

use eagre_snapshot::{Snapshot, Subscriber};

use super::{place::Place, ports, serving::Serving};

/// Brokers printed; the rest is counted.
const BROKERS_MAX: usize = 20;

/// The text, as `Display`.
pub struct Banner<'a> {
    serving: &'a Serving,
    place: &'a Place,
    /// `namespace/name` of every broker.
    brokers: Vec<String>,
    /// Whether events show up in this terminal.
    displays: bool,
}

impl<'a> Banner<'a> {
    /// Reads the brokers from the snapshot in force.
    pub fn new(serving: &'a Serving, place: &'a Place, displays: bool) -> Banner<'a> {
        let brokers = published(place)
            .map(|snapshot| snapshot.brokers.iter().map(|b| format!("{}/{}", b.namespace, b.name)).collect())
            .unwrap_or_default();
        Banner { serving, place, brokers, displays }
    }
}

fn published(place: &Place) -> Option<Snapshot> {
    Subscriber::open(place.snapshot()).ok()?.load().ok()?.map(|(_, snapshot)| snapshot)
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Serving { driver, driver_reason, shards, fsync, .. } = self.serving;
        let ingress = ports::url(self.serving.listen);
        writeln!(f, "\nEagre {} is ready.\n", env!("CARGO_PKG_VERSION"))?;
        for broker in self.brokers.iter().take(BROKERS_MAX) {
            writeln!(f, "  broker   {ingress}/{broker}")?;
        }
        match self.brokers.len() {
            0 => writeln!(f, "  broker   none yet; {ingress} waits for one")?,
            count if count > BROKERS_MAX => writeln!(f, "           and {} more", count - BROKERS_MAX)?,
            _ => {}
        }
        writeln!(
            f,
            "  admin    {}  (/readyz /metrics /v1/brokers /v1/triggers)",
            ports::url(self.serving.admin)
        )?;
        writeln!(f, "  data     {}", self.place.data().display())?;
        writeln!(f, "  fsync    {fsync}: {}", promise(fsync))?;
        let plural = if *shards == 1 { "" } else { "s" };
        writeln!(f, "  driver   {driver} ({driver_reason}), {shards} shard{plural}")?;
        if let Some(broker) = self.brokers.first() {
            let shown = if self.displays { "; the event shows up below" } else { "" };
            writeln!(f, "\nTry it from another terminal{shown}:\n\n  {}", curl(&ingress, broker))?;
        }
        writeln!(f, "\nCtrl-C drains and stops.")
    }
}

/// What 202 means in this mode.
fn promise(fsync: &str) -> &'static str {
    match fsync {
        "always" => "202 means that the disk has the event",
        "never" => "202 means that the event survives a crash of Eagre, not of the machine",
        _ => "202 may be ahead of the disk by this much",
    }
}

/// One line, to be pasted whole.
fn curl(ingress: &str, broker: &str) -> String {
    format!(
        "curl -i {ingress}/{broker} -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /terminal' \
         -H 'ce-type: com.example.greeting' -H 'content-type: application/json' -d '{{\"text\":\"Hello\"}}'"
    )
}
