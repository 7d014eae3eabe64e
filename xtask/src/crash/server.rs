//! The real processes: the control plane with the trial's manifest, and the data plane
//! with the trial's disk. Both are the `eagre` binary under the name that makes it a
//! plane, as `eagre up` starts them; the harness takes the supervisor's place, so that
//! nobody starts a crashed plane again behind its back and every exit code is seen.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    patience::{self, HANG_MAX},
    plan::Plan,
};

/// Between two looks.
const POLL: Duration = Duration::from_millis(2);

/// What the processes of one trial are started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `eagre` binary.
    pub binary: PathBuf,
    /// The bug to plant, of those in `wal/src/canary.rs`.
    pub canary: Option<String>,
    /// Directory of the trial: configuration, snapshot, logs.
    pub work: PathBuf,
    /// Directory of the data, on the trial's disk.
    pub data: PathBuf,
}

/// Running processes.
pub struct Server {
    control: Child,
    data: Child,
}

/// Why the data plane does not serve.
#[derive(Debug, thiserror::Error)]
pub enum NotServing {
    /// It ended by itself.
    #[error("it ended while starting: {0}")]
    Ended(ExitStatus),
    /// It took too long.
    #[error("it did not serve within {HANG_MAX:?}")]
    TooLate,
}

impl Setup {
    /// Writes the files that the processes read.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, plan: &Plan, subscribers: SocketAddr) -> Result<()> {
        fs::create_dir_all(self.run()).context("make the snapshot directory")?;
        fs::write(self.work.join("eagre.toml"), plan.config()).context("write eagre.toml")?;
        fs::write(self.work.join("manifest.yaml"), plan.manifest(subscribers)).context("write the manifest")
    }

    /// Where the data plane logs to.
    pub fn log(&self) -> PathBuf {
        self.work.join("dataplane.log")
    }

    fn run(&self) -> PathBuf {
        self.work.join("run")
    }

    fn command(&self, plane: &str) -> Result<Command> {
        let log = self.work.join(format!("{plane}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&log).context("open a log file")?;
        let mut command = Command::new(&self.binary);
        command.arg0(format!("eagre-{plane}")).arg("--snapshot").arg(self.run());
        // On a leash, like a supervisor's: it ends when the harness does.
        command.env("EAGRE_SUPERVISED", "1").env("RUST_LOG", "info").stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(log);
        if let Some(canary) = &self.canary {
            command.env("EAGRE_CANARY", canary);
        }
        Ok(command)
    }

    /// Starts both planes; does not wait.
    ///
    /// # Errors
    /// A process cannot be started.
    pub fn start(&self) -> Result<Server> {
        let control = self.command("controlplane")?.arg("-f").arg(self.work.join("manifest.yaml")).spawn();
        let mut control = control.context("start the control plane")?;
        let mut data = self.command("dataplane")?;
        data.arg("--data").arg(&self.data).arg("--config").arg(self.work.join("eagre.toml"));
        data.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        match data.spawn() {
            Ok(data) => Ok(Server { control, data }),
            Err(error) => {
                end(&mut control)?;
                Err(anyhow!(error).context("start the data plane"))
            }
        }
    }

    /// Waits until the data plane serves, and tells where.
    ///
    /// # Errors
    /// See [`NotServing`].
    pub fn await_serving(&self, server: &mut Server) -> Result<SocketAddr> {
        let deadline = Instant::now() + HANG_MAX;
        let path = self.run().join("dataplane.json");
        loop {
            if let Some(address) = serving(&path, server.data.id()) {
                return Ok(address);
            }
            if let Some(status) = server.ended()? {
                bail!(NotServing::Ended(status));
            }
            if Instant::now() > deadline {
                bail!(NotServing::TooLate);
            }
            thread::sleep(POLL);
        }
    }
}

/// Where the data plane of this process id serves, if it has said so.
fn serving(path: &Path, pid: u32) -> Option<SocketAddr> {
    let info: serde_json::Value = serde_json::from_reader(File::open(path).ok()?).ok()?;
    let is_this = info["pid"].as_u64() == Some(u64::from(pid));
    is_this.then(|| info["listen"].as_str()?.parse().ok()).flatten()
}

impl Server {
    /// How the data plane ended, if it has.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.data.try_wait().context("wait for the data plane")
    }

    /// Stops every process, and waits until no thread of it can execute a further
    /// instruction of its own. A sync that is under way in the kernel goes on: it may
    /// report success for what the disk drops next, and nobody is left to believe it.
    ///
    /// # Errors
    /// A process is gone, or does not stop.
    pub fn freeze(&self) -> Result<()> {
        for child in [&self.data, &self.control] {
            signal(child, Signal::STOP)?;
        }
        patience::until("the server stands at SIGSTOP", || {
            Ok(stands(self.data.id())? && stands(self.control.id())?)
        })
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// A process is gone.
    pub fn thaw(&self) -> Result<()> {
        signal(&self.control, Signal::CONT)?;
        signal(&self.data, Signal::CONT)
    }

    /// Kills every process and waits for their ends. Gives the data plane's own end, if
    /// it had ended before.
    ///
    /// # Errors
    /// A process cannot be waited for.
    pub fn kill(mut self) -> Result<Option<ExitStatus>> {
        let ended = self.ended()?;
        // The data plane first: nothing may come between its end and the crash.
        end(&mut self.data)?;
        end(&mut self.control)?;
        Ok(ended)
    }

    /// Asks the data plane to stop and gives its exit status, then ends the control
    /// plane, which has nothing to finish.
    ///
    /// # Errors
    /// It does not stop in time, or cannot be waited for.
    pub fn stop(mut self) -> Result<ExitStatus> {
        signal(&self.data, Signal::TERM)?;
        let status = self.await_end()?;
        end(&mut self.control)?;
        status.ok_or_else(|| anyhow!("the data plane did not stop within {HANG_MAX:?} after SIGTERM"))
    }

    /// Waits for the data plane to end by itself; none if it does not.
    ///
    /// # Errors
    /// It cannot be waited for.
    fn await_end(&mut self) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + HANG_MAX;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() > deadline {
                return Ok(ended);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    /// Whatever a trial does, no process outlives it.
    fn drop(&mut self) {
        // Those that have been waited for are not signalled again.
        let _ = end(&mut self.data);
        let _ = end(&mut self.control);
    }
}

fn end(child: &mut Child) -> Result<ExitStatus> {
    child.kill().context("kill a process")?;
    child.wait().context("wait for a killed process")
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    // It has not been waited for, so the id is its own.
    kill_process(Pid::from_child(child), signal).context("signal a process")
}

/// Every thread of a process that was sent SIGSTOP has stopped, or waits in the kernel
/// (state D) and will stop before it returns from there.
fn stands(pid: u32) -> Result<bool> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("look at a process")?;
    for task in tasks {
        let stat = task.and_then(|task| fs::read_to_string(task.path().join("stat")));
        let stat = match stat {
            Ok(stat) => stat,
            // A thread that has just ended.
            Err(error) if error.raw_os_error() == Some(3) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(anyhow!(error).context("look at a thread")),
        };
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if !matches!(state, Some('T' | 't' | 'D' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}
