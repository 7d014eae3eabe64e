//! The control plane at work on files: read, publish, watch, until told to stop.
//!
//! One thread owns all state. The watcher and the signal thread only send it
//! notices; both may send more than it needs.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use eagre_snapshot::{DirError, EndpointError, PublishError, StatsReader};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use thiserror::Error;
use tracing::{error, info, warn};

use crate::args::{FilesArgs, LogFormat};
use crate::load::{Loaded, load};
use crate::publish::Publication;
use crate::resolve::{IngressUrlError, Resolver};
use crate::source::files::{self, SourceFile, Sources};
use crate::source::watch::Watch;
use crate::status::{Answer, Status};
use crate::{builtin, exit, limits, log};

/// Runs until SIGTERM or SIGINT. Exit codes are those of [`crate::exit`].
pub(crate) fn run(args: FilesArgs) -> ExitCode {
    log::start(args.log_format);
    match ControlPlane::start(args) {
        Ok(control_plane) => {
            control_plane.run();
            ExitCode::from(exit::OK)
        }
        Err(error) => {
            error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Why the control plane did not start.
#[derive(Debug, Error)]
enum StartError {
    #[error("nothing to do: give manifests with -f, or --builtin-display")]
    NothingToDo,
    #[error(transparent)]
    IngressUrl(#[from] IngressUrlError),
    #[error("--builtin-display: {0}")]
    Display(#[from] EndpointError),
    #[error("the snapshot folder cannot be used: {0}")]
    Snapshot(#[from] DirError),
    #[error("the first snapshot cannot be published: {0}")]
    Publish(#[from] PublishError),
    #[error("signals cannot be handled: {0}")]
    Signals(#[source] std::io::Error),
    #[error("{0}; nothing is published")]
    Unreadable(String),
    #[error("{0}; nothing is published")]
    Invalid(String),
}

impl StartError {
    fn exit_code(&self) -> u8 {
        match self {
            StartError::NothingToDo | StartError::IngressUrl(_) | StartError::Display(_) => exit::USAGE,
            StartError::Snapshot(_) | StartError::Publish(_) => exit::CANNOT_CREATE,
            StartError::Signals(_) => exit::OS_ERROR,
            StartError::Unreadable(_) => exit::NO_INPUT,
            StartError::Invalid(_) => exit::CONFIG,
        }
    }
}

/// What the other threads have to say.
enum Notice {
    Changed,
    Stop,
}

struct ControlPlane {
    paths: Vec<PathBuf>,
    builtin: Option<SourceFile>,
    log_format: LogFormat,
    resolver: Resolver,
    grace_ms: u64,
    publication: Publication,
    status: Status,
    /// As read last; what equals it is not looked at again.
    sources: Sources,
    /// Whether the manifests have errors, so that an older state is in force.
    broken: bool,
    notices: Receiver<Notice>,
    /// For the watch.
    sender: SyncSender<Notice>,
    /// `None` while only reading again shows changes.
    watch: Option<Watch>,
    /// What stands in the way of watching, and of publishing, as told.
    watch_problem: Option<String>,
    publish_problem: Option<String>,
}

impl ControlPlane {
    /// Publishes the first generation; with invalid manifests, goes on only if
    /// a generation is in force already.
    fn start(args: FilesArgs) -> Result<ControlPlane, StartError> {
        if args.filename.is_empty() && args.builtin_display.is_none() {
            return Err(StartError::NothingToDo);
        }
        let resolver = Resolver::new(&args.ingress_url)?;
        let builtin = args.builtin_display.as_deref().map(builtin::manifest).transpose()?;
        let snapshot = args.snapshot.ok_or(StartError::NothingToDo)?;
        let publication = Publication::open(&snapshot)?;
        let status = Status::new(StatsReader::open(&snapshot)?);
        let (sender, notices) = sync_channel(limits::NOTICES_MAX);
        stop_on_signals(sender.clone()).map_err(StartError::Signals)?;
        let mut control_plane = ControlPlane {
            paths: args.filename,
            builtin,
            log_format: args.log_format,
            resolver,
            grace_ms: args.grace.ms,
            publication,
            status,
            sources: Sources::default(),
            broken: false,
            notices,
            sender,
            watch: None,
            watch_problem: None,
            publish_problem: None,
        };
        // Watching begins before reading: a change in between is a notice.
        control_plane.keep_watch();
        control_plane.sources = control_plane.read();
        control_plane.apply()?;
        if control_plane.broken && control_plane.publication.generation().is_none() {
            return Err(control_plane.refusal());
        }
        Ok(control_plane)
    }

    fn refusal(&self) -> StartError {
        match self.sources.problems.iter().find(|problem| problem.is_error()) {
            Some(problem) => {
                StartError::Unreadable(format!("{} {}", problem.path.display(), problem.message))
            }
            None => StartError::Invalid("the manifests have errors".to_owned()),
        }
    }

    fn run(mut self) {
        let mut reread_at = Instant::now() + self.reread();
        loop {
            let follow_at = Instant::now() + limits::FOLLOW;
            let wake_at =
                self.status.next_look().map_or(follow_at, |look| look.min(follow_at)).min(reread_at);
            match self.notices.recv_timeout(wake_at.saturating_duration_since(Instant::now())) {
                Ok(Notice::Changed) => match self.settle() {
                    Notice::Changed => reread_at = Instant::now(),
                    Notice::Stop => break,
                },
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= reread_at {
                self.refresh();
                reread_at = Instant::now() + self.reread();
            }
            self.keep_published();
            self.look();
        }
        info!("stopped; what was published stays in force");
    }

    /// Waits until changes pause, so that one save is one read.
    fn settle(&self) -> Notice {
        let until = Instant::now() + limits::SETTLE_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.notices.recv_timeout(limits::SETTLE.min(left)) {
                Ok(Notice::Stop) => return Notice::Stop,
                Ok(Notice::Changed) if !left.is_zero() => {}
                Ok(Notice::Changed) | Err(_) => return Notice::Changed,
            }
        }
    }

    fn read(&self) -> Sources {
        let mut sources = files::read(&self.paths);
        sources.files.extend(self.builtin.clone());
        sources
    }

    fn reread(&self) -> Duration {
        if self.watch.is_some() { limits::REREAD } else { limits::REREAD_UNWATCHED }
    }

    /// Watches again where what was watched is gone or another.
    fn keep_watch(&mut self) {
        if self.watch.as_ref().is_some_and(Watch::is_current) {
            return;
        }
        let sender = self.sender.clone();
        // A full channel holds notices enough.
        match Watch::new(&self.paths, move || _ = sender.try_send(Notice::Changed)) {
            Ok(watch) => {
                if self.watch.replace(watch).is_some() || self.watch_problem.take().is_some() {
                    info!("a folder of the manifests was replaced, and is watched again");
                }
            }
            Err(error) => {
                self.watch = None;
                let (pause, problem) = (limits::REREAD_UNWATCHED.as_millis(), error.to_string());
                if self.watch_problem.as_ref() != Some(&problem) {
                    warn!(
                        "changes are looked for every {pause} ms, because the manifests cannot be watched: {problem}"
                    );
                    self.watch_problem = Some(problem);
                }
            }
        }
    }

    /// Sees to it that what is in force is found in the snapshot folder, whatever
    /// became of that.
    fn keep_published(&mut self) {
        match self.publication.keep() {
            Ok(published) => {
                self.publish_problem = None;
                let Some((generation, snapshot)) = published else { return };
                let (brokers, triggers) = (snapshot.brokers.len(), snapshot.triggers.len());
                warn!(
                    "the snapshot folder was removed or replaced; generation {generation} there is what was in force"
                );
                self.status.published(generation, brokers, triggers, Instant::now());
            }
            Err(error) => {
                let problem = error.to_string();
                if self.publish_problem.as_ref() != Some(&problem) {
                    error!("the snapshot folder was removed or replaced, and cannot be used: {problem}");
                    self.publish_problem = Some(problem);
                }
            }
        }
    }

    /// Reads again, and acts if anything is different.
    fn refresh(&mut self) {
        self.keep_watch();
        let sources = self.read();
        if sources == self.sources {
            return;
        }
        self.sources = sources;
        if let Err(error) = self.apply() {
            error!("not published, will be tried again: {error}");
            // Differs from whatever is read next.
            self.sources = Sources::default();
        }
    }

    /// Compiles what was read and publishes it, all or nothing.
    fn apply(&mut self) -> Result<(), PublishError> {
        let loaded = load(&self.sources, &self.resolver);
        log::report(&loaded.diagnostics, self.log_format);
        let errors = loaded.errors().count();
        let Loaded { snapshot: Some(mut snapshot), .. } = loaded else {
            self.broken = true;
            if let Some(generation) = self.publication.generation() {
                error!(errors, "manifests have errors; generation {generation} stays in force");
            }
            return Ok(());
        };
        snapshot.grace_ms = self.grace_ms;
        let (brokers, triggers) = (snapshot.brokers.len(), snapshot.triggers.len());
        let published = self.publication.offer(&snapshot)?;
        if std::mem::take(&mut self.broken) {
            info!("manifests are valid again");
        }
        match (published, self.publication.generation()) {
            (Some(generation), _) => {
                info!("generation {generation} published, {brokers} brokers, {triggers} triggers");
                self.status.published(generation, brokers, triggers, Instant::now());
            }
            (None, Some(generation)) => info!("nothing changed; generation {generation} stays in force"),
            (None, None) => {}
        }
        Ok(())
    }

    fn look(&mut self) {
        match self.status.look(Instant::now()) {
            None => {}
            Some(Answer::Active { generation, shards, brokers, triggers, took }) => info!(
                "generation {generation} active on {shards} shards, {brokers} brokers, {triggers} triggers, \
                 {} ms after it was published",
                took.as_millis()
            ),
            Some(Answer::Refused { generation, reason }) => {
                error!(
                    "generation {generation} refused by the data plane, which keeps the one before: {reason}"
                );
            }
        }
    }
}

fn stop_on_signals(sender: SyncSender<Notice>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        // Ends with the process, or when nobody listens any more.
        for _ in signals.forever() {
            if sender.send(Notice::Stop).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}
