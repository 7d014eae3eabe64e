//! The control plane at work in a cluster: one task that owns all state.
//!
//! Watches, writes and the lease are tasks of their own that only send it notices. It
//! takes in what there is, lets changes settle, compiles, publishes, judges, and hands
//! out writes; then it sleeps until something is told or due.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;

use eagre_snapshot::{DirError, Snapshot};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::Api;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use serde_json::Value as Json;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use super::agent::{self, Agent};
use super::controller::Controller;
use super::feed::{Feed, Scope, random};
use super::leader::{self, Leadership};
use super::notice::{Change, Notice, Source};
use super::report::Report;
use super::state::{Effect, State};
use super::status::Writer;
use super::writes::{ObjectKey, Outcome};
use super::{Options, client};
use crate::compile::{World, compile};
use crate::index::Kind;
use crate::limits::{
    API_REQUEST_TIMEOUT, CLUSTER_SETTLE, CLUSTER_SETTLE_MAX, FIRST_LISTS_MAX, LEAVE_TIMEOUT,
    WATCH_NOTICES_BATCH, WATCH_NOTICES_MAX, WRITES_IN_FLIGHT_MAX,
};
use crate::resolve::Resolver;

/// Why there is no control plane in a cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No cluster is known.
    #[error("{0}")]
    Config(String),
    /// The snapshot folder.
    #[error("the snapshot folder cannot be used: {0}")]
    Snapshot(#[from] DirError),
    /// Signals or the runtime.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

/// What tasks have to say to the one that owns the state.
enum Ended {
    Write(ObjectKey, Outcome, Option<Json>),
    Report(Report, bool),
}

/// Runs until told to stop.
pub async fn run(options: Options) -> Result<(), ClusterError> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let config = client::config(options.kubeconfig.as_deref()).await.map_err(ClusterError::Config)?;
    let mut plane = Plane::start(options, config)?;
    plane.run(&mut terminate, &mut interrupt).await;
    plane.leave().await;
    info!("stopped; what was published stays in force");
    Ok(())
}

struct Plane {
    options: Options,
    resolver: Resolver,
    state: State,
    feed: Feed,
    notices: Receiver<Notice>,
    leases: Api<Lease>,
    agent: Option<Agent>,
    controller: Option<Control>,
    ended: (Sender<Ended>, Receiver<Ended>),
    /// Since when something may mean something else, and since when it has been quiet.
    dirty: Option<(Instant, Instant)>,
    /// Until when the first look waits for slow lists; `None` once it was taken.
    first_by: Option<Instant>,
    /// How many agents counted when last looked.
    alive: usize,
    /// What is wrong with each watch, as told.
    problems: HashMap<Source, String>,
}

/// What a controller has beside the state.
struct Control {
    controller: Controller,
    leadership: Leadership,
    election: JoinHandle<()>,
    writer: Writer,
    leads: bool,
}

impl Plane {
    fn start(options: Options, config: Config) -> Result<Plane, ClusterError> {
        let client = Client::try_from(config).map_err(|error| ClusterError::Config(error.to_string()))?;
        let now = Instant::now();
        let agent = options.snapshot.as_ref().map(|dir| Agent::open(dir, now)).transpose()?;
        let (sender, notices) = mpsc::channel(WATCH_NOTICES_MAX);
        let scope = Scope { namespace: options.namespace.clone(), system: options.system.clone() };
        let feed = Feed::new(client.clone(), scope, options.controls, sender);
        let leases: Api<Lease> = Api::namespaced(client.clone(), &options.system);
        let controller = options.controls.then(|| Control::start(&client, &leases, &options.identity));
        Ok(Plane {
            resolver: options.resolver.clone(),
            state: State::new(&options.system),
            feed,
            notices,
            leases,
            agent,
            controller,
            ended: mpsc::channel(WRITES_IN_FLIGHT_MAX + 1),
            dirty: None,
            first_by: Some(now + FIRST_LISTS_MAX),
            alive: 0,
            problems: HashMap::new(),
            options,
        })
    }

    async fn run(&mut self, terminate: &mut Signal, interrupt: &mut Signal) {
        let mut batch = Vec::with_capacity(WATCH_NOTICES_BATCH);
        loop {
            let wake_at = self.wake_at(Instant::now());
            let leadership = self.controller.as_mut().map(|control| &mut control.leadership);
            tokio::select! {
                biased;
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                Some(ended) = self.ended.1.recv() => self.take_ended(ended),
                () = changed(leadership) => self.take_leadership(),
                _ = self.notices.recv_many(&mut batch, WATCH_NOTICES_BATCH) => {
                    batch.drain(..).for_each(|notice| self.take(notice));
                }
                () = sleep_until(wake_at) => {}
            }
            self.act(Instant::now());
        }
    }

    /// When something is due although nothing is told.
    fn wake_at(&self, now: Instant) -> Instant {
        let mut at = vec![now + API_REQUEST_TIMEOUT];
        at.extend(self.look_due());
        at.extend(self.agent.as_ref().map(|agent| agent.wake_at(now)));
        if let Some(control) = self.controller.as_ref().filter(|control| control.leads) {
            at.extend(control.controller.judge_at());
            at.extend(control.controller.writes.wake_at(now));
            at.extend(self.state.fleet.next_end(now));
        }
        at.into_iter().min().expect("there is one")
    }

    /// When what has changed has settled.
    fn look_due(&self) -> Option<Instant> {
        let (since, quiet_since) = self.dirty?;
        Some((quiet_since + CLUSTER_SETTLE).min(since + CLUSTER_SETTLE_MAX))
    }

    fn take(&mut self, notice: Notice) {
        let now = Instant::now();
        self.note_problem(&notice);
        match self.state.take(notice, now) {
            Effect::None => {}
            Effect::Status(key) => {
                let controller = self.controller.as_ref().map(|control| &control.controller);
                if controller.is_some_and(|controller| controller.is_surprised(&key, &self.state)) {
                    self.stir(now);
                }
            }
            Effect::Meaning | Effect::Fleet => self.stir(now),
        }
    }

    /// Something may mean something else.
    fn stir(&mut self, now: Instant) {
        let since = self.dirty.map_or(now, |(since, _)| since);
        self.dirty = Some((since, now));
    }

    /// Trouble with a watch is told once, and its end as well.
    fn note_problem(&mut self, notice: &Notice) {
        match &notice.change {
            Change::Failed(why) => {
                if self.problems.insert(notice.source.clone(), why.clone()).as_ref() != Some(why) {
                    warn!(
                        "{:?} cannot be watched at the moment; what is known stays in force: {why}",
                        notice.source
                    );
                }
            }
            Change::Restarted | Change::Found(_) => {}
            Change::Listed | Change::Applied(_) | Change::Deleted(_) => {
                if self.problems.remove(&notice.source).is_some() {
                    info!("{:?} can be watched again", notice.source);
                }
            }
        }
    }

    fn take_ended(&mut self, ended: Ended) {
        let now = Instant::now();
        match ended {
            Ended::Report(report, written) => {
                if let Some(agent) = &mut self.agent {
                    agent.told(report, written, now);
                }
            }
            Ended::Write(key, outcome, written) => {
                if let Some(object) = written {
                    let source = if key.0 == Kind::Broker { Source::Brokers } else { Source::Triggers };
                    // As the watch will tell it, only earlier.
                    self.take(Notice { source, change: Change::Applied(object) });
                }
                if let Some(control) = &mut self.controller {
                    control.controller.done(&key, outcome, &self.state, random(), now);
                }
            }
        }
    }

    fn take_leadership(&mut self) {
        let Some(control) = &mut self.controller else { return };
        let leads = control.leadership.is_held();
        if leads != control.leads {
            control.leads = leads;
            // What was in order when this one led last may not be any more.
            control.controller = Controller::default();
            self.stir(Instant::now());
        }
    }

    fn act(&mut self, now: Instant) {
        let leading = self.controller.as_ref().filter(|control| control.leads);
        let is_due = leading.and_then(|control| control.controller.judge_at()).is_some_and(|at| at <= now);
        let alive = self.state.fleet.alive(now);
        if is_due || std::mem::replace(&mut self.alive, alive) != alive {
            self.stir(now);
        }
        if self.look_due().is_some_and(|due| due <= now) {
            self.look(now);
        }
        self.tell(now);
        self.write(now);
    }

    /// Compiles, publishes and judges.
    fn look(&mut self, now: Instant) {
        let needs = self.state.refresh_needs().clone();
        self.feed.need(&needs);
        if let Some(by) = self.first_by {
            // Until then nobody knows what is missing and what has only not been told.
            let may = self.state.has_listed() && (self.state.is_complete() || by <= now);
            if !may {
                self.dirty = Some((now, now));
                return;
            }
            self.first_by = None;
        }
        self.dirty = None;
        let former: Arc<Snapshot> = self.agent.as_ref().and_then(Agent::in_force).unwrap_or_default();
        let world =
            World { resolver: &self.resolver, referents: Some(&self.state.referents), former: &former };
        let begun = Instant::now();
        let mut compiled = compile(&self.state.index, world);
        // A deletion is a deletion.
        compiled.snapshot.grace_ms = 0;
        if let Some(agent) = &mut self.agent
            && let Err(error) = agent.offer(&compiled, now)
        {
            error!("not published, will be tried again: {error}");
            self.dirty = Some((now, now));
        }
        debug!(micros = begun.elapsed().as_micros() as u64, "compiled and published");
        if let Some(control) = self.controller.as_mut().filter(|control| control.leads)
            && self.state.fleet.is_listed
        {
            // Whole seconds, as upstream has them.
            let time = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
            control.controller.judge(&self.state, &compiled, &self.resolver, now, &Time(time));
            debug!(micros = begun.elapsed().as_micros() as u64, "judged");
        }
    }

    /// Says what the data plane has in force.
    fn tell(&mut self, now: Instant) {
        let Some(agent) = &mut self.agent else { return };
        agent.look(now);
        let Some(report) = agent.report(now) else { return };
        let (leases, name, ended) =
            (self.leases.clone(), self.options.identity.clone(), self.ended.0.clone());
        tokio::spawn(async move {
            let written = match timeout(API_REQUEST_TIMEOUT, agent::tell(&leases, &name, &report)).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    warn!("the controller cannot be told what is in force here: {error}");
                    false
                }
                Err(_) => {
                    warn!(
                        "the controller cannot be told what is in force here: the API server does not answer"
                    );
                    false
                }
            };
            // Nobody listens any more if this process is about to end.
            let _ = ended.send(Ended::Report(report, written)).await;
        });
    }

    fn write(&mut self, now: Instant) {
        let Some(control) = self.controller.as_mut().filter(|control| control.leads) else { return };
        while let Some((key, wanted, patch)) = control.controller.next_write(&self.state, now) {
            let (writer, ended) = (control.writer.clone(), self.ended.0.clone());
            tokio::spawn(async move {
                let (outcome, written) = writer.write(&key, &wanted, &patch).await;
                // Nobody listens any more if this process is about to end.
                let _ = ended.send(Ended::Write(key, outcome, written)).await;
            });
        }
    }

    /// Nobody has to wait for what runs out by itself.
    async fn leave(&mut self) {
        let identity = self.options.identity.clone();
        if let Some(control) = &self.controller {
            control.election.abort();
            let _ = timeout(LEAVE_TIMEOUT, leader::release(&self.leases, &identity)).await;
        }
        if self.agent.is_some() {
            let _ = timeout(LEAVE_TIMEOUT, agent::leave(&self.leases, &identity)).await;
        }
    }
}

impl Control {
    fn start(client: &Client, leases: &Api<Lease>, identity: &str) -> Control {
        let (leadership, election) = leader::run(leases.clone(), identity.to_owned());
        let reporter =
            Reporter { controller: "eagre-controller".to_owned(), instance: Some(identity.to_owned()) };
        let recorder = Recorder::new(client.clone(), reporter);
        let writer = Writer { client: client.clone(), leadership: leadership.clone(), recorder };
        let election = tokio::spawn(election);
        Control { controller: Controller::default(), leadership, election, writer, leads: false }
    }
}

async fn changed(leadership: Option<&mut Leadership>) {
    match leadership {
        Some(leadership) => leadership.changed().await,
        None => pending().await,
    }
}
