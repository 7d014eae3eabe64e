//! One trial of the families that crash the server: load, crash, start again, possibly
//! more of that, then everything is let through and judged.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Family,
    disk::Disk,
    history::{History, Seen},
    oracle::{self, Violation},
    owed,
    patience::Patience,
    plan::{Moment, Plan, Round, Trigger},
    producers::Producers,
    server::{NotServing, Server, Setup},
    subscribers::Subscribers,
};
use crate::random::Random;

/// Without progress for so long, the logs are looked at, whether more is to come.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long a crash waits for a segment to be made, named or removed.
const ROLL_MAX: Duration = Duration::from_secs(1);
/// Between two looks.
const POLL: Duration = Duration::from_millis(10);
/// Between two looks at the directory of segments.
const ROLL_POLL: Duration = Duration::from_micros(300);

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Events whose 202 was read.
    pub acknowledged: usize,
    /// Accepted deliveries beyond the first of an event at a trigger.
    pub duplicates: usize,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

/// A trial under way.
struct Trial<'t> {
    family: Family,
    plan: &'t Plan,
    setup: &'t Setup,
    disk: &'t mut dyn Disk,
    history: Arc<History>,
    subscribers: Subscribers,
    random: Random,
}

/// Why a trial ends before its time: the server broke a promise.
type Ended = Violation;

/// Runs the trial of a plan.
///
/// # Errors
/// The trial could not be carried out; it says nothing about the server.
pub fn run(family: Family, plan: &Plan, setup: &Setup, disk: &mut dyn Disk) -> Result<Outcome> {
    let history = Arc::new(History::default());
    let subscribers = Subscribers::start(plan, &history).context("start subscribers")?;
    setup.write(&plan.config(), &plan.manifest(subscribers.address))?;
    let random = Random::new(plan.seed, u64::MAX);
    let mut trial = Trial { family, plan, setup, disk, history: Arc::clone(&history), subscribers, random };
    let ended = trial.run()?;
    let judgement = oracle::judge(&plan.triggers, &history.seen());
    // What is missing because the server would not go on is no finding of its own.
    let mut violations = ended.map_or(judgement.violations, |ended| vec![ended]);
    violations.extend(errors_logged(&setup.log())?);
    Ok(Outcome { acknowledged: history.acknowledged_count(), duplicates: judgement.duplicates, violations })
}

impl Trial<'_> {
    fn run(&mut self) -> Result<Option<Ended>> {
        let history = Arc::clone(&self.history);
        let producers = Producers::new(self.plan, &history);
        for round in &self.plan.rounds {
            if let Some(ended) = self.round(&producers, *round)? {
                return Ok(Some(ended));
            }
        }
        let mut server = self.setup.start()?;
        if let Err(ended) = self.await_serving(&mut server)? {
            return Ok(Some(ended));
        }
        self.subscribers.be_healthy();
        if let Some(ended) = self.drain(&mut server)? {
            return Ok(Some(ended));
        }
        let status = server.stop()?;
        Ok((!status.success()).then(|| Violation::Server(format!("asked to stop, it ended with {status}"))))
    }

    /// Load, and the crash at its end.
    fn round(&mut self, producers: &Producers<'_>, round: Round) -> Result<Option<Ended>> {
        let mut server = self.setup.start()?;
        let address = match self.await_serving(&mut server)? {
            Ok(address) => address,
            Err(ended) => return Ok(Some(ended)),
        };
        if self.plan.slow_disk {
            self.disk.be_slow()?;
        }
        let wanted = self.history.acknowledged_count() + round.acknowledged as usize;
        let crashed = thread::scope(|scope| {
            producers.start(scope, address);
            let crashed = self.load(&mut server, wanted).and_then(|ended| match ended {
                Some(ended) => Ok(Some(ended)),
                None => {
                    self.await_moment(round.moment)?;
                    self.crash(server)
                }
            });
            producers.stop();
            crashed
        })?;
        match (crashed, round.moment) {
            (None, Moment::Recovery { starts, within }) => self.crash_recovery(starts, within),
            (crashed, _) => Ok(crashed),
        }
    }

    fn await_serving(&self, server: &mut Server) -> Result<Result<std::net::SocketAddr, Ended>> {
        match self.setup.await_serving(server) {
            Ok(address) => Ok(Ok(address)),
            Err(error) => match error.downcast::<NotServing>() {
                Ok(not) => Ok(Err(Violation::Server(not.to_string()))),
                Err(error) => Err(error),
            },
        }
    }

    /// Waits for so many acknowledged events.
    fn load(&self, server: &mut Server, wanted: usize) -> Result<Option<Ended>> {
        let mut patience = Patience::new();
        loop {
            let acknowledged = self.history.acknowledged_count();
            if acknowledged >= wanted {
                return Ok(None);
            }
            if let Some(status) = server.ended()? {
                return Ok(Some(Violation::Server(format!("it ended by itself under load: {status}"))));
            }
            if patience.is_over(acknowledged) {
                let what = format!("it stands still at {acknowledged} of {wanted} acknowledged events");
                return Ok(Some(Violation::Server(what)));
            }
            thread::sleep(POLL / 10);
        }
    }

    fn await_moment(&self, moment: Moment) -> Result<()> {
        match moment {
            Moment::After(time) => thread::sleep(time),
            Moment::Roll(time) => {
                let before = self.segments()?;
                let deadline = Instant::now() + ROLL_MAX;
                while self.segments()? == before && Instant::now() < deadline {
                    thread::sleep(ROLL_POLL);
                }
                thread::sleep(time);
            }
            Moment::Recovery { .. } => {}
        }
        Ok(())
    }

    /// The names of all files of all logs.
    fn segments(&self) -> Result<BTreeSet<(u64, String)>> {
        let mut names = BTreeSet::new();
        for shard in 0..self.plan.shards {
            let directory = self.setup.data.join(format!("shard-{shard}"));
            for entry in fs::read_dir(&directory).context("list a log's directory")? {
                names.insert((shard, entry?.file_name().to_string_lossy().into_owned()));
            }
        }
        Ok(names)
    }

    fn crash(&mut self, mut server: Server) -> Result<Option<Ended>> {
        if let Some(status) = server.ended()? {
            return Ok(Some(Violation::Server(format!("it ended by itself: {status}"))));
        }
        // The kernel survives a killed process, and with it what was written.
        let loses = self.family != Family::Kill;
        if loses {
            server.freeze()?;
            self.disk.lose_unsynced()?;
        }
        let ended = server.kill()?;
        if loses {
            self.disk.come_back()?;
        }
        owed::await_release(&self.setup.data)?;
        self.subscribers.settle()?;
        self.history.crashed(owed::look(&self.setup.data, self.plan.triggers.len())?);
        Ok(ended.map(|status| Violation::Server(format!("it ended by itself: {status}"))))
    }

    /// Crashes while the server starts, again and again.
    fn crash_recovery(&mut self, starts: u64, within: Duration) -> Result<Option<Ended>> {
        for _ in 0..starts {
            let server = self.setup.start()?;
            thread::sleep(Duration::from_micros(self.random.within(0..=within.as_micros() as u64)));
            if let Some(ended) = self.crash(server)? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    fn drain(&self, server: &mut Server) -> Result<Option<Ended>> {
        drain(&self.plan.triggers, &self.history, &self.setup.data, server)
    }
}

/// Waits until every trigger has got what it is due, or what it has not got is lost: no
/// log owes it any more. Gives what the server did instead of either.
///
/// # Errors
/// The server cannot be waited for, or a log not read.
pub fn drain(
    triggers: &[Trigger],
    history: &History,
    data: &Path,
    server: &mut Server,
) -> Result<Option<Ended>> {
    let at_crash = |seen: &Seen| seen.crashes.last().map(|owed| oracle::lost(triggers, seen, owed));
    if at_crash(&history.seen()).is_some_and(|lost| !lost.is_empty()) {
        return Ok(None);
    }
    let (mut patience, mut lost_before) = (Patience::new(), HashSet::new());
    loop {
        let missing = oracle::missing(triggers, &history.seen());
        let count = missing.iter().map(|(_, ids)| ids.len()).sum();
        if count == 0 {
            return Ok(None);
        }
        if let Some(status) = server.ended()? {
            return Ok(Some(Violation::Server(format!("it ended by itself after recovery: {status}"))));
        }
        if patience.is_over(count) {
            return Ok(Some(Violation::Server(format!("it stands still, {count} deliveries are due"))));
        }
        if patience.still_for(count) > LOOK_AFTER {
            let owed = owed::look(data, triggers.len())?;
            let lost = oracle::lost(triggers, &history.seen(), &owed);
            // Twice in a row: a look takes in one log after another.
            if !lost.is_disjoint(&lost_before) {
                return Ok(None);
            }
            lost_before = lost;
            thread::sleep(LOOK_AFTER);
        }
        thread::sleep(POLL);
    }
}

/// Lines of the data plane's log that report an error or a panic.
///
/// # Errors
/// The log cannot be read.
pub fn errors_logged(log: &Path) -> Result<Vec<Violation>> {
    let text = match fs::read_to_string(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.context("read the server's log")?,
    };
    let errors = text.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked at"));
    Ok(errors.map(|line| Violation::Server(format!("it logged: {line}"))).collect())
}
