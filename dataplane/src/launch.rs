//! From a shard's parts to its running tasks.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, mpsc},
};

use eagre_snapshot::ShardStats;
use eagre_wal::{Backend, Log, OpenError, Options, Retain};

use crate::{
    backlogs::Backlogs,
    commit::{self, CommitLog},
    delivery::pool::Pool,
    driver::Driver,
    exit,
    follow::Tables,
    graveyard::Graveyard,
    ingress::listener::{self, Acceptor, Census},
    limits,
    mail::{Mail, Post},
    metrics::ShardMetrics,
    net,
    resolve::Resolver,
    runtime,
    shard::{Parts, Shard},
    tuning::{Config, log_fsync},
    view::LowMarks,
};

/// What a shard is started with.
pub(crate) struct Setup {
    pub(crate) index: usize,
    pub(crate) shards: usize,
    pub(crate) driver: Driver,
    pub(crate) config: Arc<Config>,
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
    pub(crate) data: PathBuf,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) stats: ShardStats,
    pub(crate) low_marks: LowMarks,
    pub(crate) tables: Tables,
    pub(crate) post: Post,
    pub(crate) census: Census,
    pub(crate) resolver: Resolver,
    pub(crate) reports: mpsc::Sender<Report>,
}

/// What a shard tells the process.
pub(crate) enum Report {
    /// Its log is open and recovered.
    Opened,
    /// It has its first configuration and takes connections.
    Serving,
    /// It has stopped; `complete` if nothing was cut off.
    Drained { complete: bool },
    /// It cannot go on.
    Failed { code: u8, text: String },
}

/// Beside a shard's log: the backlogs of its brokers.
pub(crate) const BACKLOGS: &str = "backlog";
/// Beside a shard's log: dead letters that no sink took.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// Where shard `index` keeps its log.
pub(crate) fn log_directory(data: &Path, index: usize) -> PathBuf {
    data.join(format!("shard-{index}"))
}

/// Starts the shard's thread.
pub(crate) fn start(setup: Setup) -> io::Result<()> {
    let cpu = runtime::cpus(&setup.config.runtime.cpus, setup.shards).get(setup.index).copied();
    runtime::spawn(setup.index, setup.driver, cpu, move || run(setup)).map(drop)
}

async fn run(setup: Setup) {
    let reports = setup.reports.clone();
    match open(&setup) {
        Ok((log, backlogs)) => {
            // The process that does not listen has ended for another reason.
            let _ = reports.send(Report::Opened);
            serve(setup, log, backlogs).await;
        }
        Err(error) => {
            let text = format!("shard {}: {error}", setup.index);
            let _ = reports.send(Report::Failed { code: error.exit_code(), text });
        }
    }
}

fn open(setup: &Setup) -> Result<(Log, Backlogs), OpenError> {
    let directory = log_directory(&setup.data, setup.index);
    let (log, recovery) = Log::open(&directory, options(setup))?;
    commit::report_recovery(&directory, &recovery);
    let backlogs = Backlogs::open(directory.join(BACKLOGS), backlog_options(setup))?;
    Ok((log, backlogs))
}

fn options(setup: &Setup) -> Options {
    let wal = &setup.config.wal;
    Options {
        segment_bytes: wal.segment_bytes,
        max_bytes: wal.max_bytes_per_shard(setup.shards),
        pending_bytes_max: setup.config.limits.pending_batch_bytes as u64,
        retain: wal.retain(setup.shards),
        backend: match setup.driver {
            Driver::Uring => Backend::Ring,
            Driver::Epoll => Backend::Thread,
        },
    }
}

async fn serve(setup: Setup, log: Log, backlogs: Backlogs) {
    let graveyard = graveyard(&setup);
    let Setup { index, driver, config, address, listener, metrics, stats, low_marks, .. } = setup;
    let pool = Pool::new(
        config.delivery.max_connections,
        config.delivery.connect_timeout,
        config.delivery.idle_connection,
        setup.resolver,
    );
    let log = CommitLog::new(log);
    let parts = Parts { driver, config, address, metrics, stats, low_marks, log, backlogs, graveyard, pool };
    let shard = Rc::new(Shard::new(parts));
    net::spawn(flush(Rc::clone(&shard)));
    net::spawn(Rc::clone(&shard).run_timers());
    net::spawn(Rc::clone(&shard).run_housekeeping());
    net::spawn(Rc::clone(&shard).run_lateness());
    shard.backlogs.start();
    net::spawn(Rc::clone(&shard).run_cleaning());

    let acceptor = Acceptor { listener, index, census: setup.census, post: setup.post.clone() };
    let mut acceptor = Some(acceptor);
    let mut table = None;
    loop {
        match setup.post.mailbox(index).receive().await {
            Mail::Connection(socket, member) => listener::serve(&shard, socket, member),
            Mail::Table => {
                // The first one may have been stored before this shard looked.
                let is_new = table.as_mut().is_none_or(|table| setup.tables.refresh(table));
                let table = table.get_or_insert_with(|| setup.tables.local());
                if is_new {
                    shard.apply(Arc::clone(table.value()));
                }
                if let Some(acceptor) = acceptor.take() {
                    net::spawn(acceptor.run(Rc::clone(&shard)));
                    let _ = setup.reports.send(Report::Serving);
                }
            }
            Mail::Drain(deadline) => {
                let (shard, reports) = (Rc::clone(&shard), setup.reports.clone());
                net::spawn(async move {
                    let complete = shard.drain(deadline).await;
                    let _ = reports.send(Report::Drained { complete });
                });
            }
        }
    }
}

/// Files large enough for the largest event, and no larger than they must be:
/// every broker that is behind has two of them.
fn backlog_options(setup: &Setup) -> Options {
    let config = &setup.config;
    let overhead = limits::wal::record_overhead_bytes(config.ingress.head_bytes_max as u64);
    let event_bytes_max = config.ingress.body_bytes_max as u64 + overhead;
    let segment_bytes = (4 * event_bytes_max).next_power_of_two().max(limits::wal::BACKLOG_SEGMENT_BYTES);
    // A record grows by sixteen bytes when it is moved.
    let segment_bytes = segment_bytes.min(config.wal.segment_bytes + eagre_wal::SEGMENT_ALIGN_BYTES);
    let max_bytes = config.wal.backlog_bytes_max / setup.shards as u64;
    let max_bytes = max_bytes.max(eagre_wal::SEGMENTS_MIN * segment_bytes);
    Options { segment_bytes, max_bytes, retain: Retain::default(), ..options(setup) }
}

/// Dead letters may take an eighth of what the log may: rare as they are, they
/// wait for a person.
fn graveyard(setup: &Setup) -> Graveyard {
    let options = options(setup);
    let max_bytes = (options.max_bytes / 8).max(options.segment_bytes * eagre_wal::SEGMENTS_MIN);
    let directory = log_directory(&setup.data, setup.index).join(DEAD_LETTERS);
    Graveyard::new(
        directory,
        Options { max_bytes, retain: Retain::default(), ..options },
        log_fsync(setup.config.wal.fsync),
    )
}

async fn flush(shard: Rc<Shard>) {
    let error = shard.log.flush(|took| shard.fan_out(took)).await;
    tracing::error!("completions of the log cannot be waited for, stopping: {error}");
    exit::now(exit::OS_ERROR);
}
