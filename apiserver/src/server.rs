//! The two programs, started, stopped, started again.
//!
//! Between them is a Unix socket in their folder; the API server alone has a port.
//! Every stop is a kill: neither program has anything in its own memory that it was
//! answered for, and tests of a control plane want it sudden.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::Client;
use rustix::process::Signal;
use tokio::sync::OnceCell;

use crate::{Binaries, Error, binaries::cache, folder::Folder, keys, port::Port, process::Process};

/// How long a start may take: a few seconds by itself, far more on a machine that
/// compiles meanwhile.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long one answer may take before it is asked for again.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two looks at whether it is ready.
const LOOK: Duration = Duration::from_millis(50);
/// etcd wants a port in every address, and makes it a part of the file's name.
const ETCD: &str = "unix://etcd.sock:0";
const ETCD_SOCKET: &str = "etcd.sock:0";

static SHARED: OnceCell<Result<ApiServer, Error>> = OnceCell::const_new();

/// An API server that answers, unless it was stopped. It ends when it is dropped.
pub struct ApiServer {
    // First, so that the programs are gone before the folder goes.
    running: Mutex<Option<Running>>,
    binaries: &'static Binaries,
    url: String,
    admin_token: String,
    port: Port,
    folder: Folder,
}

/// Killed when dropped, the one that needs the other first.
struct Running {
    apiserver: Process,
    _etcd: Process,
}

impl ApiServer {
    /// The one that all tests of this process share, each in a namespace of its own.
    ///
    /// # Errors
    /// As for [`ApiServer::private`]; the same for everybody.
    pub async fn shared() -> Result<&'static Self, Error> {
        SHARED.get_or_init(Self::private).await.as_ref().map_err(Clone::clone)
    }

    /// One for a test that stops or pauses it.
    ///
    /// # Errors
    /// There are no programs, or they do not start; see [`Error`].
    pub async fn private() -> Result<Self, Error> {
        let binaries = Binaries::get()?;
        let folder = Folder::create(&cache()?.join("runs"))?;
        let admin_token = keys::random_token()?;
        folder.write("tokens.csv", format!("{admin_token},admin,admin,system:masters\n"))?;
        let account_key = keys::signing_key()?;
        folder.write("sa.key", account_key.private)?;
        folder.write("sa.pub", account_key.public)?;
        let port = Port::reserve()?;
        let url = format!("https://127.0.0.1:{}", port.number);
        let server = Self { running: Mutex::new(None), binaries, url, admin_token, port, folder };
        server.start().await?;
        Ok(server)
    }

    /// Starts what was stopped, with the same data, port, certificate and tokens.
    ///
    /// # Errors
    /// It runs, or a program does not start.
    pub async fn start(&self) -> Result<(), Error> {
        if self.running().is_some() {
            return Err(Error::Start(format!("{} runs already", self.url)));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut etcd = Process::start(&self.binaries.etcd, self.folder.path(), &etcd_arguments())?;
        let socket = self.folder.path().join(ETCD_SOCKET);
        while UnixStream::connect(&socket).is_err() {
            wait(&mut etcd, deadline).await?;
        }
        let mut apiserver =
            Process::start(&self.binaries.kube_apiserver, self.folder.path(), &self.arguments())?;
        while !self.is_ready().await {
            etcd.expect_running()?;
            wait(&mut apiserver, deadline).await?;
        }
        *self.running() = Some(Running { apiserver, _etcd: etcd });
        Ok(())
    }

    /// Kills both programs. The port stays ours, and connections to it are refused.
    pub fn stop(&self) {
        *self.running() = None;
    }

    /// Stops the API server's clock (SIGSTOP): it takes connections and answers nothing.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file with the certificate that signed the server's own.
    pub fn ca(&self) -> PathBuf {
        // What kube-apiserver makes for itself contains both.
        self.folder.path().join("apiserver.crt")
    }

    /// The bearer token of an administrator (group `system:masters`).
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Where data, keys and logs lie; a test may put files of its own there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        match &*self.running() {
            Some(running) => running.apiserver.signal(signal),
            None => Err(Error::Start(format!("{} does not run", self.url))),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it says so itself. Until its certificate is written there is no client.
    async fn is_ready(&self) -> bool {
        let Ok(client) = self.client(&self.admin_token) else { return false };
        tokio::time::timeout(ANSWER, ready(&client)).await.is_ok_and(|answer| answer.is_ok())
    }

    fn arguments(&self) -> Vec<String> {
        let port = self.port.number.to_string();
        [
            ["--etcd-servers", ETCD],
            ["--bind-address", "127.0.0.1"],
            ["--secure-port", &port],
            // See `port.rs`.
            ["--permit-port-sharing", "true"],
            ["--cert-dir", "."],
            ["--authorization-mode", "RBAC"],
            ["--token-auth-file", "tokens.csv"],
            ["--service-account-issuer", "https://kubernetes.default.svc"],
            ["--service-account-key-file", "sa.pub"],
            ["--service-account-signing-key-file", "sa.key"],
            ["--service-cluster-ip-range", "10.96.0.0/16"],
            // Nobody makes the account that it would want of every pod.
            ["--disable-admission-plugins", "ServiceAccount"],
            // The Service `kubernetes` would lead to loopback, which the API refuses.
            ["--endpoint-reconciler-type", "none"],
            ["--advertise-address", "127.0.0.1"],
        ]
        .map(|[flag, value]| format!("{flag}={value}"))
        .to_vec()
    }
}

/// Ends the server that a static holds, which is never dropped.
pub(crate) fn end_shared() {
    if let Some(Ok(server)) = SHARED.get() {
        server.stop();
        // What stays is removed when the next server starts.
        let _ = fs::remove_dir_all(server.folder.path());
    }
}

async fn ready(client: &Client) -> Result<String, kube::Error> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

async fn wait(process: &mut Process, deadline: Instant) -> Result<(), Error> {
    process.expect_running()?;
    if Instant::now() > deadline {
        return Err(process.failed(&format!("is not ready after {} s", PATIENCE.as_secs())));
    }
    tokio::time::sleep(LOOK).await;
    Ok(())
}

fn etcd_arguments() -> Vec<String> {
    let peers = "unix://peers.sock:0";
    vec![
        "--name=test".into(),
        "--data-dir=etcd".into(),
        format!("--listen-client-urls={ETCD}"),
        format!("--advertise-client-urls={ETCD}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=test={peers}"),
        // What this costs is lost with the machine, and so is the test.
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ]
}
