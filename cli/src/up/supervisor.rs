//! The loop that keeps both planes running, and stops them in order: the data plane
//! first, so that it drains with its configuration in place, then the control plane.
//!
//! One thread; signals and time are its only inputs. A process is signalled only while it
//! has not been waited for, so a signal never meets a stranger with the same id.

use std::{
    io::{self, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use super::{
    Stop,
    banner::Banner,
    place::Place,
    plane::{Ended, Plane, describe},
    restarts::Verdict,
    serving::Serving,
};
use crate::{
    exit,
    signals::{self, Signal},
};

/// Time the data plane gets to finish deliveries: its own drain deadline is 30 s by
/// default, and syncing the log takes a moment more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(35);
/// Time the control plane gets; it has nothing to finish.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a data plane that has just been started is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// A start that takes longer gets a word: recovery of a large log may.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest sleep; nothing depends on it.
const IDLE: Duration = Duration::from_secs(3600);

/// Both planes and what is known of them.
pub struct Supervisor {
    signals: Receiver<Signal>,
    /// Control plane first: it starts first and stops last.
    control: Plane,
    data: Plane,
    /// Where the data plane of this id has said it serves.
    serving: Option<Serving>,
    state: State,
    displays: bool,
    /// Last: the directories go when the planes are gone.
    place: Place,
}

/// How far the data plane of the moment has come.
enum State {
    /// Started, not ready; a word is due at this time.
    Starting { patience: Option<Instant> },
    /// Ready, and announced.
    Ready,
}

impl Supervisor {
    /// Starts both planes.
    pub fn new(place: Place, control: Plane, data: Plane, displays: bool) -> Result<Supervisor, Stop> {
        let (sender, signals) = mpsc::channel();
        signals::forward(sender)
            .map_err(|error| Stop::new(exit::OS_ERROR, format!("cannot handle signals: {error}")))?;
        let mut supervisor =
            Supervisor { signals, control, data, serving: None, state: starting(), displays, place };
        start(&mut supervisor.control)?;
        start(&mut supervisor.data)?;
        Ok(supervisor)
    }

    /// Runs until asked to stop (`Ok`: the exit code), or until a plane cannot be kept.
    pub fn run(&mut self) -> Result<u8, Stop> {
        let outcome = self.supervise();
        let stopped = self.stop();
        match (outcome, stopped) {
            (Err(first), _) => Err(first),
            (Ok(()), stopped) => stopped.map(|()| exit::OK),
        }
    }

    fn supervise(&mut self) -> Result<(), Stop> {
        loop {
            match self.signals.recv_timeout(self.sleep()) {
                Ok(Signal::Stop) => return Ok(()),
                Ok(Signal::Child) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Stop::new(exit::SOFTWARE, "the thread that watches signals is gone"));
                }
            }
            if let Some(ended) = self.reap_control()? {
                restart(&mut self.control, &ended)?;
            }
            if let Some(ended) = self.reap_data()? {
                restart(&mut self.data, &ended)?;
                self.serving = None;
                self.state = starting();
            }
            for plane in [&mut self.control, &mut self.data] {
                if plane.due().is_some_and(|due| due <= Instant::now()) {
                    start(plane)?;
                }
            }
            self.look();
        }
    }

    fn reap_control(&mut self) -> Result<Option<Ended>, Stop> {
        self.control.reap().map_err(|error| cannot_wait(&error))
    }

    fn reap_data(&mut self) -> Result<Option<Ended>, Stop> {
        self.data.reap().map_err(|error| cannot_wait(&error))
    }

    /// How long nothing will happen by itself.
    fn sleep(&self) -> Duration {
        let now = Instant::now();
        let due = [&self.control, &self.data].into_iter().filter_map(Plane::due).min();
        let start = due.map_or(IDLE, |due| due.saturating_duration_since(now));
        match self.state {
            State::Starting { .. } => start.min(LOOK_INTERVAL),
            State::Ready => start,
        }
    }

    /// Looks whether the data plane is ready, and says so once per process.
    fn look(&mut self) {
        let State::Starting { patience } = self.state else { return };
        if let Some(pid) = self.data.pid() {
            self.serving = self.serving.take().or_else(|| Serving::of(self.place.snapshot(), pid));
            if let Some(serving) = self.serving.as_ref().filter(|serving| serving.is_ready()) {
                if self.data.restarts.is_proven() {
                    eprintln!("eagre: {} serves again (process {pid})", self.data.name);
                } else {
                    announce(&Banner::new(serving, &self.place, self.displays));
                }
                self.data.restarts.prove();
                self.control.restarts.prove();
                self.state = State::Ready;
                return;
            }
        }
        if patience.is_some_and(|patience| patience <= Instant::now()) {
            eprintln!("eagre: still starting; a large log takes a while to recover");
            self.state = State::Starting { patience: None };
        }
    }

    /// Stops both planes and waits until they are gone.
    fn stop(&mut self) -> Result<(), Stop> {
        if self.data.pid().is_some() {
            eprintln!("\neagre: draining; Ctrl-C again to stop at once");
        }
        let drained = stop_plane(&mut self.data, &self.signals, DRAIN_TIMEOUT);
        let timeout = if drained.is_ok() { STOP_TIMEOUT } else { Duration::ZERO };
        let stopped = stop_plane(&mut self.control, &self.signals, timeout);
        drained.and(stopped)
    }
}

/// Ends `plane`: kindly, then, at a second Ctrl-C or after `timeout`, not.
fn stop_plane(plane: &mut Plane, signals: &Receiver<Signal>, timeout: Duration) -> Result<(), Stop> {
    plane.terminate();
    let deadline = Instant::now() + timeout;
    let mut cut_short = None;
    while plane.pid().is_some() {
        if let Some(ended) = plane.reap().map_err(|error| cannot_wait(&error))? {
            return cut_short.map_or_else(|| ended_well(plane, &ended), Err);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = if cut_short.is_some() { STOP_TIMEOUT } else { left };
        let (code, reason) = match signals.recv_timeout(wait) {
            Ok(Signal::Child) => continue,
            Ok(Signal::Stop) => (exit::INTERRUPTED, "stopped at once"),
            Err(_) => (exit::TEMP_FAIL, "stopped after its time was up"),
        };
        plane.kill();
        let name = plane.name;
        let rest = "what was acknowledged is in the log and goes on at the next start";
        cut_short.get_or_insert_with(|| Stop::new(code, format!("{name} was {reason}; {rest}")));
    }
    Ok(())
}

/// A plane that was asked to stop should end with 0; if not, its code is ours.
fn ended_well(plane: &Plane, ended: &Ended) -> Result<(), Stop> {
    if ended.status.success() {
        return Ok(());
    }
    let code = exit_code(ended).unwrap_or(exit::SOFTWARE);
    Err(Stop::new(code, format!("{} {} while stopping", plane.name, describe(ended.status))))
}

fn starting() -> State {
    State::Starting { patience: Some(Instant::now() + PATIENCE) }
}

fn start(plane: &mut Plane) -> Result<(), Stop> {
    plane.start().map_err(|error| Stop::new(exit::OS_ERROR, format!("cannot start {}: {error}", plane.name)))
}

/// Plans the next start of a plane that ended, or gives up.
fn restart(plane: &mut Plane, ended: &Ended) -> Result<(), Stop> {
    let (name, pid, how) = (plane.name, ended.pid, describe(ended.status));
    match plane.restarts.judge(exit_code(ended), ended.lifetime) {
        Verdict::Restart(delay) => {
            eprintln!("eagre: {name} (process {pid}) {how}; starting it again in {delay:?}");
            plane.start_at(Instant::now() + delay);
            Ok(())
        }
        Verdict::GiveUp(code) => {
            let why = format!("{name} (process {pid}) {how}; starting it again would not help, see above");
            Err(Stop::new(code, why))
        }
    }
}

fn exit_code(ended: &Ended) -> Option<u8> {
    ended.status.code().map(|code| u8::try_from(code).unwrap_or(exit::SOFTWARE))
}

fn cannot_wait(error: &io::Error) -> Stop {
    Stop::new(exit::OS_ERROR, format!("cannot wait for a plane: {error}"))
}

/// Prints in one write, so that no event comes between.
fn announce(banner: &Banner) {
    // A closed standard output is no reason to stop serving.
    let _ = io::stdout().write_all(banner.to_string().as_bytes());
}
