//! One trial of the sync that fails. Two phases:
//!
//! 1. **Full**: the file system has no block left. That is no failure: producers are
//!    answered 503, the server goes on, and when there is room it accepts again.
//! 2. **Failed**: the file system believes to have blocks, and the device under it
//!    cannot take them. Writes succeed, into the page cache; the sync fails, once, and
//!    the next one may succeed over the lost pages. So after the first failed sync
//!    nothing may be acknowledged any more, the process ends with code 74, and what was
//!    acknowledged before is delivered after a restart.
//!
//! What makes the sync fail reliably: the device is thin. Its file lies in a memory file
//! system; segments are written with zeros when they are prepared, and those pages are
//! given back ([`thin_out`]) as storage with zero detection does. Then everything that
//! is left of the memory is taken away. The next page of records that is written back
//! needs a page of memory and gets none: ENOSPC from the device. Requests are of one
//! page (see [`Ext4`]). There is no journal, whose own pages would fail first, and then
//! the whole file system would be read-only instead of one sync wrong.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};

use super::{
    disk::{Ext4, Make, run},
    history::History,
    oracle::{self, Violation},
    plan::{Plan, Trigger},
    producers::Producers,
    server::{Server, Setup},
    subscribers::Subscribers,
    trial::{self, Outcome},
};

/// Exit code of a server whose log cannot be made durable: `EX_IOERR`.
const EXIT_DISK: i32 = 74;
/// The line that the server logs then.
const POISONED: &str = "the log cannot be made durable";
/// How the disk of these trials is made.
pub const DISK: Make = Make { bytes: 48 << 20, backing_bytes: 64 << 20, journal: false };
/// Memory for the device that is enough again.
const BACKING_ENOUGH: &str = "remount,size=256M";
/// For what has to happen: a 503 when the disk is full, an acknowledgement when there
/// is room again.
const PATIENCE: Duration = Duration::from_secs(20);
/// For the end of the server, when a sync has failed.
const END_MAX: Duration = Duration::from_secs(8);
/// The server is looked at for so long, to see that a full disk does not end it.
const FULL_FOR: Duration = Duration::from_millis(300);
/// A producer's thread may read so late what was sent before.
const READ_LATE: Duration = Duration::from_millis(250);
/// So many events are accepted when there is room again.
const AGAIN: usize = 50;
const POLL: Duration = Duration::from_millis(5);

/// The plan of a seed, bent to this family: nothing is released, so that a full disk
/// is met, and only the disk is small.
pub fn plan(seed: u64) -> Plan {
    let mut plan = Plan::new(seed);
    plan.max_mib = 1024;
    plan.payload_bytes_max = plan.payload_bytes_max.max(16 * 1024);
    plan.triggers.push(Trigger { unavailable_one_in: 1, ..Trigger::default() });
    plan.rounds.truncate(1);
    plan
}

/// Runs the trial of a plan on a disk made as [`DISK`] says.
///
/// # Errors
/// The trial could not be carried out; it says nothing about the server.
pub fn run_trial(plan: &Plan, setup: &Setup, disk: &Ext4) -> Result<Outcome> {
    let history = Arc::new(History::default());
    let subscribers = Subscribers::start(plan, &history).context("start subscribers")?;
    setup.write(plan, subscribers.address)?;
    let trial = Trial { plan, setup, disk, history: &history };
    let mut violations: Vec<_> = trial.fail()?.into_iter().collect();
    let mut duplicates = 0;
    if violations.is_empty() {
        trial.mend()?;
        violations.extend(trial.recover(&subscribers)?);
        let judgement = oracle::judge(&plan.triggers, &history.seen());
        violations.extend(judgement.violations);
        duplicates = judgement.duplicates;
    }
    Ok(Outcome { acknowledged: history.acknowledged_count(), duplicates, violations })
}

struct Trial<'t> {
    plan: &'t Plan,
    setup: &'t Setup,
    disk: &'t Ext4,
    history: &'t History,
}

impl Trial<'_> {
    /// Both phases; the violation that ended them, if there was one.
    fn fail(&self) -> Result<Option<Violation>> {
        let producers = Producers::new(self.plan, self.history);
        let mut server = self.setup.start()?;
        let address = self.setup.await_serving(&mut server)?;
        thread::scope(|scope| {
            producers.start(scope, address);
            let ended = self.load(server);
            producers.stop();
            ended
        })
    }

    fn load(&self, mut server: Server) -> Result<Option<Violation>> {
        let wanted = self.plan.rounds[0].acknowledged as usize;
        let enough = || self.history.acknowledged_count() >= wanted;
        if let Some(violation) = self.until("events are acknowledged", &mut server, enough)? {
            return Ok(Some(violation));
        }
        if let Some(violation) = self.fill_up(&mut server)? {
            return Ok(Some(violation));
        }
        self.fail_sync(server)
    }

    /// Phase one: no block is left, then there are some again.
    fn fill_up(&self, server: &mut Server) -> Result<Option<Violation>> {
        let filler = self.disk.mount_point().join("filler");
        take_blocks(&filler)?;
        let before = self.history.seen().unavailable;
        let refused = || self.history.seen().unavailable > before;
        if let Some(violation) = self.until("a full disk is answered with 503", server, refused)? {
            return Ok(Some(violation));
        }
        thread::sleep(FULL_FOR);
        fs::remove_file(&filler).context("give the space back")?;
        let wanted = self.history.acknowledged_count() + AGAIN;
        let accepted = || self.history.acknowledged_count() >= wanted;
        if let Some(violation) = self.until("there is room again", server, accepted)? {
            return Ok(Some(violation));
        }
        Ok(trial::errors_logged(&self.setup.log())?.pop())
    }

    /// Phase two: blocks are there, and the device cannot take them.
    fn fail_sync(&self, mut server: Server) -> Result<Option<Violation>> {
        server.freeze()?;
        run(Command::new("fsfreeze").arg("--freeze").arg(self.disk.mount_point()))?;
        let thin = thin_out(self.disk);
        run(Command::new("fsfreeze").arg("--unfreeze").arg(self.disk.mount_point()))?;
        thin?;
        server.thaw()?;
        let Some(status) = server.await_end(END_MAX)? else {
            let what = format!("{END_MAX:?} after the device was full it still ran");
            return Ok(Some(Violation::Server(what)));
        };
        server.kill()?;
        self.history.seen().crashes.push(Instant::now());
        if status.code() != Some(EXIT_DISK) {
            let what = format!("a failed sync ended it with {status}, not with code {EXIT_DISK}");
            return Ok(Some(Violation::Server(what)));
        }
        self.acknowledged_after()
    }

    /// Acknowledgements that were read after the server had logged the failure.
    fn acknowledged_after(&self) -> Result<Option<Violation>> {
        let log = fs::read_to_string(self.setup.log()).context("read the server's log")?;
        let Some(line) = log.lines().find(|line| line.contains(POISONED)) else {
            let what = format!("it ended with {EXIT_DISK} and did not log that {POISONED:?}");
            return Ok(Some(Violation::Server(what)));
        };
        let time = line.split_whitespace().next().unwrap_or_default();
        let failed: jiff::Timestamp = time.parse().context("read the time of a log line")?;
        let since = SystemTime::now().duration_since(failed.into()).context("compare clocks")?;
        let failed = Instant::now() - since + READ_LATE;
        let seen = self.history.seen();
        let late = seen.sent.values().filter(|sent| sent.acknowledged.is_some_and(|at| at > failed)).count();
        let what = || format!("{late} events were acknowledged after the failed sync");
        Ok((late > 0).then(|| Violation::Server(what())))
    }

    /// Gives the device what it needs, and forgets what the page cache believes.
    fn mend(&self) -> Result<()> {
        fs::remove_file(self.disk.backing().join("filler")).context("free the memory")?;
        run(Command::new("mount").args(["-o", BACKING_ENOUGH]).arg(self.disk.backing()))?;
        self.disk.detach()?;
        self.disk.attach()
    }

    /// What was acknowledged before is delivered.
    fn recover(&self, subscribers: &Subscribers) -> Result<Option<Violation>> {
        let mut server = self.setup.start()?;
        if let Err(error) = self.setup.await_serving(&mut server) {
            return Ok(Some(Violation::Server(format!("after the failed sync: {error:#}"))));
        }
        subscribers.be_healthy();
        if let Some(status) = trial::drain(&self.plan.triggers, self.history, &mut server)? {
            return Ok(Some(Violation::Server(format!("after the failed sync it ended with {status}"))));
        }
        let status = server.stop()?;
        let what = || format!("asked to stop after a failed sync, it ended with {status}");
        Ok((!status.success()).then(|| Violation::Server(what())))
    }

    /// Waits for something that has to come about.
    fn until(
        &self,
        what: &str,
        server: &mut Server,
        condition: impl Fn() -> bool,
    ) -> Result<Option<Violation>> {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if let Some(status) = server.ended()? {
                let what = format!("it ended by itself before {what}: {status}");
                return Ok(Some(Violation::Server(what)));
            }
            if Instant::now() > deadline {
                return Ok(Some(Violation::Server(format!(
                    "it did not come about in {PATIENCE:?} that {what}"
                ))));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }
}

/// Takes every block without writing it: first in large pieces, then in small ones.
fn take_blocks(filler: &Path) -> Result<()> {
    let file = File::create(filler).context("make a filler")?;
    let mut length = 0;
    for piece in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
        while fallocate(&file, FallocateFlags::empty(), length, piece).is_ok() {
            length += piece;
        }
    }
    Ok(())
}

/// Gives pages of zeros back, and takes all the memory that is left.
fn thin_out(disk: &Ext4) -> Result<()> {
    run(Command::new("fallocate").arg("--dig-holes").arg(disk.image()))?;
    let mut filler = File::create(disk.backing().join("filler")).context("take the memory")?;
    loop {
        match filler.write(&[0xff; 64 * 1024]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error).context("take the memory"),
        }
    }
}
