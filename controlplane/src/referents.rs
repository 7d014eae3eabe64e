//! Objects that brokers and triggers refer to: what is needed of them, and what is
//! known of them.
//!
//! ```text
//! Trigger, Broker ─ subscriber, deadLetterSink ─► anything with an address
//! Trigger ─ knative.dev/dependency ─► anything with conditions
//! Broker ─ spec.config ─► ConfigMap
//! ```
//!
//! Pure state: [`needs`] says which kinds and objects have to be watched, what a
//! watch tells goes in, look-ups come out. Not yet told and not there are
//! different answers: nothing is judged by what merely has not been heard.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use eagre_api::status::{Addressable, Condition, READY};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::features::{DEFAULTS, Defaults, FEATURES, Features};
use crate::index::{Index, Key};
use crate::manifest::{API_VERSION, Destination};

/// A kind of object, as a reference names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
}

/// What has to be watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// All objects of a kind: any of them may be referred to next.
    Kind(Gvk),
    /// One ConfigMap: there are many that are large, and few are named.
    ConfigMap(Key),
}

/// What matters of an object to whoever refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referent {
    /// Its UID.
    pub uid: String,
    /// How often its spec has changed.
    pub generation: i64,
    /// Which of that its status speaks of.
    pub observed_generation: Option<i64>,
    /// Its addresses, the preferred first.
    pub addresses: Vec<Addressable>,
    /// Its condition `Ready`.
    pub ready: Option<Condition>,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'r, T> {
    /// It is there.
    Present(&'r T),
    /// It is not there.
    Absent,
    /// Nothing has been told yet.
    Pending,
    /// It cannot be watched, and why.
    Unwatchable(&'r str),
}

/// How far a watch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Watch {
    #[default]
    Pending,
    Listed,
    Failed(String),
}

#[derive(Debug, Default)]
struct Watched<T> {
    watch: Watch,
    objects: HashMap<Key, T>,
}

/// What is known beside brokers and triggers: of the objects they refer to, and
/// Knative's own settings.
#[derive(Debug, Default)]
pub struct Referents {
    kinds: BTreeMap<Gvk, Watched<Referent>>,
    /// How far the watch on each ConfigMap is; what it holds is in the index.
    config_maps: BTreeMap<Key, Watch>,
    /// Knative's flags.
    pub features: Features,
    /// Knative's defaults for brokers.
    pub defaults: Defaults,
    /// The namespace that Knative's ConfigMaps are in.
    pub system: String,
}

impl Gvk {
    /// The kind of brokers; they are known already, whoever refers to them.
    pub fn broker() -> Gvk {
        Gvk { api_version: API_VERSION.to_owned(), kind: "Broker".to_owned() }
    }
}

impl Referent {
    /// What matters of `object`. Other controllers' objects may hold anything; what
    /// is not as it should be is as if it were not there.
    pub fn read(object: &Json) -> Referent {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Status {
            observed_generation: Option<i64>,
            conditions: Vec<Condition>,
        }
        let metadata = &object["metadata"];
        let status = &object["status"];
        let addresses: Vec<Addressable> = Deserialize::deserialize(&status["addresses"]).unwrap_or_default();
        let address: Option<Addressable> = Deserialize::deserialize(&status["address"]).ok();
        let Status { observed_generation, conditions } = Status::deserialize(status).unwrap_or_default();
        Referent {
            uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
            generation: metadata["generation"].as_i64().unwrap_or(0),
            observed_generation,
            addresses: if addresses.is_empty() { address.into_iter().collect() } else { addresses },
            ready: conditions.into_iter().find(|condition| condition.type_ == READY),
        }
    }
}

impl Referents {
    /// Knows nothing yet; Knative's own ConfigMaps are in namespace `system`.
    pub fn new(system: &str) -> Referents {
        Referents { system: system.to_owned(), ..Referents::default() }
    }

    /// What is known of an object.
    pub fn get(&self, gvk: &Gvk, key: &Key) -> Known<'_, Referent> {
        let Some(watched) = self.kinds.get(gvk) else { return Known::Pending };
        match (&watched.watch, watched.objects.get(key)) {
            // What was told before a watch broke is still the best there is.
            (_, Some(referent)) => Known::Present(referent),
            (Watch::Listed, None) => Known::Absent,
            (Watch::Pending, None) => Known::Pending,
            (Watch::Failed(why), None) => Known::Unwatchable(why),
        }
    }

    /// What is known of a ConfigMap that is not in the index.
    pub fn missing_config_map(&self, key: &Key) -> Known<'_, ()> {
        match self.config_maps.get(key) {
            None | Some(Watch::Pending) => Known::Pending,
            Some(Watch::Listed) => Known::Absent,
            Some(Watch::Failed(why)) => Known::Unwatchable(why),
        }
    }

    /// Whether every one of `needs` has been told, or cannot be.
    pub fn are_told(&self, needs: &BTreeSet<Need>) -> bool {
        needs.iter().all(|need| {
            let watch = match need {
                Need::Kind(gvk) => self.kinds.get(gvk).map(|watched| &watched.watch),
                Need::ConfigMap(key) => self.config_maps.get(key),
            };
            watch.is_some_and(|watch| *watch != Watch::Pending)
        })
    }

    /// Puts in what a watch told of an object, in the place of what was known; whether
    /// that makes a difference.
    pub fn replace(&mut self, gvk: &Gvk, key: Key, referent: Referent) -> bool {
        let known = &mut self.kinds.entry(gvk.clone()).or_default().objects;
        known.insert(key, referent.clone()) != Some(referent)
    }

    /// Forgets an object; whether it was there.
    pub fn remove(&mut self, gvk: &Gvk, key: &Key) -> bool {
        self.kinds.get_mut(gvk).is_some_and(|watched| watched.objects.remove(key).is_some())
    }

    /// The objects of a kind that are known.
    pub fn keys(&self, gvk: &Gvk) -> impl Iterator<Item = &Key> {
        self.kinds.get(gvk).into_iter().flat_map(|watched| watched.objects.keys())
    }

    /// The watch has told everything there is; whether that is new.
    pub fn listed(&mut self, need: &Need) -> bool {
        self.set(need, Watch::Listed)
    }

    /// The watch does not work. What it told before stays; whether that is new.
    pub fn failed(&mut self, need: &Need, why: &str) -> bool {
        let watch = self.watch_mut(need);
        // One that worked will work again; until then nothing changes.
        *watch != Watch::Listed && self.set(need, Watch::Failed(why.to_owned()))
    }

    /// Nobody refers to any of these any more, and nobody watches them.
    pub fn drop_need(&mut self, need: &Need) {
        match need {
            Need::Kind(gvk) => _ = self.kinds.remove(gvk),
            Need::ConfigMap(key) => _ = self.config_maps.remove(key),
        }
    }

    fn set(&mut self, need: &Need, to: Watch) -> bool {
        let watch = self.watch_mut(need);
        std::mem::replace(watch, to.clone()) != to
    }

    fn watch_mut(&mut self, need: &Need) -> &mut Watch {
        match need {
            Need::Kind(gvk) => &mut self.kinds.entry(gvk.clone()).or_default().watch,
            Need::ConfigMap(key) => self.config_maps.entry(key.clone()).or_default(),
        }
    }

    /// What has to be watched for the objects of `index` to be judged.
    pub fn needs(&self, index: &Index) -> BTreeSet<Need> {
        let own = [FEATURES, DEFAULTS].map(|name| Need::ConfigMap((self.system.clone(), name.to_owned())));
        let mut needs = BTreeSet::from(own);
        for broker in index.brokers().filter(|broker| self.defaults.is_ours(&broker.metadata)) {
            if let Some(config) = &broker.config {
                let namespace = config.namespace.as_ref().unwrap_or(&broker.metadata.namespace);
                needs.insert(Need::ConfigMap((namespace.clone(), config.name.clone())));
            }
            let sink = broker.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
            needs.extend(sink.and_then(kind_of));
        }
        for trigger in index.triggers() {
            let (namespace, name) = trigger.broker_key();
            let whole = index.broker(namespace, name).map(|broker| &broker.metadata);
            let broker =
                whole.or_else(|| index.broken_broker(namespace, name).map(|broken| &broken.metadata));
            let ours = broker.is_some_and(|broker| self.defaults.is_ours(broker));
            if !ours {
                continue;
            }
            let sink = trigger.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
            needs.extend([Some(&trigger.subscriber), sink].into_iter().flatten().filter_map(kind_of));
            let dependency = trigger.metadata.dependency.as_ref();
            let dependency = dependency.and_then(|text| Dependency::read(&text.value).ok());
            needs.extend(dependency.map(|dependency| Need::Kind(dependency.gvk)));
        }
        needs.remove(&Need::Kind(Gvk::broker()));
        needs
    }
}

fn kind_of(destination: &Destination) -> Option<Need> {
    let reference = destination.reference.as_ref()?;
    let (api_version, kind) = (reference.api_version.clone(), reference.kind.clone());
    Some(Need::Kind(Gvk { api_version, kind }))
}

/// What annotation `knative.dev/dependency` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its kind.
    pub gvk: Gvk,
    /// Its namespace, if one is written.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Dependency {
    /// Reads the annotation, a JSON object reference.
    pub fn read(text: &str) -> Result<Dependency, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            api_version: String,
            kind: String,
            name: String,
            namespace: Option<String>,
        }
        let Written { api_version, kind, name, namespace } =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        Ok(Dependency { gvk: Gvk { api_version, kind }, namespace, name })
    }
}
