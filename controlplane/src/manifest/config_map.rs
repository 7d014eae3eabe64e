//! ConfigMaps that brokers name in `spec.config` (contract 4.2).
//!
//! Most ConfigMaps beside brokers are other programs' and may hold anything, so
//! what is found in one is kept with it and becomes known only where a broker
//! names it.

use eagre_snapshot::BrokerSettings;

use super::diagnostic::Diagnostic;
use super::object::Metadata;
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A ConfigMap as written.
#[derive(Clone, Debug)]
pub struct ConfigMap {
    /// Which one.
    pub metadata: Metadata,
    /// What it sets; meaningful only if no remark is an error.
    pub settings: BrokerSettings,
    /// What was found in it.
    pub remarks: Vec<Diagnostic>,
}

const FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "data", "binaryData", "immutable"];

impl Reader<'_> {
    /// Reads a ConfigMap without a remark; `None` if no broker can name it.
    pub fn config_map(&self, document: &Node, fields: &[Field]) -> Option<ConfigMap> {
        let mut reader = Reader::new(&self.path, self.text);
        let metadata = reader.metadata(document, fields)?;
        reader.unknown(fields, "object", FIELDS);
        if let Some(node) = find(fields, "binaryData") {
            reader.warning(node.at, "`binaryData` is not read", "write settings under `data`");
        }
        let data = find(fields, "data").and_then(|node| reader.mapping(node, "data"));
        let settings = reader.settings(data.unwrap_or_default());
        Some(ConfigMap { metadata, settings, remarks: reader.diagnostics })
    }
}
