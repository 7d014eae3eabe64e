//! The real processes: the control plane with the trial's manifest, and the data plane
//! with the trial's disk. Both are the `eagre` binary under the name that makes it a
//! plane, as `eagre up` starts them; the harness takes the supervisor's place, so that
//! nobody starts a crashed plane again behind its back and every exit code is seen.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::{fs::symlink, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::patience::{self, HANG_MAX};

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
    data: Child,
    control: Option<Child>,
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
    pub fn write(&self, config: &str, manifest: &str) -> Result<()> {
        fs::create_dir_all(self.run()).context("make the snapshot directory")?;
        fs::create_dir_all(self.manifests()).context("make the manifests' folder")?;
        fs::write(self.config(), config).context("write eagre.toml")?;
        fs::write(self.manifest(), manifest).context("write the manifest")
    }

    /// The tuning file of the data plane.
    pub fn config(&self) -> PathBuf {
        self.work.join("eagre.toml")
    }

    /// The folder that the control plane watches.
    pub fn manifests(&self) -> PathBuf {
        self.work.join("manifests")
    }

    /// The one manifest in it.
    pub fn manifest(&self) -> PathBuf {
        self.manifests().join("manifest.yaml")
    }

    /// Where the data plane logs to.
    pub fn log(&self) -> PathBuf {
        self.work.join("dataplane.log")
    }

    /// The snapshot directory.
    pub fn run(&self) -> PathBuf {
        self.work.join("run")
    }

    fn command(&self, plane: &str) -> Result<Command> {
        let mut command = self.outfit(Command::new(&self.binary), plane)?;
        command.arg0(format!("eagre-{plane}")).arg("--snapshot").arg(self.run());
        Ok(command)
    }

    /// Gives a command what surrounds every plane: its log, its leash, its bug.
    fn outfit(&self, mut command: Command, plane: &str) -> Result<Command> {
        let log = self.work.join(format!("{plane}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&log).context("open a log file")?;
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
        let mut server = self.start_data(self.command("dataplane")?)?;
        server.start_control(self)?;
        Ok(server)
    }

    /// Starts the data plane alone.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_data_alone(&self) -> Result<Server> {
        self.start_data(self.command("dataplane")?)
    }

    /// Starts both planes, the data plane with so many descriptors.
    ///
    /// # Errors
    /// A process cannot be started, or `prlimit` is not installed.
    pub fn start_with_descriptors(&self, descriptors: u64) -> Result<Server> {
        // `prlimit` executes a file, and the name of that makes it the plane.
        let named = self.work.join("eagre-dataplane");
        if !named.exists() {
            symlink(&self.binary, &named).context("name the data plane")?;
        }
        let plain = self.command("dataplane")?;
        let mut limited = self.outfit(Command::new("prlimit"), "dataplane")?;
        limited.arg(format!("--nofile={descriptors}:{descriptors}")).arg(named).args(plain.get_args());
        let mut server = self.start_data(limited)?;
        server.start_control(self)?;
        Ok(server)
    }

    fn start_data(&self, mut data: Command) -> Result<Server> {
        data.arg("--data").arg(&self.data).arg("--config").arg(self.config());
        data.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        Ok(Server { data: data.spawn().context("start the data plane")?, control: None })
    }

    /// Waits until the data plane serves, and tells where.
    ///
    /// # Errors
    /// See [`NotServing`].
    pub fn await_serving(&self, server: &mut Server) -> Result<SocketAddr> {
        let deadline = Instant::now() + HANG_MAX;
        loop {
            if let Some(address) = self.address(server, "listen") {
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

    /// Where the data plane serves, `listen` or `admin`, if it has said so.
    pub fn address(&self, server: &Server, port: &str) -> Option<SocketAddr> {
        let file = File::open(self.run().join("dataplane.json")).ok()?;
        let info: serde_json::Value = serde_json::from_reader(file).ok()?;
        let is_this = info["pid"].as_u64() == Some(u64::from(server.data.id()));
        is_this.then(|| info[port].as_str()?.parse().ok()).flatten()
    }
}

impl Server {
    /// Starts the control plane beside the data plane.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_control(&mut self, setup: &Setup) -> Result<()> {
        let control = setup.command("controlplane")?.arg("-f").arg(setup.manifests()).spawn();
        self.control = Some(control.context("start the control plane")?);
        Ok(())
    }

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
        for child in self.children() {
            signal(child, Signal::STOP)?;
        }
        patience::until("the server stands at SIGSTOP", || {
            self.children().try_fold(true, |all, child| Ok(all && stands(child.id())?))
        })
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// A process is gone.
    pub fn thaw(&self) -> Result<()> {
        self.children().try_for_each(|child| signal(child, Signal::CONT))
    }

    fn children(&self) -> impl Iterator<Item = &Child> {
        [&self.data].into_iter().chain(&self.control)
    }

    /// Ends every process, if it has not ended.
    ///
    /// # Errors
    /// A process cannot be waited for.
    pub fn end_all(&mut self) -> Result<()> {
        // The data plane first: nothing may come between its end and the crash.
        end(&mut self.data)?;
        self.control.iter_mut().try_for_each(|control| end(control).map(drop))
    }

    /// Kills every process and waits for their ends. Gives the data plane's own end, if
    /// it had ended before.
    ///
    /// # Errors
    /// A process cannot be waited for.
    pub fn kill(mut self) -> Result<Option<ExitStatus>> {
        let ended = self.ended()?;
        self.end_all()?;
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
        self.end_all()?;
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
        let _ = self.end_all();
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
