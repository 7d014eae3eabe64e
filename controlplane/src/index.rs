//! The current objects, by name.
//!
//! ```text
//! source → manifest → index → compile → publish
//!                     ^^^^^
//! Trigger ─ spec.broker ─► Broker (same namespace)
//! Trigger, Broker ─ ref ─► Broker (any namespace)
//! Broker ─ spec.config ──► ConfigMap (any namespace)
//! ```
//!
//! Pure state: objects go in, look-ups come out. What the relations mean is the
//! compiler's business.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use crate::manifest::{Broker, ConfigMap, Diagnostic, Metadata, Object, Place, Trigger};

/// Namespace and name.
pub type Key = (String, String);

/// All objects of one moment.
#[derive(Debug, Default)]
pub struct Index {
    brokers: BTreeMap<Key, Broker>,
    triggers: BTreeMap<Key, Trigger>,
    config_maps: BTreeMap<Key, ConfigMap>,
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
        }
        Ok(())
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

fn key(metadata: &Metadata) -> Key {
    (metadata.namespace.clone(), metadata.name.clone())
}

fn duplicate(kind: &str, second: &Metadata, first: &Place) -> Diagnostic {
    let message = format!("{kind} {}/{} is also defined at {first}", second.namespace, second.name);
    Diagnostic::error(&second.place, message, "remove or rename one of the two")
}
