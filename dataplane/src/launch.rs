//! From a shard's parts to its running tasks.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, mpsc},
};

use eagre_snapshot::ShardStats;
use eagre_wal::{Backend, Log, OpenError, Options, Recovery};

use crate::{
    commit::CommitLog,
    config::Config,
    delivery::pool::Pool,
    driver::Driver,
    exit,
    follow::Tables,
    graveyard::Graveyard,
    ingress::listener::{self, Acceptor, Census},
    mail::{Mail, Post},
    metrics::ShardMetrics,
    net,
    resolve::Resolver,
    runtime,
    shard::{Parts, Shard},
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
        Ok(log) => {
            // The process that does not listen has ended for another reason.
            let _ = reports.send(Report::Opened);
            serve(setup, log).await;
        }
        Err(error) => {
            let text = format!("shard {}: {error}", setup.index);
            let _ = reports.send(Report::Failed { code: error.exit_code(), text });
        }
    }
}

fn open(setup: &Setup) -> Result<Log, OpenError> {
    let directory = log_directory(&setup.data, setup.index);
    let (log, recovery) = Log::open(&directory, options(setup))?;
    report_recovery(setup.index, &recovery);
    Ok(log)
}

fn report_recovery(shard: usize, recovery: &Recovery) {
    let Recovery { records, truncated, clamped, unknown_files } = recovery;
    tracing::info!(shard, records, "log opened");
    if let Some((from, to)) = truncated {
        tracing::info!(shard, %from, %to, "a torn tail was cut off; nothing in it had been acknowledged");
    }
    for cursor in clamped {
        let (trigger, from, to) = (cursor.consumer, cursor.from, cursor.to);
        tracing::error!(shard, trigger, %from, %to, "a trigger's place was outside of the log and was moved to its edge");
    }
    for file in unknown_files {
        tracing::warn!(shard, file, "not a file of the log; it is left alone");
    }
}

fn options(setup: &Setup) -> Options {
    let wal = &setup.config.wal;
    Options {
        segment_bytes: wal.segment_bytes,
        max_bytes: wal.max_bytes_per_shard(setup.shards),
        pending_bytes_max: setup.config.limits.pending_batch_bytes as u64,
        fsync: wal.fsync,
        retain: wal.retain,
        backend: match setup.driver {
            Driver::Uring => Backend::Ring,
            Driver::Epoll => Backend::Thread,
        },
    }
}

async fn serve(setup: Setup, log: Log) {
    let graveyard = graveyard(&setup);
    let Setup { index, driver, config, address, listener, metrics, stats, low_marks, .. } = setup;
    let pool = Pool::new(
        config.delivery.max_connections,
        config.delivery.connect_timeout,
        config.delivery.idle_connection,
        setup.resolver,
    );
    let log = CommitLog::new(log);
    let parts = Parts { driver, config, address, metrics, stats, low_marks, log, graveyard, pool };
    let shard = Rc::new(Shard::new(parts));
    net::spawn(flush(Rc::clone(&shard)));
    net::spawn(Rc::clone(&shard).run_timers());
    net::spawn(Rc::clone(&shard).run_housekeeping());

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

/// Dead letters may take an eighth of what the log may: rare as they are, they
/// wait for a person.
fn graveyard(setup: &Setup) -> Graveyard {
    let options = options(setup);
    let max_bytes = (options.max_bytes / 8).max(options.segment_bytes * eagre_wal::SEGMENTS_MIN);
    let directory = log_directory(&setup.data, setup.index).join("dead-letters");
    Graveyard::new(directory, Options { max_bytes, ..options })
}

async fn flush(shard: Rc<Shard>) {
    let error = shard.log.flush(|took| shard.fan_out(took)).await;
    tracing::error!("completions of the log cannot be waited for, stopping: {error}");
    exit::now(exit::OS_ERROR);
}
