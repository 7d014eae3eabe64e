//! Real parts for tests: a data plane process, a subscriber with a script, a
//! producer that sends exact bytes.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use eagre_filter::Filter;
use eagre_snapshot::{
    Backoff, Broker, BrokerSettings, Delivery, Endpoint, Format, Id, Publisher, Snapshot, Trigger,
};

/// How long a test waits for something that must happen. It tells a hang from a machine
/// that does other things: no test judges by the clock.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `condition` holds; panics with `what` if it never does.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "never happened: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A data plane process with its directories.
pub struct Plane {
    pub directory: tempfile::TempDir,
    publisher: Publisher,
    options: Vec<String>,
    /// Bytes of a file system of its own for the data, if it is to be small.
    disk_bytes: Option<u64>,
    data: PathBuf,
    process: Option<Child>,
    pub ingress: SocketAddr,
    pub admin: SocketAddr,
    pub driver: String,
}

impl Plane {
    /// Starts a data plane with `snapshot` in force.
    pub fn start(snapshot: &Snapshot, options: &[&str]) -> Self {
        Self::start_on(snapshot, options, None)
    }

    /// The same with the data on a file system of `disk_bytes`.
    pub fn start_on(snapshot: &Snapshot, options: &[&str], disk_bytes: Option<u64>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        Self::start_with(snapshot, options, disk_bytes, directory, data)
    }

    /// The same with the data in a directory of the test's own.
    pub fn start_in(snapshot: &Snapshot, options: &[&str], data: &Path) -> Self {
        Self::start_with(snapshot, options, None, tempfile::tempdir().unwrap(), data.join("data"))
    }

    fn start_with(
        snapshot: &Snapshot,
        options: &[&str],
        disk_bytes: Option<u64>,
        directory: tempfile::TempDir,
        data: PathBuf,
    ) -> Self {
        let mut publisher = Publisher::open(&directory.path().join("run")).unwrap();
        publisher.publish(snapshot).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut plane = Self {
            directory,
            publisher,
            options: options.iter().map(ToString::to_string).collect(),
            disk_bytes,
            data,
            process: None,
            ingress: nowhere,
            admin: nowhere,
            driver: String::new(),
        };
        plane.restart();
        plane
    }

    /// Starts the process again on the same directories.
    pub fn restart(&mut self) {
        self.start_by(self.command());
    }

    /// The same by a command that wraps [`command`](Self::command).
    pub fn start_by(&mut self, mut command: Command) {
        let info = self.info_path();
        let _ = std::fs::remove_file(&info);
        self.process = Some(command.spawn().unwrap());
        eventually("the data plane serves", || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the data plane ended: {ended:?}");
            info.exists()
        });
        let info: serde_json::Value = serde_json::from_slice(&std::fs::read(&info).unwrap()).unwrap();
        self.ingress = info["listen"].as_str().unwrap().parse().unwrap();
        self.admin = info["admin"].as_str().unwrap().parse().unwrap();
        self.driver = info["driver"].as_str().unwrap().to_owned();
    }

    /// Options of the next start.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(ToString::to_string).collect();
    }

    /// The command that starts the process.
    pub fn command(&self) -> Command {
        self.command_on(&self.data, &self.directory.path().join("run"))
    }

    /// The same on other directories.
    pub fn command_on(&self, data: &Path, run: &Path) -> Command {
        let program = env!("CARGO_BIN_EXE_eagre-dataplane");
        let mut command = match self.disk_bytes {
            None => Command::new(program),
            Some(bytes) => on_small_disk(data, bytes, program),
        };
        command
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--snapshot")
            .arg(run)
            .args(&self.options)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into()));
        command
    }

    fn info_path(&self) -> PathBuf {
        self.directory.path().join("run").join("dataplane.json")
    }

    /// Puts another configuration in force.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        self.publisher.publish(snapshot).unwrap();
    }

    /// Kills the process as the kernel's out-of-memory killer would.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks the process to stop and gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        process.wait().unwrap().code()
    }

    /// Sends `request` on a new connection and gives the response.
    pub fn send(&self, request: &[u8]) -> Response {
        Client::connect(self.ingress).exchange(request)
    }

    /// A GET on the admin port.
    pub fn get(&self, path: &str) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        Client::connect(self.admin).exchange(request.as_bytes())
    }

    /// A number that the admin port shows of a trigger.
    pub fn count(&self, trigger: &str, name: &str) -> u64 {
        let rows: serde_json::Value = serde_json::from_slice(&self.get("/v1/triggers").body).unwrap();
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == trigger);
        let number = row.and_then(|row| row[name].as_u64());
        number.unwrap_or_else(|| panic!("trigger {trigger} has no {name}: {rows}"))
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").text();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
        let of_this = lines.filter(|rest| rest.starts_with(['{', ' ']));
        of_this.filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_none())
    }

    /// The exit code of a process that has ended by itself.
    pub fn ended_with(&mut self) -> Option<i32> {
        self.process.take().unwrap().wait().unwrap().code()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(|byte| format!("{:06b}", ALPHABET.iter().position(|a| *a == byte).unwrap()))
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

/// A command that runs `program` with a small file system at `data`, in a mount
/// namespace of its own.
fn on_small_disk(data: &Path, bytes: u64, program: &str) -> Command {
    std::fs::create_dir_all(data).unwrap();
    let script = format!("mount -t tmpfs -o size={bytes} tmpfs \"$0\" && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(data).arg(program);
    command
}

/// A connection that sends exact bytes.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A response, split.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn exchange(&mut self, request: &[u8]) -> Response {
        self.write(request);
        self.response()
    }

    /// The same where the other side may close instead.
    pub fn try_exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        self.stream.write_all(request)?;
        self.try_response()
    }

    /// Reads one response.
    pub fn response(&mut self) -> Response {
        self.try_response().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_response(&mut self) -> io::Result<Response> {
        let head_end = self.until(|bytes| find(bytes, b"\r\n\r\n"))? + 4;
        let head = String::from_utf8(self.received[..head_end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        self.until(|bytes| (bytes.len() >= head_end + length).then_some(0))?;
        let body = self.received[head_end..head_end + length].to_vec();
        self.received.drain(..head_end + length);
        Ok(Response { status, head, body })
    }

    fn until<T>(&mut self, complete: impl Fn(&[u8]) -> Option<T>) -> io::Result<T> {
        loop {
            if let Some(done) = complete(&self.received) {
                return Ok(done);
            }
            let mut chunk = [0; 16 * 1024];
            let bytes = self.stream.read(&mut chunk)?;
            if bytes == 0 {
                let text = format!("closed after {:?}", String::from_utf8_lossy(&self.received));
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            self.received.extend_from_slice(&chunk[..bytes]);
        }
    }

    /// True once the other side has closed.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

/// What a subscriber received.
#[derive(Clone, Debug)]
pub struct Received {
    pub target: String,
    /// Field names in lower case.
    pub fields: HashMap<String, String>,
    pub body: Vec<u8>,
    pub at: Instant,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.fields["ce-id"]
    }
}

type Script = dyn Fn(&Received) -> Vec<u8> + Send + Sync;

/// A subscriber that records what it gets and answers by a script.
pub struct Subscriber {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    closing: Arc<AtomicBool>,
}

/// A subscriber that is down: its port is taken, and connections are refused.
pub struct Absent {
    socket: socket2::Socket,
    pub address: SocketAddr,
}

impl Absent {
    pub fn reserve() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket, address }
    }

    /// The subscriber comes up.
    pub fn start(self, script: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Subscriber {
        self.socket.listen(1024).unwrap();
        Subscriber::listen(self.socket.into(), Arc::new(script))
    }
}

/// An answer without a body.
pub fn answer(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

impl Subscriber {
    /// Listens on a free port.
    pub fn start(script: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Absent::reserve().start(script)
    }

    fn listen(listener: TcpListener, script: Arc<Script>) -> Self {
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let closing: Arc<AtomicBool> = Arc::default();
        let subscriber = Self { address, received: Arc::clone(&received), closing: Arc::clone(&closing) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if closing.load(SeqCst) {
                    return;
                }
                let (received, script) = (Arc::clone(&received), Arc::clone(&script));
                thread::spawn(move || serve(stream.unwrap(), &received, &*script));
            }
        });
        subscriber
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits for `count` requests and gives them.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} requests at a subscriber"), || self.count() >= count);
        self.received()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.closing.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, received: &Mutex<Vec<Received>>, script: &Script) {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let head_end = loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut chunk) {
                Ok(read @ 1..) => bytes.extend_from_slice(&chunk[..read]),
                _ => return,
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let length: usize = field(&head, "content-length").unwrap().parse().unwrap();
        while bytes.len() < head_end + length {
            match stream.read(&mut chunk) {
                Ok(read @ 1..) => bytes.extend_from_slice(&chunk[..read]),
                _ => return,
            }
        }
        let request = Received {
            target: head.split(' ').nth(1).unwrap().to_owned(),
            fields: head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: bytes[head_end..head_end + length].to_vec(),
            at: Instant::now(),
        };
        bytes.drain(..head_end + length);
        let response = script(&request);
        received.lock().unwrap().push(request);
        if response.is_empty() || stream.write_all(&response).is_err() {
            return;
        }
    }
}

/// A snapshot with broker `default/b` and the given triggers.
pub fn snapshot(triggers: Vec<Trigger>) -> Snapshot {
    let broker = Broker {
        id: broker_id(),
        namespace: "default".into(),
        name: "b".into(),
        settings: BrokerSettings::default(),
        ..Broker::default()
    };
    Snapshot { brokers: vec![broker], triggers, ..Snapshot::default() }
}

fn broker_id() -> Id {
    Id::of("Broker", "default", "b", None)
}

/// A trigger of `default/b` for every event, without retries.
pub fn trigger(name: &str, subscriber: SocketAddr) -> Trigger {
    Trigger {
        id: Id::of("Trigger", "default", name, None),
        broker: broker_id(),
        namespace: "default".into(),
        name: name.into(),
        filter: Filter::Everything,
        subscriber: endpoint(&format!("http://{subscriber}/{name}")),
        delivery: delivery(0, 0),
        dead_letter: None,
        ..Trigger::default()
    }
}

pub fn endpoint(uri: &str) -> Endpoint {
    Endpoint::parse(uri).unwrap()
}

pub fn delivery(retry_max: u32, backoff_delay_ms: u64) -> Delivery {
    Delivery {
        retry_max,
        backoff: Backoff::Linear,
        backoff_delay_ms,
        timeout_ms: None,
        retry_after_max_ms: None,
        format: Format::Binary,
    }
}

/// A binary-mode POST of an event with this id to `default/b`.
pub fn event(id: &str, extra_fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /default/b HTTP/1.1\r\nhost: broker\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: /test\r\n\
         ce-type: com.example.test\r\n{extra_fields}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
