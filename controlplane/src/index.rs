//! The current objects, by name.
//!
//! ```text
//! source → manifest → index → compile → publish
//!                     ^^^^^
//! Trigger ─ spec.broker ─► Broker (same namespace, or that of brokerRef)
//! Trigger, Broker ─ ref ─► Broker (any namespace)
//! Broker ─ spec.config ──► ConfigMap (any namespace)
//! ```
//!
//! Pure state: objects go in, look-ups come out. What the relations mean is the
//! compiler's business. Files are [inserted](Index::insert) into a new index,
//! where a name that is there twice is a mistake; what an API server tells
//! [replaces](Index::replace) what it told before.
//!
//! Each kind has a map of its own. One that is added gets a map, its arm in both
//! of these, and in [`Index::remove`].

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use crate::manifest::{Broken, Broker, ConfigMap, Diagnostic, Metadata, Object, Place, Trigger};

/// Namespace and name.
pub type Key = (String, String);

/// The kinds that are indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Brokers.
    Broker,
    /// Triggers.
    Trigger,
    /// ConfigMaps.
    ConfigMap,
}

/// All objects of one moment.
#[derive(Debug, Default)]
pub struct Index {
    brokers: BTreeMap<Key, Broker>,
    triggers: BTreeMap<Key, Trigger>,
    config_maps: BTreeMap<Key, ConfigMap>,
    broken_brokers: BTreeMap<Key, Broken>,
    broken_triggers: BTreeMap<Key, Broken>,
    uids: HashMap<String, Place>,
    ignored: HashMap<String, Diagnostic>,
}

impl Index {
    /// Adds an object; two objects of one kind with one name, or any two with
    /// one UID, are an error at the second.
    pub fn insert(&mut self, object: Object) -> Result<(), Diagnostic> {
        match object {
            Object::Broker(broker) => {
                if let Some(first) = self.brokers.get(&key(&broker.metadata)) {
                    return Err(duplicate("Broker", &broker.metadata, &first.metadata.place));
                }
                self.claim_uid(&broker.metadata)?;
                self.brokers.insert(key(&broker.metadata), *broker);
            }
            Object::Trigger(trigger) => {
                if let Some(first) = self.triggers.get(&key(&trigger.metadata)) {
                    return Err(duplicate("Trigger", &trigger.metadata, &first.metadata.place));
                }
                self.claim_uid(&trigger.metadata)?;
                self.triggers.insert(key(&trigger.metadata), *trigger);
            }
            Object::ConfigMap(second) => match self.config_maps.entry(key(&second.metadata)) {
                Entry::Vacant(entry) => _ = entry.insert(*second),
                // Matters, like all that is wrong with it, only if a broker names it.
                Entry::Occupied(mut first) => {
                    let first = first.get_mut();
                    let remark = duplicate("ConfigMap", &second.metadata, &first.metadata.place);
                    first.remarks.push(remark);
                }
            },
            Object::Ignored(remark) => {
                self.ignored.entry(remark.message.clone()).or_insert(remark);
            }
            Object::Broken(broken) => _ = self.replace(Object::Broken(broken)),
        }
        Ok(())
    }

    /// Puts an object in the place of the one of its kind and name, if there is
    /// one; which.
    pub fn replace(&mut self, object: Object) -> Option<(Kind, Key)> {
        let at = match &object {
            Object::Broker(broker) => (Kind::Broker, key(&broker.metadata)),
            Object::Trigger(trigger) => (Kind::Trigger, key(&trigger.metadata)),
            Object::ConfigMap(config_map) => (Kind::ConfigMap, key(&config_map.metadata)),
            Object::Broken(broken) if !broken.is_trigger => (Kind::Broker, key(&broken.metadata)),
            Object::Broken(broken) => (Kind::Trigger, key(&broken.metadata)),
            Object::Ignored(_) => return None,
        };
        self.remove(at.0, &at.1);
        let key = at.1.clone();
        match object {
            Object::Broker(broker) => _ = self.brokers.insert(key, *broker),
            Object::Trigger(trigger) => _ = self.triggers.insert(key, *trigger),
            Object::ConfigMap(config_map) => _ = self.config_maps.insert(key, *config_map),
            Object::Broken(broken) if at.0 == Kind::Broker => _ = self.broken_brokers.insert(key, *broken),
            Object::Broken(broken) => _ = self.broken_triggers.insert(key, *broken),
            Object::Ignored(_) => {}
        }
        Some(at)
    }

    /// Forgets an object.
    pub fn remove(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::Broker => {
                self.brokers.remove(key);
                self.broken_brokers.remove(key);
            }
            Kind::Trigger => {
                self.triggers.remove(key);
                self.broken_triggers.remove(key);
            }
            Kind::ConfigMap => _ = self.config_maps.remove(key),
        }
    }

    /// Brokers of every class, by namespace and name.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// Triggers of every broker, by namespace and name.
    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        self.triggers.values()
    }

    /// A broker by name.
    pub fn broker(&self, namespace: &str, name: &str) -> Option<&Broker> {
        self.brokers.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Brokers with an error in themselves.
    pub fn broken_brokers(&self) -> impl Iterator<Item = &Broken> {
        self.broken_brokers.values()
    }

    /// Triggers with an error in themselves.
    pub fn broken_triggers(&self) -> impl Iterator<Item = &Broken> {
        self.broken_triggers.values()
    }

    /// A broker with an error in itself, by name.
    pub fn broken_broker(&self, namespace: &str, name: &str) -> Option<&Broken> {
        self.broken_brokers.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// A ConfigMap by name.
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<&ConfigMap> {
        self.config_maps.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// One remark for each kind that was left alone.
    pub fn remarks(&self) -> impl Iterator<Item = &Diagnostic> {
        self.ignored.values()
    }

    fn claim_uid(&mut self, metadata: &Metadata) -> Result<(), Diagnostic> {
        let Some(uid) = metadata.uid.as_ref().filter(|uid| !uid.value.is_empty()) else { return Ok(()) };
        if let Some(first) = self.uids.get(&uid.value) {
            let message = format!("UID {} is also that of the object at {first}", uid.value);
            return Err(Diagnostic::error(&uid.place, message, "remove `uid` from the copy"));
        }
        self.uids.insert(uid.value.clone(), uid.place.clone());
        Ok(())
    }
}

pub(crate) fn key(metadata: &Metadata) -> Key {
    (metadata.namespace.clone(), metadata.name.clone())
}

fn duplicate(kind: &str, second: &Metadata, first: &Place) -> Diagnostic {
    let message = format!("{kind} {}/{} is also defined at {first}", second.namespace, second.name);
    Diagnostic::error(&second.place, message, "remove or rename one of the two")
}
