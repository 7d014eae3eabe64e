//! A control plane between a folder of manifests and a snapshot folder. What is
//! published is observed the way the data plane does it.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "no test binary uses all of it; files are moved as editors do"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use eagre_snapshot::{Generation, Snapshot, Subscriber};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Far beyond what anything here takes: a loaded machine must not fail a test.
const DEADLINE: Duration = Duration::from_secs(180);

/// A folder of manifests, a snapshot folder, and a control plane between them.
pub struct Setup {
    pub dir: TempDir,
    pub child: Option<Child>,
}

impl Setup {
    pub fn new() -> Setup {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("manifests")).unwrap();
        Setup { dir, child: None }
    }

    /// Beside the folders.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn manifest(&self, name: &str) -> PathBuf {
        self.dir.path().join("manifests").join(name)
    }

    pub fn snapshots(&self) -> PathBuf {
        self.dir.path().join("snapshot")
    }

    pub fn command(&self, arguments: &[&Path]) -> Command {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_eagre-controlplane"));
        command
            .arg("--snapshot")
            .arg(self.snapshots())
            .stdout(Stdio::null())
            .stderr(log)
            .env_remove("RUST_LOG");
        for argument in arguments {
            command.arg("-f").arg(argument);
        }
        command
    }

    pub fn start(&mut self, arguments: &[&Path]) -> Watcher {
        self.child = Some(self.command(arguments).spawn().unwrap());
        Watcher { subscriber: Subscriber::open(&self.snapshots()).unwrap(), log: self.dir.path().join("log") }
    }

    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct Watcher {
    pub subscriber: Subscriber,
    pub log: PathBuf,
}

impl Watcher {
    /// Waits for generations until one is as wanted.
    #[track_caller]
    pub fn until(&mut self, wanted: impl Fn(&Snapshot) -> bool) -> (Generation, Snapshot) {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Ok(Some((generation, snapshot))) = self.subscriber.load()
                && wanted(&snapshot)
            {
                return (generation, snapshot);
            }
            self.subscriber.wait(Duration::from_millis(100));
        }
        panic!("no such generation; log:\n{}", fs::read_to_string(&self.log).unwrap());
    }

    #[track_caller]
    pub fn until_triggers(&mut self, names: &[&str]) -> u64 {
        self.until(|snapshot| {
            snapshot.triggers.iter().map(|trigger| trigger.name.as_str()).eq(names.iter().copied())
        })
        .0
        .number
    }

    #[track_caller]
    pub fn until_logged(&self, text: &str) {
        self.until_logged_times(1, text);
    }

    #[track_caller]
    pub fn until_logged_times(&self, times: usize, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if fs::read_to_string(&self.log).unwrap().matches(text).count() >= times {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("`{text}` was not logged {times} times:\n{}", fs::read_to_string(&self.log).unwrap());
    }
}

pub fn broker() -> String {
    "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\n".to_owned()
}

pub fn trigger(name: &str) -> String {
    format!(
        "---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: {name}}}\n\
         spec: {{broker: b, subscriber: {{uri: 'http://127.0.0.1:9/'}}}}\n"
    )
}

/// Writes beside the target and renames, as editors do.
pub fn replace(path: &Path, text: &str) {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, path).unwrap();
}
