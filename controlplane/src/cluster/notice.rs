//! What watches tell.

use serde_json::{Map, Value as Json, json};

use crate::index::Key;
use crate::referents::Need;

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// On brokers of every class.
    Brokers,
    /// On triggers of every broker.
    Triggers,
    /// On what brokers and triggers refer to.
    Need(Need),
    /// On the Leases of agents.
    Agents,
}

/// What a watch told. Objects have been [trimmed](trim).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// All objects will be told again.
    Restarted,
    /// One of those.
    Found(Json),
    /// All of those have been told: what was not among them is gone.
    Listed,
    /// An object is new or different.
    Applied(Json),
    /// An object was deleted.
    Deleted(Json),
    /// The watch does not work at the moment.
    Failed(String),
}

/// One thing told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// By which watch.
    pub source: Source,
    /// What.
    pub change: Change,
}

/// Namespace and name of an object.
pub fn key(object: &Json) -> Key {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// What of an object is ever looked at; the rest can be many times as large.
pub fn trim(api_version: &str, kind: &str, mut object: Json) -> Json {
    const METADATA: &[&str] = &["namespace", "name", "uid", "resourceVersion", "generation", "annotations"];
    const PARTS: &[&str] = &["spec", "status", "data", "binaryData", "immutable"];
    let take = |from: &mut Json, names: &[&str]| -> Map<String, Json> {
        let fields = from.as_object_mut();
        let taken = fields.into_iter().flat_map(|fields| {
            names.iter().filter_map(|name| fields.remove(*name).map(|value| ((*name).to_owned(), value)))
        });
        taken.collect()
    };
    let mut metadata = take(&mut object["metadata"], METADATA);
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
        // What kubectl keeps for itself is the whole object over again.
        annotations.retain(|name, _| name != "kubectl.kubernetes.io/last-applied-configuration");
    }
    let mut trimmed = take(&mut object, PARTS);
    trimmed.insert("apiVersion".to_owned(), json!(api_version));
    trimmed.insert("kind".to_owned(), json!(kind));
    trimmed.insert("metadata".to_owned(), Json::Object(metadata));
    Json::Object(trimmed)
}
