//! The watches: what the API server tells, into one bounded channel.
//!
//! Brokers, triggers and agents are always watched; other kinds as long as something
//! refers to them. A watch never gives up: after any error it begins again where it was,
//! or from the start, with growing pauses and jitter.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::{Stream, StreamExt, pin_mut};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Client, discovery};
use serde::Serialize;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tracing::{debug, info};

use super::notice::{Change, Notice, Source, trim};
use super::report;
use crate::limits::{KIND_RETRY_MAX, KIND_RETRY_MIN, WATCH_DURATION};
use crate::referents::{Gvk, Need};

/// Where objects are looked for.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The only namespace whose brokers and triggers count, if there is one.
    pub namespace: Option<String>,
    /// The namespace that agents' Leases and Knative's ConfigMaps are in.
    pub system: String,
}

/// All watches. They end with it.
pub struct Feed {
    client: Client,
    scope: Scope,
    sender: Sender<Notice>,
    watches: HashMap<Source, JoinHandle<()>>,
}

impl Feed {
    /// Begins to watch brokers and triggers, and agents if they matter here.
    pub fn new(client: Client, scope: Scope, agents: bool, sender: Sender<Notice>) -> Feed {
        let mut feed = Feed { client, scope, sender, watches: HashMap::new() };
        feed.start(Source::Brokers);
        feed.start(Source::Triggers);
        if agents {
            feed.start(Source::Agents);
        }
        feed
    }

    /// Watches exactly these beside.
    pub fn need(&mut self, needs: &BTreeSet<Need>) {
        self.watches.retain(|source, watch| match source {
            Source::Need(need) if !needs.contains(need) => {
                info!("nothing refers to {} any more; it is not watched", name(need));
                watch.abort();
                false
            }
            _ => true,
        });
        for need in needs {
            let source = Source::Need(need.clone());
            if !self.watches.contains_key(&source) {
                self.start(source);
            }
        }
    }

    fn start(&mut self, source: Source) {
        let (client, scope, sender) = (self.client.clone(), self.scope.clone(), self.sender.clone());
        let watch = tokio::spawn(run(client, scope, source.clone(), sender));
        self.watches.insert(source, watch);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.watches.values().for_each(JoinHandle::abort);
    }
}

fn name(need: &Need) -> String {
    match need {
        Need::Kind(Gvk { api_version, kind }) => format!("{kind} ({api_version})"),
        Need::ConfigMap((namespace, name)) => format!("ConfigMap {namespace}/{name}"),
    }
}

async fn run(client: Client, scope: Scope, source: Source, sender: Sender<Notice>) {
    let config = Config::default().timeout(WATCH_DURATION.as_secs() as u32);
    let feed = Sink { source: source.clone(), sender };
    let resource = |version: &str, kind: &str, plural: &str| {
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    };
    let in_scope = |resource: &ApiResource| -> Api<DynamicObject> {
        match &scope.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            None => Api::all_with(client.clone(), resource),
        }
    };
    match &source {
        Source::Brokers | Source::Triggers => {
            let kind =
                if source == Source::Brokers { eagre_api::names::BROKER } else { eagre_api::names::TRIGGER };
            let resource = resource(&kind.api_version(), kind.kind, kind.plural);
            feed.pipe(watcher::watcher(in_scope(&resource), config), &resource).await;
        }
        Source::Agents => {
            let resource = resource("coordination.k8s.io/v1", "Lease", "leases");
            let api: Api<DynamicObject> = Api::namespaced_with(client, &scope.system, &resource);
            feed.pipe(watcher::watcher(api, config.labels(report::LABEL)), &resource).await;
        }
        Source::Need(Need::ConfigMap((namespace, name))) => {
            let resource = resource("v1", "ConfigMap", "configmaps");
            let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource);
            let config = config.fields(&format!("metadata.name={name}"));
            feed.pipe(watcher::watcher(api, config), &resource).await;
        }
        Source::Need(Need::Kind(gvk)) if gvk.api_version == "v1" && gvk.kind == "Service" => {
            // There are many, and that they are there is all that matters.
            let resource = resource("v1", "Service", "services");
            let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client, &resource);
            feed.pipe(watcher::watcher(api, config), &resource).await;
        }
        Source::Need(Need::Kind(gvk)) => {
            let Some(resource) = feed.look_up(&client, gvk).await else { return };
            let api: Api<DynamicObject> = Api::all_with(client, &resource);
            feed.pipe(watcher::watcher(api, config), &resource).await;
        }
    }
}

/// Where one watch's notices go.
struct Sink {
    source: Source,
    sender: Sender<Notice>,
}

impl Sink {
    /// Whether somebody listens.
    async fn send(&self, change: Change) -> bool {
        self.sender.send(Notice { source: self.source.clone(), change }).await.is_ok()
    }

    async fn pipe<K: Serialize + Clone + std::fmt::Debug + Send + 'static>(
        &self,
        watcher: impl Stream<Item = watcher::Result<Event<K>>> + Send,
        resource: &ApiResource,
    ) {
        let stream = watcher.default_backoff();
        pin_mut!(stream);
        let object = |object: K| {
            // Serialising what was read cannot fail: every key is a string.
            let json = serde_json::to_value(object).unwrap_or_default();
            trim(&resource.api_version, &resource.kind, json)
        };
        while let Some(event) = stream.next().await {
            let change = match event {
                Ok(Event::Init) => Change::Restarted,
                Ok(Event::InitApply(found)) => Change::Found(object(found)),
                Ok(Event::InitDone) => Change::Listed,
                Ok(Event::Apply(applied)) => Change::Applied(object(applied)),
                Ok(Event::Delete(deleted)) => Change::Deleted(object(deleted)),
                Err(error) => {
                    debug!(source = ?self.source, "watch: {error}");
                    Change::Failed(error.to_string())
                }
            };
            if !self.send(change).await {
                return;
            }
        }
    }

    /// How the API server calls a kind, once it knows it: its definition may come later
    /// than what refers to it. `None` when nobody listens any more.
    async fn look_up(&self, client: &Client, gvk: &Gvk) -> Option<ApiResource> {
        let (group, version) = gvk.api_version.rsplit_once('/').unwrap_or(("", &gvk.api_version));
        let asked = GroupVersionKind::gvk(group, version, &gvk.kind);
        let mut pause = KIND_RETRY_MIN;
        loop {
            match discovery::oneshot::pinned_kind(client, &asked).await {
                Ok((resource, _)) => return Some(resource),
                Err(error) => {
                    debug!("{} ({}) is not to be had: {error}", gvk.kind, gvk.api_version);
                    let why = format!("the API server has no kind {} of {}", gvk.kind, gvk.api_version);
                    let why = match error {
                        kube::Error::Discovery(_) => why,
                        kube::Error::Api(status) if status.code == 404 => why,
                        other => other.to_string(),
                    };
                    if !self.send(Change::Failed(why)).await {
                        return None;
                    }
                }
            }
            tokio::time::sleep(pause + jitter(pause)).await;
            pause = (pause * 2).min(KIND_RETRY_MAX);
        }
    }
}

/// Up to half of `pause`, so that not all who wait come back at once.
pub fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(random() / 2.0)
}

/// From 0 to 1; good enough to spread what would otherwise come together.
pub fn random() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
