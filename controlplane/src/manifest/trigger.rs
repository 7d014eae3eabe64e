//! Triggers (contract 4.3).

use eagre_filter::Filter;

use super::delivery::Delivery;
use super::destination::Destination;
use super::diagnostic::Located;
use super::object::Metadata;
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A trigger as written.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Which one.
    pub metadata: Metadata,
    /// Name of its broker, in the trigger's namespace.
    pub broker: Located<String>,
    /// Which events it wants.
    pub filter: Filter,
    /// Where they go.
    pub subscriber: Destination,
    /// Its own delivery settings.
    pub delivery: Option<Delivery>,
}

const FIELDS: &[&str] = &["broker", "brokerRef", "filter", "filters", "subscriber", "delivery"];

impl Reader<'_> {
    /// Reads a trigger; every field, also after the first mistake.
    pub fn trigger(&mut self, document: &Node, fields: &[Field]) -> Option<Trigger> {
        let metadata = self.metadata(document, fields);
        let (node, spec) = self.spec(document, fields)?;
        self.unknown(spec, "spec", FIELDS);
        let broker = self.broker_name(node, spec);
        let filter = self.filter(spec);
        let subscriber = match find(spec, "subscriber") {
            Some(node) => self.destination(node, "spec.subscriber"),
            None => {
                let hint = "add `subscriber:` with `uri: http://HOST:PORT/PATH` below it";
                self.error(node.at, "`spec.subscriber` is missing", hint);
                None
            }
        };
        let delivery = find(spec, "delivery").and_then(|node| self.delivery(node, "spec.delivery"));
        Some(Trigger { metadata: metadata?, broker: broker?, filter, subscriber: subscriber?, delivery })
    }

    fn broker_name(&mut self, node: &Node, spec: &[Field]) -> Option<Located<String>> {
        if let Some(reference) = spec.iter().find(|field| field.name == "brokerRef") {
            let hint = "name a broker of the trigger's own namespace with `broker`";
            self.error(reference.at, "`spec.brokerRef` is not in this version", hint);
            return None;
        }
        self.required_string(
            spec,
            "broker",
            "spec.broker",
            node.at,
            "name the broker whose events the trigger wants",
        )
    }
}
