//! From a shard's setup to its running tasks.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    sync::{Arc, mpsc},
};

use eagre_snapshot::ShardStats;

use super::{
    Parts, Shard,
    mail::{Mail, Post},
};
use crate::{
    config::follow::Tables,
    ingress::{
        bodies::Bodies,
        census::Census,
        listener::{self, Acceptor},
    },
    metrics::{LowMarks, ShardMetrics},
    runtime::{driver::Driver, net::Listener, resolve::Resolver, task, thread},
    store::{InForce, Settings, Store},
    tuning::Config,
};

/// What a shard is started with.
pub(crate) struct Setup {
    pub(crate) index: usize,
    pub(crate) shards: usize,
    pub(crate) driver: Driver,
    pub(crate) config: Arc<Config>,
    pub(crate) address: SocketAddr,
    pub(crate) listener: Listener,
    pub(crate) data: PathBuf,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) stats: ShardStats,
    pub(crate) low_marks: LowMarks,
    pub(crate) tables: Tables,
    pub(crate) post: Post,
    pub(crate) census: Census,
    pub(crate) resolver: Resolver,
    pub(crate) bodies: Bodies,
    pub(crate) in_force: InForce,
    /// Connections to producers and to subscribers, by the process's descriptors.
    pub(crate) connections_max: (usize, usize),
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

/// Starts the shard's thread.
pub(crate) fn start(setup: Setup) -> io::Result<()> {
    let cpu = thread::cpus(&setup.config.runtime.cpus, setup.shards).get(setup.index).copied();
    thread::spawn(setup.index, setup.driver, cpu, move || run(setup)).map(drop)
}

/// A shard from its store's opening to the end of the process.
pub(crate) async fn run(setup: Setup) {
    let reports = setup.reports.clone();
    let Setup { config, driver, data, index, shards, .. } = &setup;
    let settings = Settings::new(config, *driver, data, *index, *shards);
    match Store::open(settings, setup.in_force.clone()) {
        Ok(store) => {
            // The process that does not listen has ended for another reason.
            let _ = reports.send(Report::Opened);
            serve(setup, store).await;
        }
        Err(error) => {
            let text = format!("shard {}: {error}", setup.index);
            let _ = reports.send(Report::Failed { code: error.exit_code(), text });
        }
    }
}

async fn serve(setup: Setup, store: Store) {
    let Setup { index, driver, config, address, listener, metrics, stats, low_marks, .. } = setup;
    let Setup { resolver, bodies, in_force, connections_max, post, .. } = setup;
    store.start(&metrics);
    let parts = Parts {
        driver,
        config,
        address,
        metrics,
        stats,
        low_marks,
        resolver,
        bodies,
        in_force,
        connections_max,
    };
    let shard = Shard::new(store, parts);
    shard.dispatcher.start();
    task::spawn(Rc::clone(&shard).run_housekeeping());
    task::spawn(Rc::clone(&shard).run_heartbeat());
    task::spawn(Rc::clone(&shard).run_lateness());

    let mut acceptor = Some(acceptor(index, listener, setup.census, post.clone()));
    let mut table = None;
    loop {
        match post.mailbox(index).receive().await {
            Mail::Connection(accepted, member) => listener::serve(&shard.ingress, accepted, member),
            Mail::Table => {
                // The first one may have been stored before this shard looked.
                let is_new = table.as_mut().is_none_or(|table| setup.tables.refresh(table));
                let table = table.get_or_insert_with(|| setup.tables.local());
                if is_new {
                    shard.apply(Arc::clone(table.value()));
                }
                if let Some(acceptor) = acceptor.take() {
                    task::spawn(acceptor.run(Rc::clone(&shard.ingress)));
                    let _ = setup.reports.send(Report::Serving);
                }
            }
            Mail::Drain(deadline) => {
                let (shard, reports) = (Rc::clone(&shard), setup.reports.clone());
                task::spawn(async move {
                    let complete = shard.drain(deadline).await;
                    let _ = reports.send(Report::Drained { complete });
                });
            }
        }
    }
}

fn acceptor(index: usize, listener: Listener, census: Census, post: Post) -> Acceptor {
    let forward = move |shard, accepted, member| match post.send(shard, Mail::Connection(accepted, member)) {
        Err(Mail::Connection(accepted, _)) => Err(accepted),
        _ => Ok(()),
    };
    Acceptor { listener, index, census, forward: Box::new(forward) }
}
