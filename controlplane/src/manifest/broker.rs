//! Brokers (contract 4.2).

use super::delivery::Delivery;
use super::object::{Metadata, OBJECT_FIELDS};
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A broker as written.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Which one.
    pub metadata: Metadata,
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
    /// `spec.config` is taken and ignored, because clusters put the default
    /// class's ConfigMap there (contract 4.2).
    pub fn broker(&mut self, document: &Node, fields: &[Field]) -> Option<Broker> {
        self.unknown(fields, "object", OBJECT_FIELDS);
        let metadata = self.metadata(document, fields);
        let spec = find(fields, "spec").and_then(|node| self.mapping(node, "spec")).unwrap_or_default();
        if metadata.as_ref().is_some_and(|metadata| !metadata.is_ours()) {
            // Its spec is another implementation's to judge.
            return Some(Broker { metadata: metadata?, delivery: None });
        }
        self.unknown(spec, "spec", &["config", "delivery"]);
        let delivery = find(spec, "delivery").and_then(|node| self.delivery(node, "spec.delivery"));
        Some(Broker { metadata: metadata?, delivery })
    }
}
