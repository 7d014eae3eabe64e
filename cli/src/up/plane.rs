//! One plane as a child process.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, kill_process};

use super::{leash, restarts::Restarts};

/// A plane: how it is started, and the process it is at the moment.
#[derive(Debug)]
pub struct Plane {
    /// Its name, also its `argv[0]`.
    pub name: &'static str,
    /// What happened to it so far.
    pub restarts: Restarts,
    arguments: Vec<OsString>,
    /// The process, until it is known to have ended.
    running: Option<(Child, Instant)>,
    /// When to start it again.
    due: Option<Instant>,
}

/// A process that ended.
#[derive(Debug)]
pub struct Ended {
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub status: ExitStatus,
    /// How long it ran.
    pub lifetime: Duration,
}

impl Plane {
    /// A plane that is not started yet.
    pub fn new(name: &'static str, arguments: Vec<OsString>) -> Plane {
        Plane { name, restarts: Restarts::default(), arguments, running: None, due: None }
    }

    /// Starts it. It is on a [`leash`], and has a process group of its own, or a Ctrl-C
    /// in the terminal would stop both planes at once.
    pub fn start(&mut self) -> io::Result<()> {
        let child = Command::new("/proc/self/exe")
            .arg0(self.name)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .env(leash::VARIABLE, "1")
            .process_group(0)
            .spawn()?;
        self.running = Some((child, Instant::now()));
        self.due = None;
        Ok(())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|(child, _)| child.id())
    }

    /// Looks whether it has ended; tells so once.
    pub fn reap(&mut self) -> io::Result<Option<Ended>> {
        let Some((child, since)) = &mut self.running else { return Ok(None) };
        let Some(status) = child.try_wait()? else { return Ok(None) };
        let ended = Ended { pid: child.id(), status, lifetime: since.elapsed() };
        self.running = None;
        Ok(Some(ended))
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        if let Some((child, _)) = &self.running {
            // It cannot have been reaped, so the id is its own; at worst it is a zombie.
            let _ = kill_process(Pid::from_child(child), rustix::process::Signal::TERM);
        }
    }

    /// Stops it at once.
    pub fn kill(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
        }
    }

    /// Plans its next start.
    pub fn start_at(&mut self, due: Instant) {
        self.due = Some(due);
    }

    /// When it is to be started, if it is.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }
}

/// No plane outlives its supervisor, not even when that panics.
impl Drop for Plane {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// In words: `exit code 74`, `signal 9 (SIGKILL)`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (_, Some(signal)) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("unnamed");
            format!("was ended by signal {signal} ({name})")
        }
        _ => "ended".to_owned(),
    }
}
