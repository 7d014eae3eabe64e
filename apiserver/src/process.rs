//! A program that ends when this process does.
//!
//! The kernel ends it (a parent death signal), so nothing that can be done to this
//! process leaves it behind. The signal has to be asked for between fork and exec,
//! which `setpriv` of util-linux does for us.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `folder`, where its output goes to `<its name>.log`.
    pub(crate) fn start(program: &Path, folder: &Path, arguments: &[String]) -> Result<Self, Error> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = folder.join(format!("{name}.log"));
        let started = File::options().create(true).append(true).open(&log).and_then(|output| {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments).current_dir(folder);
            command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
            spawn(command)
        });
        let child = started
            .map_err(Error::machine(format!("starting {} with setpriv of util-linux", program.display())))?;
        Ok(Self { child, log })
    }

    /// An error with the end of the log, if the program is over.
    pub(crate) fn expect_running(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failed(&format!("ended with {status}"))),
            Err(error) => Err(Error::machine("looking after a process")(error)),
        }
    }

    /// That the program is not what it should be, with the end of its log.
    pub(crate) fn failed(&self, what: &str) -> Error {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last: Vec<&str> = text.lines().rev().take(12).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        Error::Start(format!("{}: {what}; its log ends with\n{last}", self.log.display()))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|error| Error::machine("signalling a process")(error.into()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it from a thread that lives as long as this process does: to the kernel the
/// parent is a thread, and a test's own ends with the test.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static PARENT: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in received {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = mpsc::channel();
    let ended = || io::Error::other("the thread that starts processes has ended");
    let sent = PARENT.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer));
    sent.map_err(|_| ended())?;
    answered.recv().map_err(|_| ended())?
}
