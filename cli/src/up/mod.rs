//! `eagre up`: both planes on this machine.
//!
//! Promise: when it returns, both planes are gone; when it is killed, they stop by
//! themselves, because each is on a [`leash`]. A plane that
//! dies is started again, unless its exit code says that this cannot help.
//!
//! Order: what can be known to be wrong is found before anything starts
//! ([`ports`], [`place`], the manifests), then the planes run under the
//! [`supervisor`], which prints the [`banner`] when they are [`serving`].

pub mod leash;
mod place;
pub mod ports;

mod plane;
mod restarts;
mod serving;

mod banner;
mod supervisor;

use std::{ffi::OsString, net::SocketAddr};

use crate::{
    args::{ClusterArgs, UpArgs},
    display, exit,
};
use place::Place;
use plane::Plane;
use supervisor::Supervisor;

/// Runs until told to stop or until it cannot go on; returns the exit code.
pub fn run(args: &UpArgs) -> u8 {
    start(args).and_then(|mut supervisor| supervisor.run()).unwrap_or_else(|stop| {
        eprintln!("eagre: {}", stop.reason);
        stop.code
    })
}

/// Why `up` ends, other than having been asked to.
#[derive(Debug)]
struct Stop {
    /// The exit code.
    code: u8,
    /// What to tell the user.
    reason: String,
}

impl Stop {
    fn new(code: u8, reason: impl Into<String>) -> Stop {
        Stop { code, reason: reason.into() }
    }
}

fn start(args: &UpArgs) -> Result<Supervisor, Stop> {
    let report = eagre_controlplane::check(&args.filename);
    if !report.is_ok() {
        return Err(Stop::new(exit::CONFIG, format!("nothing was started\n\n{report}")));
    }
    let refused = |error: ports::Unavailable| Stop::new(exit::OS_ERROR, error.to_string());
    let listen = ports::free(args.place.listen, "--listen").map_err(refused)?;
    let admin = ports::free(args.place.admin, "--admin").map_err(refused)?;
    let place = Place::prepare(&args.place.data)?;

    let display = if args.filename.is_empty() && !args.cluster.is_given() {
        let display = display::start()
            .map_err(|error| Stop::new(exit::OS_ERROR, format!("the event display: {error}")))?;
        Some(format!("http://{display}/"))
    } else {
        None
    };
    let control = match args.cluster.is_given() {
        true => cluster(&args.cluster, &place, listen),
        false => files(args, &place, listen, display.as_deref()),
    };
    let control = Plane::new(crate::CONTROLPLANE, control);
    let data = Plane::new(crate::DATAPLANE, dataplane(args, &place, listen, admin));
    Supervisor::new(place, control, data, display.is_some())
}

/// The control plane's command line, with files.
fn files(args: &UpArgs, place: &Place, listen: SocketAddr, display: Option<&str>) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["--snapshot".into(), place.snapshot().into()];
    line.extend(["--ingress-url".into(), ports::url(listen).into()]);
    line.extend(args.filename.iter().flat_map(|path| ["-f".into(), path.into()]));
    line.extend(display.iter().flat_map(|url| ["--builtin-display".into(), url.into()]));
    line.extend(args.grace.to_command_line());
    line
}

/// The control plane's command line, with a cluster.
fn cluster(args: &ClusterArgs, place: &Place, listen: SocketAddr) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["cluster".into(), "--snapshot".into(), place.snapshot().into()];
    line.extend(["--name".into(), place.name().into()]);
    let url = args.external_url.clone().unwrap_or_else(|| ports::url(listen));
    line.extend(["--external-url".into(), url.into()]);
    line.extend(args.kubeconfig.iter().flat_map(|file| ["--kubeconfig".into(), file.into()]));
    line.extend(args.namespace.iter().flat_map(|name| ["--namespace".into(), name.into()]));
    line.extend(args.system_namespace.iter().flat_map(|name| ["--system-namespace".into(), name.into()]));
    line
}

fn dataplane(args: &UpArgs, place: &Place, listen: SocketAddr, admin: SocketAddr) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["--data".into(), place.data().into()];
    line.extend(["--snapshot".into(), place.snapshot().into()]);
    line.extend(["--listen".into(), listen.to_string().into(), "--admin".into(), admin.to_string().into()]);
    line.extend(args.tuning.to_command_line());
    line
}
