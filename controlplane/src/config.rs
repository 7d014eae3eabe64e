//! `spec.config` to a broker's settings (contract 4.2).
//!
//! A broker without one has the data plane's configuration. One whose ConfigMap
//! is missing is in error, as upstream, where it never gets ready: what its
//! events were promised must not silently be something else.

use std::collections::BTreeMap;

use eagre_snapshot::BrokerSettings;

use crate::manifest::{Broker, ConfigMap, Diagnostic};
use crate::outcome::Failure;
use crate::reason;
use crate::referents::Known;
use crate::resolve::Surroundings;

/// ConfigMaps that Knative's admission writes into `spec.config` of brokers that
/// name none, whatever their class. They hold nothing for Eagre, and manifests
/// taken from a cluster mention them without containing them.
const STOCK: &[&str] = &["config-br-default-channel", "kafka-broker-config"];

/// The ConfigMaps that brokers name, each judged once.
pub(crate) struct Configs<'i> {
    around: Surroundings<'i>,
    named: BTreeMap<(&'i str, &'i str), &'i ConfigMap>,
    remarks: Vec<Diagnostic>,
}

impl<'i> Configs<'i> {
    pub(crate) fn new(around: Surroundings<'i>) -> Configs<'i> {
        Configs { around, named: BTreeMap::new(), remarks: Vec::new() }
    }

    /// What a broker's ConfigMap sets.
    pub(crate) fn settings(&mut self, broker: &Broker) -> Result<BrokerSettings, Failure> {
        let Some(reference) = &broker.config else { return Ok(BrokerSettings::default()) };
        let namespace = reference.namespace.as_deref().unwrap_or(&broker.metadata.namespace);
        let name = &reference.name;
        if let Some(found) = self.around.index.config_map(namespace, name) {
            self.named.insert((&found.metadata.namespace, &found.metadata.name), found);
            let error = found.remarks.iter().find(|remark| remark.is_error());
            return match error {
                None => Ok(found.settings),
                Some(error) => {
                    let mut remark = error.clone();
                    remark.message = format!("in ConfigMap {namespace}/{name}, {}", error.message);
                    Err(Failure::certain(reason::CONFIG_INVALID, remark))
                }
            };
        }
        let message = format!("there is no ConfigMap {namespace}/{name}");
        if STOCK.contains(&name.as_str()) {
            let message = format!("{message}, which Knative gives to brokers that name none; it is left out");
            self.remarks.push(Diagnostic::info(&reference.place, message, ""));
            return Ok(BrokerSettings::default());
        }
        let hint = "add it, or correct name and namespace; without `namespace` it is the broker's";
        let key = (namespace.to_owned(), name.clone());
        let known = self.around.referents.map_or(Known::Absent, |all| all.missing_config_map(&key));
        let remark = |message, hint| Diagnostic::error(&reference.place, message, hint);
        let failure = match known {
            Known::Absent | Known::Present(()) => {
                Failure::certain(reason::CONFIG_NOT_FOUND, remark(message, hint))
            }
            Known::Pending => {
                let message = format!("ConfigMap {namespace}/{name} has not been looked up yet");
                Failure::unknown(reason::CONFIG_UNKNOWN, remark(message, ""))
            }
            Known::Unwatchable(why) => {
                let message = format!("ConfigMap {namespace}/{name} cannot be looked up: {why}");
                Failure::unknown(reason::CONFIG_UNKNOWN, remark(message, ""))
            }
        };
        self.remarks.push(Diagnostic::clone(&failure.remark));
        Err(failure)
    }

    /// What there is to say about all of them.
    pub(crate) fn into_remarks(self) -> Vec<Diagnostic> {
        let found = self.named.into_values().flat_map(|config_map| config_map.remarks.iter().cloned());
        self.remarks.into_iter().chain(found).collect()
    }
}
