//! What the control plane tells the data plane: brokers, triggers, where to
//! deliver and how.
//!
//! Everything here is resolved and validated by the control plane; the data
//! plane parses no YAML, no URL reference and no duration.
//!
//! `Default` is what a snapshot means that does not say (see `codec/record.rs`).
//! A broker or trigger that is all default is not valid.

use std::{collections::BTreeMap, fmt};

use eagre_filter::Filter;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::GRACE_MS_DEFAULT;
use crate::settings::BrokerSettings;

/// One generation of the whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every broker of class `Eagre`.
    pub brokers: Vec<Broker>,
    /// Every trigger of those brokers.
    pub triggers: Vec<Trigger>,
    /// How long what is missing from this generation is kept before its events
    /// are given up, in milliseconds, within [`GRACE_MS_RANGE`](crate::GRACE_MS_RANGE).
    pub grace_ms: u64,
}

/// What is annotated on a broker or trigger, under names that are Eagre's own.
/// At most [`ANNOTATIONS_MAX`](crate::ANNOTATIONS_MAX) of at most
/// [`ANNOTATIONS_BYTES_MAX`](crate::ANNOTATIONS_BYTES_MAX).
pub type Annotations = BTreeMap<String, String>;

/// The identity of a broker or trigger across generations and restarts:
/// XXH3-64 of its UID, or of `kind/namespace/name` where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// A broker: where events are posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    /// Its identity.
    pub id: Id,
    /// Kubernetes namespace, the first part of the ingress path.
    pub namespace: String,
    /// Name, the second part of the ingress path.
    pub name: String,
    /// What its ConfigMap sets.
    pub settings: BrokerSettings,
    /// Eagre's own among its annotations.
    pub annotations: Annotations,
}

/// A trigger: which events of a broker go to which subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its identity; the data plane's cursors carry it.
    pub id: Id,
    /// The broker it belongs to.
    pub broker: Id,
    /// Kubernetes namespace, sent as `Kn-Namespace`.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Which events it wants.
    pub filter: Filter,
    /// Where they go.
    pub subscriber: Endpoint,
    /// How they go there: the trigger's own settings, or its broker's.
    pub delivery: Delivery,
    /// Where an event goes that could not be delivered (contract 3.8).
    pub dead_letter: Option<Endpoint>,
    /// Eagre's own among its annotations.
    pub annotations: Annotations,
}

/// An HTTP endpoint, split once so that the data plane need not parse it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The URI as resolved; `knativeerrordest` carries these bytes.
    pub uri: String,
    /// Host without port and brackets: a name or an address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The `Host` field's value.
    pub authority: String,
    /// Request target: path and query, `/` at least.
    pub target: String,
}

/// Delivery settings (contract 3.1), durations in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Attempts after the first.
    pub retry_max: u32,
    /// How the wait grows from one attempt to the next.
    pub backoff: Backoff,
    /// The unit of the wait; 0 retries at once.
    pub backoff_delay_ms: u64,
    /// Time allowed for one attempt; `None` leaves it to the data plane's own
    /// limit.
    pub timeout_ms: Option<u64>,
    /// Cap on a subscriber's `Retry-After`; `Some(0)` ignores the field, `None`
    /// leaves the cap to the data plane.
    pub retry_after_max_ms: Option<u64>,
    /// Content mode of the delivery request.
    pub format: Format,
}

/// How the wait grows (design section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// d, 2d, 3d, …
    #[default]
    Linear,
    /// d, 2d, 4d, …
    Exponential,
}

/// Content mode of a delivery request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Attributes as headers, data as the body.
    #[default]
    Binary,
    /// `application/cloudevents+json`.
    Json,
}

/// No brokers.
impl Default for Snapshot {
    fn default() -> Self {
        Snapshot { brokers: Vec::new(), triggers: Vec::new(), grace_ms: GRACE_MS_DEFAULT }
    }
}

/// Of nobody, for every event, to nowhere.
impl Default for Trigger {
    fn default() -> Self {
        Trigger {
            id: Id::default(),
            broker: Id::default(),
            namespace: String::new(),
            name: String::new(),
            filter: Filter::Everything,
            subscriber: Endpoint::default(),
            delivery: Delivery::default(),
            dead_letter: None,
            annotations: Annotations::new(),
        }
    }
}

impl Id {
    /// The identity of a resource: by its `uid` where it has one, so that a
    /// deleted and re-created resource is a new one; else by what it is called.
    ///
    /// Never 0, which stands for "nobody" in the stats page.
    pub fn of(kind: &str, namespace: &str, name: &str, uid: Option<&str>) -> Id {
        let hash = match uid {
            Some(uid) if !uid.is_empty() => xxh3_64(uid.as_bytes()),
            _ => xxh3_64(format!("{kind}/{namespace}/{name}").as_bytes()),
        };
        Id(hash.max(1))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
