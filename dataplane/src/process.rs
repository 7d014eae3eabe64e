//! The data plane as a process: open everything, start the shards, follow the
//! control plane, and stop when asked.
//!
//! Order of start: addresses and logs first, so that a mistake is told before
//! anything is promised; then the configuration; then connections are taken.
//! Order of stop: not ready, nothing new accepted, what is under way ends,
//! progress is stored.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use eagre_snapshot::{OwnStats, STATS_SLOTS, StatsWriter};

use crate::{
    admin,
    args::Args,
    config::Config,
    driver::{self, Choice},
    exit, fault,
    follow::{self, Follower, Tables},
    info::{Announcement, Info},
    ingress::listener::Census,
    launch::{self, Report, Setup},
    logging,
    mail::{Mail, Post},
    metrics::ShardMetrics,
    net,
    resolve::Resolver,
    stop,
    view::{LowMarks, View},
};

/// Why the process cannot start, with the code to exit with.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Runs the data plane until it is asked to stop.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    logging::start(args.log_format);
    end_on_panic();
    match serve(args) {
        Ok(code) => code.into(),
        Err(failure) => {
            tracing::error!("{failure}");
            failure.code.into()
        }
    }
}

/// A panic is a broken invariant: without its shard the process would go on
/// accepting what nobody delivers. A restart recovers from the log.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        exit::now(exit::SOFTWARE);
    }));
}

fn serve(args: &Args) -> Result<u8, Failure> {
    let config = Config::load(args).map_err(|error| Failure::new(error.exit(), error.to_string()))?;
    let choice = driver::choose(config.runtime.driver)
        .map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?;
    let no_signals =
        |error: io::Error| Failure::new(exit::OS_ERROR, format!("cannot watch for signals: {error}"));
    let stop = stop::on_signal().map_err(no_signals)?;
    fault::on_lost_page().map_err(no_signals)?;
    raise_descriptor_limit();
    let shards = shard_count(&args.data, config.runtime.shards)?;
    let listeners = listen(args.listen, shards)?;
    let address =
        listeners[0].local_addr().map_err(|error| address_failure("--listen", args.listen, &error))?;
    let admin = TcpListener::bind(args.admin).map_err(|e| address_failure("--admin", args.admin, &e))?;
    let admin_address = admin.local_addr().map_err(|e| address_failure("--admin", args.admin, &e))?;

    let snapshot_dir = args.snapshot_dir();
    let stats = StatsWriter::create(&snapshot_dir, shards, STATS_SLOTS)
        .map_err(|error| Failure::new(exit::TEMP_FAIL, error.to_string()))?;
    let info = Info::new(args, &config, &choice, address, admin_address, shards);
    let plane = Plane::start(config, choice, address, listeners, stats, &args.data, &snapshot_dir)?;
    let code = plane.run(&stop, admin, info);
    Ok(code)
}

/// Every connection takes a descriptor, and the soft limit is often the 1,024
/// that suit `select`; the hard limit is what the operator allows.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("cannot raise the limit of open files to its maximum: {error}");
    }
}

/// As many shards as are wanted, but never fewer than have a log: what is in
/// a log is delivered by the shard that owns it.
fn shard_count(data: &Path, wanted: usize) -> Result<usize, Failure> {
    std::fs::create_dir_all(data).map_err(|error| {
        Failure::new(exit::OS_ERROR, format!("--data {}: cannot be created: {error}", data.display()))
    })?;
    let mut shards = wanted;
    while launch::log_directory(data, shards).exists() {
        shards += 1;
    }
    if shards > wanted {
        tracing::warn!(wanted, shards, "the data directory holds logs of more shards: all of them run");
    }
    Ok(shards)
}

fn listen(address: SocketAddr, shards: usize) -> Result<Vec<TcpListener>, Failure> {
    let failure = |error: io::Error| address_failure("--listen", address, &error);
    let address = net::claim(address).map_err(failure)?;
    (0..shards).map(|_| net::listen(address)).collect::<io::Result<_>>().map_err(failure)
}

fn address_failure(option: &str, address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; another process listens there: stop it or choose another port",
        io::ErrorKind::AddrNotAvailable => "; no interface has this address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    };
    Failure::new(exit::OS_ERROR, format!("{option} {address}: {error}{hint}"))
}

/// The running shards and what connects them.
struct Plane {
    config: Arc<Config>,
    shards: usize,
    post: Post,
    tables: Tables,
    metrics: Vec<Arc<ShardMetrics>>,
    low_marks: Vec<LowMarks>,
    reports: mpsc::Receiver<Report>,
    draining: Arc<AtomicBool>,
    stats: OwnStats,
    announcement: Arc<Announcement>,
}

impl Plane {
    fn start(
        config: Config,
        choice: Choice,
        address: SocketAddr,
        listeners: Vec<TcpListener>,
        stats: StatsWriter,
        data: &Path,
        snapshot_dir: &Path,
    ) -> Result<Self, Failure> {
        let shards = listeners.len();
        let (config, post, tables) = (Arc::new(config), Post::new(shards), follow::no_table());
        let census = Census::new(shards);
        let resolver = Resolver::start().map_err(|error| {
            Failure::new(exit::OS_ERROR, format!("cannot start name resolution: {error}"))
        })?;
        let (sender, reports) = mpsc::channel();
        let metrics: Vec<_> = (0..shards).map(|_| Arc::new(ShardMetrics::new())).collect();
        let low_marks: Vec<LowMarks> = (0..shards).map(|_| LowMarks::default()).collect();
        for (index, listener) in listeners.into_iter().enumerate() {
            let setup = Setup {
                index,
                shards,
                driver: choice.driver,
                config: Arc::clone(&config),
                address,
                listener,
                data: data.to_owned(),
                metrics: Arc::clone(&metrics[index]),
                low_marks: Arc::clone(&low_marks[index]),
                stats: stats.shard(index).expect("every shard takes its handle once"),
                tables: Arc::clone(&tables),
                post: post.clone(),
                census: census.clone(),
                resolver: resolver.clone(),
                reports: sender.clone(),
            };
            launch::start(setup).map_err(|error| {
                Failure::new(exit::OS_ERROR, format!("cannot start the thread of shard {index}: {error}"))
            })?;
        }
        let (draining, own) = (Arc::default(), stats.own());
        let announcement = Arc::new(Announcement::new(snapshot_dir));
        let plane = Self {
            config,
            shards,
            post,
            tables,
            metrics,
            low_marks,
            reports,
            draining,
            stats: own,
            announcement,
        };
        plane.await_logs()?;
        Follower::new(
            snapshot_dir,
            stats,
            Arc::clone(&plane.announcement),
            Arc::clone(&plane.tables),
            plane.post.clone(),
            shards,
            follow::triggers_max(plane.config.wal.segment_bytes),
        )
        .map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?
        .start(Arc::clone(&plane.draining));
        Ok(plane)
    }

    fn await_logs(&self) -> Result<(), Failure> {
        for _ in 0..self.shards {
            match self.reports.recv() {
                Ok(Report::Opened) => {}
                Ok(Report::Failed { code, text }) => return Err(Failure::new(code, text)),
                Ok(_) | Err(_) => return Err(Failure::new(exit::SOFTWARE, "a shard ended at its start")),
            }
        }
        Ok(())
    }

    fn run(&self, stop: &stop::Stop, admin: TcpListener, info: Info) -> u8 {
        let view = View {
            info: info.clone(),
            stats: self.stats.clone(),
            tables: Arc::clone(&self.tables),
            metrics: self.metrics.clone(),
            low_marks: self.low_marks.clone(),
            draining: Arc::clone(&self.draining),
        };
        let admin = match admin::serve(admin, Arc::new(view)) {
            Ok(admin) => admin,
            Err(error) => {
                tracing::error!("the admin port cannot be served: {error}");
                return exit::OS_ERROR;
            }
        };
        let code = self.watch(stop, &info);
        drop(admin);
        self.announcement.withdraw();
        code
    }

    /// Waits for the first configuration, announces the process, waits for the
    /// end.
    fn watch(&self, stop: &stop::Stop, info: &Info) -> u8 {
        let mut serving = 0;
        loop {
            if stop.is_requested() {
                tracing::info!("asked to stop: draining");
                return self.drain();
            }
            match self.reports.recv_timeout(STOP_POLL) {
                Ok(Report::Serving) => {
                    serving += 1;
                    if serving == self.shards {
                        if let Err(error) = self.announcement.announce(info.clone()) {
                            tracing::warn!("{error}");
                        }
                        tracing::info!(%info, "serving");
                    }
                }
                Ok(Report::Failed { code, text }) => {
                    tracing::error!("{text}");
                    return code;
                }
                Ok(_) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return exit::SOFTWARE,
            }
        }
    }

    fn drain(&self) -> u8 {
        self.draining.store(true, Relaxed);
        let deadline = Instant::now() + self.config.limits.drain_deadline;
        for shard in 0..self.shards {
            while self.post.send(shard, Mail::Drain(deadline)).is_err() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let (mut drained, mut in_time) = (0, true);
        while drained < self.shards {
            let left = (deadline + DRAIN_GRACE).saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(Report::Drained { complete }) => {
                    drained += 1;
                    in_time &= complete;
                }
                Ok(Report::Failed { code, .. }) => return code,
                Ok(_) => {}
                Err(_) => {
                    in_time = false;
                    break;
                }
            }
        }
        if in_time {
            tracing::info!("drained, everything accepted is on disk");
        } else {
            tracing::warn!("the drain deadline passed; what was cut off is delivered after the next start");
        }
        exit::OK
    }
}

const STOP_POLL: Duration = Duration::from_millis(20);
/// For the last flush after the deadline.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
