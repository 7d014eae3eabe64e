//! The running shards, what connects them, and their end.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use eagre_snapshot::{OwnStats, StatsWriter};

use super::{Failure, Info, descriptors::Budget, info::Announcement, stop::Stop};
use crate::{
    admin::{self, view::View},
    config::follow::{self, Follower, Hooks, Tables},
    ingress::{bodies::Bodies, census::Census},
    metrics::{LowMarks, ShardMetrics},
    runtime::{driver::Choice, exit, net::Listener, resolve::Resolver},
    shard::{
        mail::{Mail, Post},
        start::{self, Report, Setup},
    },
    store::{self, InForce},
    tuning::Config,
};

/// What was opened before anything was promised.
pub(super) struct Opened {
    pub(super) address: SocketAddr,
    pub(super) listeners: Vec<Listener>,
    pub(super) stats: StatsWriter,
    pub(super) budget: Budget,
}

/// The running shards and what connects them.
pub(super) struct Plane {
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
    pub(super) fn start(
        config: Config,
        choice: Choice,
        opened: Opened,
        data: &Path,
        snapshot_dir: &Path,
    ) -> Result<Self, Failure> {
        let Opened { address, listeners, stats, budget } = opened;
        let shards = listeners.len();
        let (config, post, tables) = (Arc::new(config), Post::new(shards), follow::no_table());
        let (census, in_force) = (Census::new(shards), InForce::new(shards));
        let bodies = Bodies::new(config.ingress.bodies_bytes_max as usize);
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
                bodies: bodies.clone(),
                in_force: in_force.clone(),
                connections_max: (budget.producers, budget.subscribers),
                reports: sender.clone(),
            };
            start::start(setup).map_err(|error| {
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
        let (post, announced) = (plane.post.clone(), Arc::clone(&plane.announcement));
        let hooks = Hooks {
            tell_shards: Box::new(move || tell_all(&post)),
            keep_announced: Box::new(move || announced.keep().map_err(|error| error.to_string())),
        };
        Follower::new(
            snapshot_dir,
            stats,
            hooks,
            Arc::clone(&plane.tables),
            store::triggers_max(plane.config.wal.segment_bytes),
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

    pub(super) fn run(&self, stop: &Stop, admin: TcpListener, info: Info) -> u8 {
        let view = View {
            info: serde_json::to_value(&info).unwrap_or_default(),
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
    fn watch(&self, stop: &Stop, info: &Info) -> u8 {
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

/// Tells every shard that there is a new table.
fn tell_all(post: &Post) {
    for shard in 0..post.shards() {
        // A mailbox that is full of connections has room soon.
        while post.send(shard, Mail::Table).is_err() {
            std::thread::sleep(MAILBOX_PAUSE);
        }
    }
}

const MAILBOX_PAUSE: Duration = Duration::from_millis(1);
const STOP_POLL: Duration = Duration::from_millis(20);
/// For the last flush after the deadline.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
