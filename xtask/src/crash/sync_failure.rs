//! One trial of the sync that fails. Two phases:
//!
//! 1. **Full**: the file system has no block left. That is no failure: producers are
//!    answered 503, the server goes on, and when there is room it accepts again.
//! 2. **Failed**: the file system believes to have blocks, and the device under it
//!    cannot take them. Writes succeed, into the page cache; the sync fails, once, and
//!    the next one may succeed over the lost pages. So after the first failed sync
//!    nothing may be acknowledged any more, the process ends with code 74, and what was
//!    acknowledged is on the disk and is delivered after a restart.
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
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};

use super::{
    disk::{Ext4, Make, run},
    history::{EventId, History, Sent},
    oracle::{self, Violation},
    owed,
    patience::Patience,
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
/// So many requests are refused while the disk is full, and it does not end the server.
const REFUSED: u64 = 50;
/// So many events are accepted when there is room again.
const AGAIN: usize = 50;
/// An event of so many bytes takes a page of the device for itself alone. Smaller ones may
/// find room in a page that holds records already.
const TAKES_A_PAGE: usize = 8192;
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
    setup.write(&plan.config(), &plan.manifest(subscribers.address))?;
    let trial = Trial { plan, setup, disk, history: &history };
    let mut violations: Vec<_> = trial.fail()?.into_iter().collect();
    let mut duplicates = 0;
    if violations.is_empty() {
        trial.mend(&subscribers)?;
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
    history: &'t Arc<History>,
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
        let refused = || self.history.seen().unavailable > before + REFUSED;
        if let Some(violation) = self.until("a full disk is answered with 503", server, refused)? {
            return Ok(Some(violation));
        }
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
        let first_number = self.history.seen().sent.keys().map(|id| id.number + 1).max().unwrap_or(0);
        server.thaw()?;
        let mut patience = Patience::new();
        let status = loop {
            if let Some(status) = server.ended()? {
                break status;
            }
            if let Some((id, bytes)) = self.acknowledged_without_room(first_number) {
                let what =
                    format!("it acknowledged {id}, and the device cannot have taken its {bytes} bytes");
                return Ok(Some(Violation::Server(what)));
            }
            if patience.is_over(self.history.acknowledged_count()) {
                return Ok(Some(Violation::Server("it runs on although no sync can succeed".into())));
            }
            thread::sleep(POLL);
        };
        server.kill()?;
        if status.code() != Some(EXIT_DISK) {
            let what = format!("a failed sync ended it with {status}, not with code {EXIT_DISK}");
            return Ok(Some(Violation::Server(what)));
        }
        let log = fs::read_to_string(self.setup.log()).context("read the server's log")?;
        let what = || format!("it ended with {EXIT_DISK} and did not log that {POISONED:?}");
        Ok((!log.contains(POISONED)).then(|| Violation::Server(what())))
    }

    /// An acknowledged event from this number on that needed a page of the device.
    fn acknowledged_without_room(&self, first_number: u64) -> Option<(EventId, usize)> {
        let seen = self.history.seen();
        let is_wrong = |id: &EventId, sent: &Sent| {
            id.number >= first_number && sent.acknowledged && sent.bytes >= TAKES_A_PAGE
        };
        seen.sent.iter().find(|(id, sent)| is_wrong(id, sent)).map(|(id, sent)| (*id, sent.bytes))
    }

    /// Gives the device what it needs, forgets what the page cache believes, and looks at
    /// what is there. One trigger has accepted nothing so far: it is owed every event that
    /// was acknowledged.
    fn mend(&self, subscribers: &Subscribers) -> Result<()> {
        fs::remove_file(self.disk.backing().join("filler")).context("free the memory")?;
        run(Command::new("mount").args(["-o", BACKING_ENOUGH]).arg(self.disk.backing()))?;
        self.disk.detach()?;
        self.disk.attach()?;
        subscribers.settle()?;
        self.history.crashed(owed::look(&self.setup.data, self.plan.triggers.len())?);
        Ok(())
    }

    /// What was acknowledged before is delivered.
    fn recover(&self, subscribers: &Subscribers) -> Result<Option<Violation>> {
        let mut server = self.setup.start()?;
        if let Err(error) = self.setup.await_serving(&mut server) {
            return Ok(Some(Violation::Server(format!("after the failed sync: {error:#}"))));
        }
        subscribers.be_healthy();
        let drained = trial::drain(&self.plan.triggers, self.history, &self.setup.data, &mut server)?;
        if drained.is_some() {
            return Ok(drained);
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
        let mut patience = Patience::new();
        while !condition() {
            if let Some(status) = server.ended()? {
                let what = format!("it ended by itself before {what}: {status}");
                return Ok(Some(Violation::Server(what)));
            }
            if patience.is_over(0) {
                return Ok(Some(Violation::Server(format!("it does not come about that {what}"))));
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
