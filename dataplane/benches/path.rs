//! What an event costs from the socket to the subscriber: CPU of the data plane
//! per event, events per second, and latency, against a bare server that only
//! answers, in turn and in the same run.
//!
//! ```sh
//! cargo bench -p eagre-dataplane --bench path -- --help
//! ```
//! The data plane and the bare server are processes of their own, charged by
//! `/proc/PID/stat`; this process produces and subscribes, on one thread. Every
//! accepted event must be delivered to every matching trigger, or the bench
//! fails.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    cell::{Cell, RefCell},
    fs,
    net::{SocketAddr, TcpListener as StdListener},
    process::{Child, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use clap::Parser;
use eagre_filter::Filter;
use eagre_http1::{Headers, Limits, parse_request, parse_response};
use eagre_snapshot::{Id, Snapshot};
use monoio::{
    buf::{IoBufMut, SliceMut},
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::{TcpListener, TcpStream},
};

/// Cost of an event on the whole path, in closed loop.
#[derive(Parser)]
struct Options {
    /// Producers' connections, one event in flight on each
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; the median of their figures is printed last
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Bytes of an event's payload
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Triggers that match every event
    #[arg(long, default_value_t = 1)]
    triggers: usize,
    /// Further triggers of the same broker that match none
    #[arg(long, default_value_t = 0)]
    others: usize,
    /// Shards of the data plane
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// io_uring or epoll
    #[arg(long, default_value = "auto")]
    driver: String,
    /// When an event is acknowledged
    #[arg(long, default_value = "always")]
    fsync: String,
    /// Be the bare server instead
    #[arg(long, hide = true)]
    bare: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    if options.bare {
        return on_runtime(bare_server());
    }
    let sink = StdListener::bind("127.0.0.1:0").unwrap();
    sink.set_nonblocking(true).unwrap();
    let snapshot = snapshot(&options, sink.local_addr().unwrap());
    let shards = options.shards.to_string();
    let arguments = ["--driver", &options.driver, "--fsync", &options.fsync, "--shards", &shards];
    let plane = support::Plane::start(&snapshot, &arguments);
    let (bare, bare_address) = start_bare();
    println!(
        "data plane on {} ({} shards), fsync {}, {} connections, {} B, {} + {} triggers",
        plane.driver,
        options.shards,
        options.fsync,
        options.connections,
        options.body,
        options.triggers,
        options.others
    );
    on_runtime(async move {
        let delivered = Rc::new(Cell::new(0));
        monoio::spawn(subscribe(TcpListener::from_std(sink).unwrap(), Rc::clone(&delivered)));
        let mut figures = Vec::new();
        let mut lateness = Lateness::default();
        for _ in 0..options.rounds {
            let before = delivered.get();
            let was = Lateness::of(&plane);
            let (measured, accepted) =
                load(&options, plane.ingress, plane.pid(), || delivered.get() - before).await;
            let expected = accepted * options.triggers as u64;
            assert_eq!(delivered.get() - before, expected, "every accepted event must be delivered");
            lateness.add(&Lateness::of(&plane), &was);
            let (bare, _) = load(&options, bare_address, bare.0.id(), || u64::MAX).await;
            println!("eagre {measured}   bare {bare}   ratio {:.2}", measured.cpu_us / bare.cpu_us);
            figures.push((measured, bare));
        }
        let median = |of: &dyn Fn(&(Figures, Figures)) -> f64| {
            let mut values: Vec<f64> = figures.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "median: {:.1} µs CPU per event, {:.0} events/s; a bare answer {:.1} µs; ratio {:.2}",
            median(&|(eagre, _)| eagre.cpu_us),
            median(&|(eagre, _)| eagre.per_second),
            median(&|(_, bare)| bare.cpu_us),
            median(&|(eagre, bare)| eagre.cpu_us / bare.cpu_us),
        );
        println!(
            "lateness of a shard under this load: p50 up to {} µs, p99 up to {} µs",
            lateness.quantile_us(0.5),
            lateness.quantile_us(0.99)
        );
    });
}

fn on_runtime(task: impl Future<Output = ()>) {
    monoio::RuntimeBuilder::<monoio::FusionDriver>::new().enable_timer().build().unwrap().block_on(task);
}

fn snapshot(options: &Options, sink: SocketAddr) -> Snapshot {
    let matching = (0..options.triggers).map(|n| support::trigger(&format!("t{n}"), sink));
    let others = (0..options.others).map(|n| {
        let mut other = support::trigger(&format!("other{n}"), sink);
        other.id = Id(1_000_000 + n as u64);
        other.filter = Filter::Exact(vec![("type".into(), format!("com.example.other{n}"))]);
        other
    });
    support::snapshot(matching.chain(others).collect())
}

/// A process that ends with this one.
struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_bare() -> (Bare, SocketAddr) {
    use std::io::BufRead;
    let mut child =
        Command::new(std::env::current_exe().unwrap()).arg("--bare").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Bare(child), line.trim().parse().unwrap())
}

/// Parses heads, counts bodies, answers 202: nothing else.
async fn bare_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    subscribe(listener, Rc::default()).await;
}

async fn subscribe(listener: TcpListener, delivered: Rc<Cell<u64>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let delivered = Rc::clone(&delivered);
        let _ = stream.set_nodelay(true);
        monoio::spawn(async move {
            let mut connection = Connection { stream, input: Vec::with_capacity(16 * 1024) };
            while connection.message(request_bytes).await.is_some() {
                delivered.set(delivered.get() + 1);
                let answer = &b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"[..];
                if connection.stream.write_all(answer).await.0.is_err() {
                    return;
                }
            }
        });
    }
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// Reads until `message_bytes` finds a whole message, and takes it out.
    async fn message(&mut self, message_bytes: impl Fn(&[u8]) -> Option<usize>) -> Option<()> {
        loop {
            if let Some(bytes) = message_bytes(&self.input) {
                self.input.drain(..bytes);
                return Some(());
            }
            self.input.reserve(4096);
            let mut input = std::mem::take(&mut self.input);
            let (begin, end) = (input.len(), input.bytes_total());
            let (read, input) = self.stream.read(SliceMut::new(input, begin, end)).await;
            self.input = input.into_inner();
            if read.is_err() || read.is_ok_and(|bytes| bytes == 0) {
                return None;
            }
        }
    }
}

const LIMITS: Limits =
    Limits { head_bytes_max: 65_536, headers_max: 64, chunk_line_bytes_max: 64, trailer_bytes_max: 64 };

fn request_bytes(bytes: &[u8]) -> Option<usize> {
    let mut headers = Headers::new();
    let head = parse_request(bytes, &mut headers, &LIMITS).unwrap()?;
    whole(head.head_bytes, head.framing, bytes.len())
}

fn response_bytes(bytes: &[u8]) -> Option<usize> {
    let mut headers = Headers::new();
    let head = parse_response(bytes, &mut headers, &LIMITS).unwrap()?;
    assert_eq!(head.status, 202);
    whole(head.head_bytes, head.framing, bytes.len())
}

fn whole(head_bytes: usize, framing: eagre_http1::Framing, received: usize) -> Option<usize> {
    let body_bytes = match framing {
        eagre_http1::Framing::Length(length) => length as usize,
        _ => 0,
    };
    (received >= head_bytes + body_bytes).then_some(head_bytes + body_bytes)
}

/// How late the shards came to what was due: for each bound in seconds, how often
/// they were no later.
#[derive(Default)]
struct Lateness(Vec<(f64, f64)>);

impl Lateness {
    /// All that was counted so far.
    fn of(plane: &support::Plane) -> Self {
        let mut counts: Vec<(f64, f64)> = Vec::new();
        for line in plane.get("/metrics").text().lines() {
            let Some(labels) = line.strip_prefix("eagre_shard_lateness_seconds_bucket{") else { continue };
            let (labels, count) = labels.rsplit_once("} ").unwrap();
            let (_, bound) = labels.split_once("le=\"").unwrap();
            let bound = bound.trim_end_matches('"').parse().unwrap_or(f64::INFINITY);
            let count: f64 = count.parse().unwrap();
            match counts.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, sum)) => *sum += count,
                None => counts.push((bound, count)),
            }
        }
        Self(counts)
    }

    /// Takes in what was counted from `was` to `is`.
    fn add(&mut self, is: &Self, was: &Self) {
        if self.0.is_empty() {
            self.0 = is.0.iter().map(|(bound, _)| (*bound, 0.0)).collect();
        }
        for (mine, (is, was)) in self.0.iter_mut().zip(is.0.iter().zip(&was.0)) {
            mine.1 += is.1 - was.1;
        }
    }

    /// The bound below which this part of all lies, in microseconds.
    fn quantile_us(&self, part: f64) -> f64 {
        let all = self.0.last().map_or(0.0, |(_, count)| *count);
        let bound = self.0.iter().find(|(_, count)| *count >= part * all);
        bound.map_or(f64::NAN, |(bound, _)| bound * 1e6)
    }
}

/// Figures of one round.
struct Figures {
    cpu_us: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cpu_us, per_second, p50_ms, p99_ms } = self;
        write!(f, "{cpu_us:6.1} µs/event {per_second:7.0}/s p50 {p50_ms:.2} ms p99 {p99_ms:.2} ms")
    }
}

/// Closed loop against `address`; ends when everything accepted is delivered.
async fn load(
    options: &Options,
    address: SocketAddr,
    pid: u32,
    delivered: impl Fn() -> u64,
) -> (Figures, u64) {
    let (begun, cpu) = (Instant::now(), cpu_seconds(pid));
    let until = begun + Duration::from_secs(options.seconds);
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let producers: Vec<_> = (0..options.connections)
        .map(|n| monoio::spawn(produce(address, n, options.body, until, Rc::clone(&latencies))))
        .collect();
    for producer in producers {
        producer.await;
    }
    let took = begun.elapsed().as_secs_f64();
    let accepted = latencies.borrow().len() as u64;
    let patience = Instant::now() + Duration::from_secs(30);
    while delivered() < accepted * options.triggers as u64 && Instant::now() < patience {
        monoio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut latencies = latencies.borrow_mut();
    latencies.sort_unstable();
    let quantile = |q: f64| latencies[((accepted - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    let figures = Figures {
        cpu_us: (cpu_seconds(pid) - cpu) * 1e6 / accepted as f64,
        per_second: accepted as f64 / took,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
    };
    (figures, accepted)
}

async fn produce(
    address: SocketAddr,
    producer: usize,
    body_bytes: usize,
    until: Instant,
    latencies: Rc<RefCell<Vec<Duration>>>,
) {
    let fields = format!(
        "ce-subject: s{producer}\r\nce-time: 2026-01-01T00:00:00Z\r\nce-partitionkey: k{producer}\r\n\
         content-type: application/octet-stream\r\n"
    );
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut connection = Connection { stream, input: Vec::with_capacity(4096) };
    let mut request = support::event(&producer.to_string(), &fields, &vec![b'x'; body_bytes]);
    while Instant::now() < until {
        let sent = Instant::now();
        let (written, buffer) = connection.stream.write_all(request).await;
        written.unwrap();
        request = buffer;
        connection.message(response_bytes).await.expect("a 202");
        latencies.borrow_mut().push(sent.elapsed());
    }
}

/// CPU time of a process, all threads, from `/proc` (clock ticks of 10 ms).
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
