//! Everything that watches have told so far, as one consistent state.
//!
//! Promise: whatever the history (events lost and told again, repeated, late, watches
//! that begin anew), after each watch has told all there is, the state is that of the
//! API server. A watch that breaks changes nothing; a deletion counts at once.
//!
//! Pure: one task owns it and no lock is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value as Json;
use tokio::time::Instant;

use super::notice::{Change, Notice, Source, key};
use super::report::Fleet;
use super::writes::ObjectKey;
use crate::features::{DEFAULTS, Data, Defaults, FEATURES, Features};
use crate::index::{Index, Key, Kind};
use crate::manifest;
use crate::referents::{Gvk, Need, Referent, Referents};

/// What is known of a cluster.
#[derive(Debug)]
pub struct State {
    /// Brokers, triggers and the ConfigMaps that brokers name.
    pub index: Index,
    /// What they refer to.
    pub referents: Referents,
    /// The data planes.
    pub fleet: Fleet,
    held: HashMap<ObjectKey, Held>,
    /// Watches that are telling everything again, and what they have told.
    relists: BTreeMap<Source, HashSet<Key>>,
    /// Watches on brokers and triggers that have told everything at least once.
    listed: BTreeSet<Source>,
    needs: BTreeSet<Need>,
}

/// What is known of a broker or trigger beside its meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its UID: another object may have its name next.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// Its status, whoever wrote it, as text: a tree would take six times as much.
    pub status: Box<str>,
    /// What, together with the UID, its meaning depends on.
    generation: i64,
    annotations: Json,
}

/// What a notice comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is different.
    None,
    /// Only the status of an object is.
    Status(ObjectKey),
    /// What objects mean may be.
    Meaning,
    /// What data planes say is.
    Fleet,
}

impl State {
    /// Nothing is known; Knative's ConfigMaps are in namespace `system`.
    pub fn new(system: &str) -> State {
        let mut state = State {
            index: Index::default(),
            referents: Referents::new(system),
            fleet: Fleet::default(),
            held: HashMap::new(),
            relists: BTreeMap::new(),
            listed: BTreeSet::new(),
            needs: BTreeSet::new(),
        };
        state.needs = state.referents.needs(&state.index);
        state
    }

    /// Takes in what a watch told.
    pub fn take(&mut self, notice: Notice, now: Instant) -> Effect {
        let Notice { source, change } = notice;
        match change {
            Change::Restarted => {
                self.relists.insert(source, HashSet::new());
                Effect::None
            }
            Change::Found(object) => {
                if let Some(found) = self.relists.get_mut(&source) {
                    found.insert(key(&object));
                }
                self.replace(&source, &object, true, now)
            }
            Change::Applied(object) => {
                if let Some(found) = self.relists.get_mut(&source) {
                    found.insert(key(&object));
                }
                self.replace(&source, &object, false, now)
            }
            Change::Deleted(object) => {
                let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
                self.remove(&source, &key(&object), Some(uid))
            }
            Change::Listed => self.listed(&source),
            Change::Failed(why) => match &source {
                Source::Need(need) if self.referents.failed(need, &why) => Effect::Meaning,
                _ => Effect::None,
            },
        }
    }

    /// What has to be watched, and what no longer. Knowledge of the latter goes.
    pub fn refresh_needs(&mut self) -> &BTreeSet<Need> {
        let needs = self.referents.needs(&self.index);
        for gone in self.needs.difference(&needs) {
            self.referents.drop_need(gone);
            self.relists.remove(&Source::Need(gone.clone()));
            if let Need::ConfigMap(key) = gone {
                self.index.remove(Kind::ConfigMap, key);
            }
        }
        self.needs = needs;
        &self.needs
    }

    /// Whether all brokers and triggers have been told.
    pub fn has_listed(&self) -> bool {
        self.listed.len() == 2
    }

    /// Whether all has been told that judging needs.
    pub fn is_complete(&self) -> bool {
        self.has_listed() && self.referents.are_told(&self.needs)
    }

    /// What is known of a broker or trigger beside its meaning.
    pub fn held(&self, key: &ObjectKey) -> Option<&Held> {
        self.held.get(key)
    }

    fn replace(&mut self, source: &Source, object: &Json, listed: bool, now: Instant) -> Effect {
        let key = key(object);
        match source {
            Source::Brokers => self.replace_held(Kind::Broker, key, object, listed),
            Source::Triggers => self.replace_held(Kind::Trigger, key, object, listed),
            Source::Need(Need::Kind(gvk)) => match self.referents.replace(gvk, key, Referent::read(object)) {
                true => Effect::Meaning,
                false => Effect::None,
            },
            Source::Need(Need::ConfigMap(named)) if *named == key => {
                self.knative(&key, Some(object));
                if let Some(config_map) = manifest::read(&format!("ConfigMap {}/{}", key.0, key.1), object) {
                    self.index.replace(config_map);
                }
                Effect::Meaning
            }
            Source::Need(Need::ConfigMap(_)) => Effect::None,
            Source::Agents => match self.fleet.observe(&key.1, object, now) {
                true => Effect::Fleet,
                false => Effect::None,
            },
        }
    }

    fn replace_held(&mut self, kind: Kind, key: Key, object: &Json, listed: bool) -> Effect {
        let metadata = &object["metadata"];
        let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
        let held = Held {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            status: object["status"].to_string().into(),
            generation: metadata["generation"].as_i64().unwrap_or(0),
            annotations: metadata["annotations"].clone(),
        };
        let at = (kind, key);
        let known = self.held.get(&at);
        // A list tells what there is. An event may be late.
        if !listed && known.is_some_and(|known| known.is_newer_than(&held)) {
            return Effect::None;
        }
        let same = known.is_some_and(|known| known.means_the_same(&held));
        let unchanged = known == Some(&held);
        let mut meaning = !same;
        if kind == Kind::Broker {
            // The address of one that is not ours is in its status.
            meaning |= self.referents.replace(&Gvk::broker(), at.1.clone(), Referent::read(object));
        }
        if !same {
            let place = format!("{kind:?} {}/{}", at.1.0, at.1.1);
            match manifest::read(&place, object) {
                Some(object) => _ = self.index.replace(object),
                None => self.index.remove(kind, &at.1),
            }
        }
        self.held.insert(at.clone(), held);
        match (meaning, unchanged) {
            (true, _) => Effect::Meaning,
            (false, true) => Effect::None,
            (false, false) => Effect::Status(at),
        }
    }

    /// Forgets an object, if it is the one with that UID.
    fn remove(&mut self, source: &Source, key: &Key, uid: Option<&str>) -> Effect {
        let (kind, gone) = match source {
            Source::Brokers => (Kind::Broker, true),
            Source::Triggers => (Kind::Trigger, true),
            Source::Need(Need::Kind(gvk)) => {
                return if self.referents.remove(gvk, key) { Effect::Meaning } else { Effect::None };
            }
            Source::Need(Need::ConfigMap(named)) => (Kind::ConfigMap, named == key),
            Source::Agents => return if self.fleet.forget(&key.1) { Effect::Fleet } else { Effect::None },
        };
        let at = (kind, key.clone());
        let other = self.held.get(&at).is_some_and(|held| uid.is_some_and(|uid| uid != held.uid));
        // The event is late: what is there now has the name of what was deleted.
        if !gone || other {
            return Effect::None;
        }
        if kind == Kind::ConfigMap {
            self.knative(key, None);
        }
        if kind == Kind::Broker {
            self.referents.remove(&Gvk::broker(), key);
        }
        self.held.remove(&at);
        self.index.remove(kind, key);
        Effect::Meaning
    }

    fn listed(&mut self, source: &Source) -> Effect {
        let found = self.relists.remove(source).unwrap_or_default();
        let known: Vec<Key> = match source {
            Source::Brokers => self.keys(Kind::Broker),
            Source::Triggers => self.keys(Kind::Trigger),
            Source::Need(Need::Kind(gvk)) => self.referents.keys(gvk).cloned().collect(),
            Source::Need(Need::ConfigMap(key)) => vec![key.clone()],
            Source::Agents => self.fleet.names().map(|name| (String::new(), name.clone())).collect(),
        };
        let is_found = |key: &Key| match source {
            Source::Agents => found.iter().any(|(_, name)| *name == key.1),
            _ => found.contains(key),
        };
        let mut effect = Effect::None;
        for key in known.iter().filter(|key| !is_found(key)) {
            let removed = self.remove(source, key, None);
            if removed != Effect::None {
                effect = removed;
            }
        }
        let first = match source {
            Source::Brokers | Source::Triggers => self.listed.insert(source.clone()),
            Source::Need(need) => self.referents.listed(need),
            Source::Agents => !std::mem::replace(&mut self.fleet.is_listed, true),
        };
        match (first, source) {
            (false, _) => effect,
            (true, Source::Agents) => Effect::Fleet,
            (true, _) => Effect::Meaning,
        }
    }

    fn keys(&self, kind: Kind) -> Vec<Key> {
        self.held.keys().filter(|(of, _)| *of == kind).map(|(_, key)| key.clone()).collect()
    }

    /// Knative's own ConfigMaps.
    fn knative(&mut self, key: &Key, object: Option<&Json>) {
        if key.0 != self.referents.system {
            return;
        }
        let data: Option<Data> = object.map(|object| {
            let fields = object["data"].as_object().into_iter().flatten();
            fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        });
        match key.1.as_str() {
            FEATURES => self.referents.features = Features::read(data.as_ref()),
            DEFAULTS => self.referents.defaults = Defaults::read(data.as_ref()),
            _ => {}
        }
    }
}

impl Held {
    /// Whether its status is this one. The order of fields does not matter.
    pub fn says(&self, status: &str) -> bool {
        let tree = |text: &str| serde_json::from_str::<Json>(text).ok();
        *self.status == *status || tree(&self.status) == tree(status)
    }
    fn means_the_same(&self, other: &Held) -> bool {
        self.uid == other.uid && self.generation == other.generation && self.annotations == other.annotations
    }

    /// Versions of one kind are numbers that grow. Where they are not, what is told last
    /// counts.
    fn is_newer_than(&self, other: &Held) -> bool {
        let number = |held: &Held| held.resource_version.parse::<u64>().ok();
        matches!((number(self), number(other)), (Some(own), Some(other)) if own > other)
    }
}
