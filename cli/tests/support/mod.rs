//! Running the command: a process that is stopped whatever a test does, free ports, and
//! waiting with a bound.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// What takes longer hangs, however busy the machine is: no test judges by the clock.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The command under test.
pub fn eagre() -> Command {
    Command::new(env!("CARGO_BIN_EXE_eagre"))
}

/// Runs it to its end.
pub fn output(arguments: &[&str]) -> Output {
    eagre().args(arguments).stdin(Stdio::null()).output().expect("eagre starts")
}

/// Standard output and error as text.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Asks `probe` until it has an answer.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// `eagre up` on free ports, with what it prints.
pub struct Up {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    pub listen: SocketAddr,
}

impl Up {
    /// Starts it on `data`; both its outputs are read.
    pub fn start(data: &Path, more: &[&str]) -> Up {
        let (listen, admin) = (free_address(), free_address());
        let mut child = eagre()
            .args(["up", "--listen", &listen.to_string(), "--admin", &admin.to_string(), "--data"])
            .arg(data)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("eagre starts");
        let (sender, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // The test may be over.
                    let _ = sender.send(line);
                }
            });
        }
        Up { child, lines, seen: Vec::new(), listen }
    }

    /// Reads on until a line contains `part`.
    pub fn line(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line with {part:?} after\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Process ids of its planes that run under `argv[0]` `name`.
    pub fn planes(&self, name: &str) -> Vec<i32> {
        children(self.child.id()).into_iter().filter(|&pid| argv0(pid).as_deref() == Some(name)).collect()
    }

    /// The plane of that name; waits for it.
    pub fn plane(&self, name: &str) -> i32 {
        wait_for(name, || self.planes(name).first().copied())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.child.id() as i32, signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of eagre up", || self.child.try_wait().expect("a child"))
    }
}

/// Stops it as a user would, so that it clears up behind itself; if it does not, its planes
/// still follow it by themselves.
impl Drop for Up {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::INT);
            let deadline = Instant::now() + PATIENCE;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test started.
pub fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process id"), signal).expect("the process is there");
}

/// Whether the process is gone, or at least dead.
pub fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
    })
}

fn children(parent: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

fn argv0(pid: i32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    line.split(|byte| *byte == 0).next().map(|name| String::from_utf8_lossy(name).into_owned())
}

/// Posts an event to broker default/default and returns the status line.
pub fn post(address: SocketAddr, id: &str, data: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /default/default HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nce-specversion: 1.0\r\n\
         ce-id: {id}\r\nce-source: /test\r\nce-type: com.example.test\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{data}",
        data.len()
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
