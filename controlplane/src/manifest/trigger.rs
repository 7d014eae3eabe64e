//! Triggers (contract 4.3).

use eagre_filter::Filter;

use super::delivery::Delivery;
use super::destination::{Destination, Reference};
use super::diagnostic::{Diagnostic, Place};
use super::object::{API_VERSION, Metadata};
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A trigger as written.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Which one.
    pub metadata: Metadata,
    /// Its broker.
    pub broker: BrokerName,
    /// Which events it wants.
    pub filter: Filter,
    /// Where they go.
    pub subscriber: Destination,
    /// Its own delivery settings.
    pub delivery: Option<Delivery>,
}

/// A trigger's broker, as written.
#[derive(Clone, Debug)]
pub struct BrokerName {
    /// Where it is written.
    pub place: Place,
    /// Its namespace; the trigger's if it is left out.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Trigger {
    /// Namespace and name of its broker.
    pub fn broker_key(&self) -> (&str, &str) {
        self.broker.key(&self.metadata.namespace)
    }
}

impl BrokerName {
    /// Namespace and name, for a trigger that lives in `namespace`.
    pub fn key<'a>(&'a self, namespace: &'a str) -> (&'a str, &'a str) {
        (self.namespace.as_deref().unwrap_or(namespace), &self.name)
    }
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

    /// `spec.broker`, or `spec.brokerRef` in its place.
    pub fn broker_name(&mut self, node: &Node, spec: &[Field]) -> Option<BrokerName> {
        let hint = "name the broker whose events the trigger wants";
        let Some(reference) = find(spec, "brokerRef") else {
            let name = self.required_string(spec, "broker", "spec.broker", node.at, hint)?;
            return Some(BrokerName { place: name.place, namespace: None, name: name.value });
        };
        if find(spec, "broker").is_some() {
            let message = "`spec` has both `broker` and `brokerRef`";
            self.error(reference.at, message, "keep one of the two");
            return None;
        }
        let hint = format!("name a broker with `apiVersion: {API_VERSION}`, `kind: Broker` and `name`");
        let Reference { place, api_version, kind, namespace, name, .. } =
            self.reference(reference, "spec.brokerRef", &hint)?;
        if (api_version.as_str(), kind.as_str()) != (API_VERSION, "Broker") {
            let message = format!("`spec.brokerRef` cannot be a {kind} of {api_version}");
            self.report(Diagnostic::error(&place, message, hint));
            return None;
        }
        Some(BrokerName { place, namespace, name })
    }
}
