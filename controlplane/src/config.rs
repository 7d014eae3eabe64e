//! `spec.config` to a broker's settings (contract 4.2).
//!
//! A broker without one has the data plane's configuration. One whose ConfigMap
//! is missing is in error, as upstream, where it never gets ready: what its
//! events were promised must not silently be something else.

use std::collections::BTreeMap;

use eagre_snapshot::BrokerSettings;

use crate::index::Index;
use crate::manifest::{Broker, ConfigMap, Diagnostic};

/// ConfigMaps that Knative's admission writes into `spec.config` of brokers that
/// name none, whatever their class. They hold nothing for Eagre, and manifests
/// taken from a cluster mention them without containing them.
const STOCK: &[&str] = &["config-br-default-channel", "kafka-broker-config"];

/// The ConfigMaps that brokers name, each judged once.
pub(crate) struct Configs<'i> {
    index: &'i Index,
    named: BTreeMap<(&'i str, &'i str), &'i ConfigMap>,
    remarks: Vec<Diagnostic>,
}

impl<'i> Configs<'i> {
    pub(crate) fn new(index: &'i Index) -> Configs<'i> {
        Configs { index, named: BTreeMap::new(), remarks: Vec::new() }
    }

    /// What a broker's ConfigMap sets.
    pub(crate) fn settings(&mut self, broker: &Broker) -> BrokerSettings {
        let Some(reference) = &broker.config else { return BrokerSettings::default() };
        let namespace = reference.namespace.as_deref().unwrap_or(&broker.metadata.namespace);
        let name = &reference.name;
        let Some(found) = self.index.config_map(namespace, name) else {
            let message = format!("there is no ConfigMap {namespace}/{name}");
            self.remarks.push(match STOCK.contains(&name.as_str()) {
                true => Diagnostic::info(
                    &reference.place,
                    format!("{message}, which Knative gives to brokers that name none; it is left out"),
                    "",
                ),
                false => Diagnostic::error(
                    &reference.place,
                    message,
                    "add it, or correct name and namespace; without `namespace` it is the broker's",
                ),
            });
            return BrokerSettings::default();
        };
        self.named.insert((&found.metadata.namespace, &found.metadata.name), found);
        found.settings
    }

    /// What there is to say about all of them.
    pub(crate) fn into_remarks(self) -> Vec<Diagnostic> {
        let found = self.named.into_values().flat_map(|config_map| config_map.remarks.iter().cloned());
        self.remarks.into_iter().chain(found).collect()
    }
}
