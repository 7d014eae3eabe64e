//! Brokers (contract 4.2).

use super::delivery::Delivery;
use super::destination::Reference;
use super::object::{CONFIG_MAP, Metadata, OBJECT_FIELDS};
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A broker as written.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Which one.
    pub metadata: Metadata,
    /// The ConfigMap with its settings.
    pub config: Option<Reference>,
    /// Delivery settings for triggers without their own.
    pub delivery: Option<Delivery>,
}

impl Broker {
    /// Whether Eagre serves it.
    pub fn is_ours(&self) -> bool {
        self.metadata.is_ours()
    }
}

impl Reader<'_> {
    /// Reads a broker. Its `spec` may be left out: all of it is optional.
    pub fn broker(&mut self, document: &Node, fields: &[Field]) -> Option<Broker> {
        self.unknown(fields, "object", OBJECT_FIELDS);
        let metadata = self.metadata(document, fields);
        let spec = find(fields, "spec").and_then(|node| self.mapping(node, "spec")).unwrap_or_default();
        if metadata.as_ref().is_some_and(|metadata| !metadata.is_ours()) {
            // Its spec is another implementation's to judge.
            return Some(Broker { metadata: metadata?, config: None, delivery: None });
        }
        self.unknown(spec, "spec", &["config", "delivery"]);
        let config = find(spec, "config").and_then(|node| self.config(node));
        let delivery = find(spec, "delivery").and_then(|node| self.delivery(node, "spec.delivery"));
        Some(Broker { metadata: metadata?, config, delivery })
    }

    /// `spec.config`, which must name a ConfigMap.
    fn config(&mut self, node: &Node) -> Option<Reference> {
        let hint = "name a ConfigMap with `apiVersion: v1`, `kind: ConfigMap` and `name`";
        let errors = self.errors;
        let reference = self.reference(node, "spec.config", hint)?;
        let Reference { api_version, kind, .. } = &reference;
        if (api_version.as_str(), kind.as_str()) != ("v1", CONFIG_MAP) {
            let message = format!("`spec.config` cannot be a {kind} of {api_version}");
            self.error(node.at, message, format!("{hint}, or remove `config`"));
        }
        (self.errors == errors).then_some(reference)
    }
}
