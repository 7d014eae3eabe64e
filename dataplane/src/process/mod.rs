//! The data plane as a process: open everything, start the shards, follow the
//! control plane, and stop when asked.
//!
//! Order of start: addresses and logs first, so that a mistake is told before
//! anything is promised; then the configuration; then connections are taken.
//! Order of stop: not ready, nothing new accepted, what is under way ends,
//! progress is stored.

mod descriptors;
mod fault;
mod info;
mod logging;
mod plane;
mod stop;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
};

use eagre_snapshot::{STATS_SLOTS, StatsWriter};

pub(crate) use self::info::Info;
use self::plane::{Opened, Plane};
use crate::{
    runtime::{driver, exit, net, net::Listener},
    store,
    tuning::{Args, Config},
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
    let config = Config::load(&args.tuning).map_err(|error| Failure::new(error.exit(), error.to_string()))?;
    let choice = driver::choose(config.runtime.driver)
        .map_err(|error| Failure::new(exit::OS_ERROR, error.to_string()))?;
    let no_signals =
        |error: io::Error| Failure::new(exit::OS_ERROR, format!("cannot watch for signals: {error}"));
    let stop = stop::on_signal().map_err(no_signals)?;
    fault::on_lost_page().map_err(no_signals)?;
    let descriptors = descriptors::claim();
    let shards = shard_count(&args.data, config.runtime.shards)?;
    let listeners = listen(args.listen, shards)?;
    let address = listeners[0].address().map_err(|error| address_failure("--listen", args.listen, &error))?;
    let admin = TcpListener::bind(args.admin).map_err(|e| address_failure("--admin", args.admin, &e))?;
    let admin_address = admin.local_addr().map_err(|e| address_failure("--admin", args.admin, &e))?;
    let budget = descriptors.divide(&config, shards);

    let snapshot_dir = args.snapshot_dir();
    let stats = StatsWriter::create(&snapshot_dir, shards, STATS_SLOTS)
        .map_err(|error| Failure::new(exit::TEMP_FAIL, error.to_string()))?;
    let info = Info::new(args, &config, &choice, address, admin_address, shards);
    let opened = Opened { address, listeners, stats, budget };
    let plane = Plane::start(config, choice, opened, &args.data, &snapshot_dir)?;
    Ok(plane.run(&stop, admin, info))
}

/// As many shards as are wanted, but never fewer than have a log: what is in
/// a log is delivered by the shard that owns it.
fn shard_count(data: &Path, wanted: usize) -> Result<usize, Failure> {
    std::fs::create_dir_all(data).map_err(|error| {
        Failure::new(exit::OS_ERROR, format!("--data {}: cannot be created: {error}", data.display()))
    })?;
    let mut shards = wanted;
    while store::shard_directory(data, shards).exists() {
        shards += 1;
    }
    if shards > wanted {
        tracing::warn!(wanted, shards, "the data directory holds logs of more shards: all of them run");
    }
    Ok(shards)
}

fn listen(address: SocketAddr, shards: usize) -> Result<Vec<Listener>, Failure> {
    let failure = |error: io::Error| address_failure("--listen", address, &error);
    let address = net::claim(address).map_err(failure)?;
    (0..shards).map(|_| Listener::open(address)).collect::<io::Result<_>>().map_err(failure)
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
