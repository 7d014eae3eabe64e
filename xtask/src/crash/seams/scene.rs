//! What every scenario needs: the parts of a trial, and the steps that they have in common.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use super::super::{
    history::History,
    http::Connection,
    oracle::{self, Violation},
    owed::{self, Owed},
    patience::Patience,
    plan::{Plan, Trigger},
    producers::Producers,
    server::{NotServing, Server, Setup},
    subscribers::Subscribers,
};

/// A trigger whose subscriber takes nothing before it is healthy.
pub const STUCK: Trigger =
    Trigger { wants: None, delay_ms_max: 0, unavailable_one_in: 1, replies: false, refuses: false };
/// Events of 8 KiB on average: more than twice what the log holds, so that most of what a
/// stuck trigger needs is moved to a backlog.
pub const MORE_THAN_THE_LOG: usize = 1200;

/// Between two looks.
const POLL: Duration = Duration::from_millis(5);

/// The parts of a trial.
pub struct Scene<'t> {
    pub plan: &'t Plan,
    pub setup: &'t Setup,
    pub history: Arc<History>,
    pub subscribers: Subscribers,
    producers: Producers<'t>,
}

/// Why a scenario ends before its time.
#[derive(Debug)]
pub enum Stop {
    /// The server broke a promise.
    Broken(Violation),
    /// The trial cannot be carried out.
    Void(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Void(error)
    }
}

fn broken<T>(what: String) -> Result<T, Stop> {
    Err(Stop::Broken(Violation::Server(what)))
}

impl<'t> Scene<'t> {
    /// Subscribers that listen, and the files of the server.
    ///
    /// # Errors
    /// They cannot be had.
    pub fn new(plan: &'t Plan, setup: &'t Setup) -> Result<Self> {
        let history = Arc::new(History::default());
        let subscribers = Subscribers::start(plan, &history).context("start subscribers")?;
        setup.write(&config(plan), &plan.manifest(subscribers.address))?;
        let producers = Producers::new(plan, &history);
        Ok(Self { plan, setup, history, subscribers, producers })
    }

    /// Waits until the server serves.
    ///
    /// # Errors
    /// It does not.
    pub fn serving(&self, server: &mut Server) -> Result<SocketAddr, Stop> {
        self.setup.await_serving(server).map_err(|error| match error.downcast::<NotServing>() {
            Ok(not) => Stop::Broken(Violation::Server(not.to_string())),
            Err(error) => Stop::Void(error),
        })
    }

    /// Posts while `more` says so.
    ///
    /// # Errors
    /// The server ends, or acknowledges nothing any more.
    pub fn post_while(
        &self,
        server: &mut Server,
        address: SocketAddr,
        mut more: impl FnMut(usize) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        thread::scope(|scope| {
            self.producers.start(scope, address);
            let mut patience = Patience::new();
            let posted = loop {
                let acknowledged = self.history.acknowledged_count();
                match (more(acknowledged), server.ended()) {
                    (Ok(true), Ok(None)) if patience.is_over(acknowledged) => {
                        break broken(format!("it stands still at {acknowledged} acknowledged events"));
                    }
                    (Ok(true), Ok(None)) => thread::sleep(POLL),
                    (Ok(true), Ok(Some(status))) => break broken(format!("it ended under load: {status}")),
                    (Ok(true), Err(error)) => break Err(error.into()),
                    (Ok(false), _) => break Ok(()),
                    (Err(stop), _) => break Err(stop),
                }
            };
            self.producers.stop();
            if posted.is_err() {
                // What hangs in a request ends with the server.
                server.end_all()?;
            }
            posted
        })
    }

    /// Posts until so many events more are acknowledged.
    ///
    /// # Errors
    /// As [`post_while`](Self::post_while).
    pub fn post(&self, server: &mut Server, address: SocketAddr, count: usize) -> Result<(), Stop> {
        let wanted = self.history.acknowledged_count() + count;
        self.post_while(server, address, |acknowledged| Ok(acknowledged < wanted))
    }

    /// Kills every process, and waits until nothing of them is left.
    ///
    /// # Errors
    /// The server had ended by itself.
    pub fn kill(&self, server: Server) -> Result<(), Stop> {
        let ended = server.kill()?;
        owed::await_release(&self.setup.data)?;
        self.subscribers.settle()?;
        self.history.crashed(Owed::default());
        ended.map_or(Ok(()), |status| broken(format!("it ended by itself: {status}")))
    }

    /// Asks the server to stop.
    ///
    /// # Errors
    /// It does not, or not well.
    pub fn stop(&self, server: Server) -> Result<(), Stop> {
        let status = server.stop()?;
        if status.success() { Ok(()) } else { broken(format!("asked to stop, it ended with {status}")) }
    }

    /// With every subscriber healthy, waits until each has got what it is due.
    ///
    /// # Errors
    /// The server ends, or nothing more comes.
    pub fn deliver_all(&self, server: &mut Server) -> Result<(), Stop> {
        self.subscribers.be_healthy();
        let mut patience = Patience::new();
        loop {
            let missing = oracle::missing(&self.plan.triggers, &self.history.seen());
            let count = missing.iter().map(|(_, ids)| ids.len()).sum();
            if count == 0 {
                return Ok(());
            }
            if patience.is_over(count) {
                return broken(format!("nothing more comes, {count} deliveries are due"));
            }
            if let Some(status) = server.ended()? {
                return broken(format!("it ended by itself, {count} deliveries were due: {status}"));
            }
            thread::sleep(POLL);
        }
    }

    /// The sum of a metric of the data plane over its shards.
    ///
    /// # Errors
    /// The admin port does not tell.
    pub fn metric(&self, admin: SocketAddr, name: &str) -> Result<f64> {
        let mut connection =
            TcpStream::connect(admin).and_then(Connection::new).context("ask for metrics")?;
        let request = b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        connection.stream.write_all(request).context("ask for metrics")?;
        let response = connection.message()?.context("no metrics came")?;
        let text = String::from_utf8_lossy(&response.body);
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
        Ok(values.iter().sum())
    }
}

/// A log of four small segments, room for everything in backlogs, and few events of a
/// trigger in memory.
fn config(plan: &Plan) -> String {
    format!(
        "[runtime]\nshards = {}\ndriver = \"{}\"\n\
         [wal]\nsegment_bytes = \"1MiB\"\nmax_bytes = \"4MiB\"\nfsync = \"always\"\n\
         backlog_bytes_max = \"64MiB\"\nbacklog_bytes_max_per_broker = \"64MiB\"\n\
         [ingress]\nhead_bytes_max = \"4KiB\"\nbody_bytes_max = \"64KiB\"\n\
         [delivery]\nresponse_body_bytes_max = \"64KiB\"\nparallelism = 16\n\
         [limits]\nqueue_per_trigger = 64\npending_per_trigger = 64\ndrain_deadline = \"20s\"\n",
        plan.shards, plan.driver
    )
}
