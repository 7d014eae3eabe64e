//! What a snapshot must satisfy before either plane acts on it.
//!
//! Checked where it is published and again where it is loaded: the data plane
//! writes these strings into request heads and trusts no other process with
//! that.

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use crate::codec::depth_is_bounded;
use crate::excess::{Excess, Member};
use crate::limits::{
    ANNOTATIONS_BYTES_MAX, ANNOTATIONS_MAX, DURATION_MS_MAX, FILTER_DEPTH_MAX, GRACE_MS_RANGE,
    NAME_BYTES_MAX, RETRY_MAX, URI_BYTES_MAX,
};
use crate::model::{Annotations, Broker, Delivery, Endpoint, Id, Snapshot, Trigger};

/// The first thing found wrong with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{resource}: {flaw}")]
pub struct Invalid {
    /// `broker namespace/name` or `trigger namespace/name`, with whatever could
    /// upset a terminal escaped; or `snapshot`.
    pub resource: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a broker or trigger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Id 0 stands for "nobody".
    #[error("id 0 is reserved")]
    ZeroId,
    /// Two resources with one id.
    #[error("id {id} is also that of {other}; re-create one of the two to get another UID")]
    SameId {
        /// The id.
        id: Id,
        /// Who else has it.
        other: String,
    },
    /// Two resources of one kind with one name.
    #[error("listed twice, under different ids")]
    SameName,
    /// One broker or trigger too many.
    #[error(transparent)]
    Excess(#[from] Excess),
    /// A trigger of nobody.
    #[error("no broker has the id {0}")]
    NoBroker(Id),
    /// A name that cannot be part of a path and a header.
    #[error("{field}: must be 1 to {NAME_BYTES_MAX} visible ASCII characters without `/`")]
    Name {
        /// `namespace` or `name`.
        field: &'static str,
    },
    /// An endpoint that cannot be called.
    #[error("{endpoint}.{field}: {demand}")]
    Endpoint {
        /// `subscriber` or `dead_letter`.
        endpoint: &'static str,
        /// The field of [`Endpoint`].
        field: &'static str,
        /// What it has to be.
        demand: &'static str,
    },
    /// A delivery setting out of bounds.
    #[error("delivery.{field}: {value} is more than {max}")]
    Delivery {
        /// The field of [`Delivery`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// The bound.
        max: u64,
    },
    /// A setting out of bounds.
    #[error("{field}: {value} is not within {min} to {max}")]
    Setting {
        /// `settings.` and a field of [`BrokerSettings`](crate::BrokerSettings), or
        /// a field of [`Snapshot`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// Annotations that are too many, too long, or of no name.
    #[error("annotations: {0}")]
    Annotations(&'static str),
    /// A filter nested too deep.
    #[error("filter: nested deeper than {FILTER_DEPTH_MAX}")]
    FilterDepth,
    /// A filter that is not well formed: the first mistake in it.
    #[error("filter: {0}")]
    Filter(eagre_filter::Problem),
}

impl Snapshot {
    /// Checks every id, name, endpoint, bound and filter; the first flaw is the
    /// error.
    pub fn validate(&self) -> Result<(), Invalid> {
        if let Some(excess) = self.excess_of_count() {
            let resource = match excess.first {
                Member::Broker(index) => Resource::of_broker(&self.brokers[index]),
                Member::Trigger(index) => Resource::of_trigger(&self.triggers[index]),
            };
            return Err(Invalid { resource: resource.describe(), flaw: excess.into() });
        }
        let brokers = self.brokers.iter().map(Resource::of_broker);
        let triggers = self.triggers.iter().map(Resource::of_trigger);
        let mut by_id = HashMap::with_capacity(self.brokers.len() + self.triggers.len());
        let mut names = HashSet::with_capacity(self.brokers.len() + self.triggers.len());
        for resource in brokers.chain(triggers) {
            let refuse = |flaw| Err(Invalid { resource: resource.describe(), flaw });
            if let Err(flaw) = resource.check() {
                return refuse(flaw);
            }
            if let Some(other) = by_id.insert(resource.id, resource) {
                return refuse(Flaw::SameId { id: resource.id, other: other.describe() });
            }
            if !names.insert((resource.kind, resource.namespace, resource.name)) {
                return refuse(Flaw::SameName);
            }
        }
        if !GRACE_MS_RANGE.contains(&self.grace_ms) {
            let (min, max) = GRACE_MS_RANGE.into_inner();
            let flaw = Flaw::Setting { field: "grace_ms", value: self.grace_ms, min, max };
            return Err(Invalid { resource: "snapshot".into(), flaw });
        }
        for broker in &self.brokers {
            if let Err(flaw) = broker.settings.check().and_then(|()| check_annotations(&broker.annotations)) {
                return Err(Invalid { resource: Resource::of_broker(broker).describe(), flaw });
            }
        }
        for trigger in &self.triggers {
            if by_id.get(&trigger.broker).is_none_or(|found| found.kind != BROKER) {
                let resource = Resource::of_trigger(trigger).describe();
                return Err(Invalid { resource, flaw: Flaw::NoBroker(trigger.broker) });
            }
            if let Err(flaw) = check_trigger(trigger) {
                return Err(Invalid { resource: Resource::of_trigger(trigger).describe(), flaw });
            }
        }
        Ok(())
    }
}

const BROKER: &str = "broker";
const TRIGGER: &str = "trigger";

/// What brokers and triggers have in common.
#[derive(Clone, Copy)]
struct Resource<'a> {
    kind: &'static str,
    id: Id,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Resource<'a> {
    fn of_broker(broker: &'a Broker) -> Self {
        Resource { kind: BROKER, id: broker.id, namespace: &broker.namespace, name: &broker.name }
    }

    fn of_trigger(trigger: &'a Trigger) -> Self {
        Resource { kind: TRIGGER, id: trigger.id, namespace: &trigger.namespace, name: &trigger.name }
    }

    fn describe(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace.escape_debug(), self.name.escape_debug())
    }

    fn check(&self) -> Result<(), Flaw> {
        if self.id.0 == 0 {
            return Err(Flaw::ZeroId);
        }
        for (field, value) in [("namespace", self.namespace), ("name", self.name)] {
            let fits = !value.is_empty() && value.len() <= NAME_BYTES_MAX;
            if !fits || !value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
                return Err(Flaw::Name { field });
            }
        }
        Ok(())
    }
}

fn check_trigger(trigger: &Trigger) -> Result<(), Flaw> {
    check_endpoint("subscriber", &trigger.subscriber)?;
    if let Some(sink) = &trigger.dead_letter {
        check_endpoint("dead_letter", sink)?;
    }
    check_delivery(&trigger.delivery)?;
    check_annotations(&trigger.annotations)?;
    // Before anything else walks the filter: all of that recurses.
    if !depth_is_bounded(&trigger.filter) {
        return Err(Flaw::FilterDepth);
    }
    let problems = eagre_filter::validate(&trigger.filter).err().unwrap_or_default();
    problems.into_iter().next().map_or(Ok(()), |first| Err(Flaw::Filter(first)))
}

fn check_annotations(annotations: &Annotations) -> Result<(), Flaw> {
    let bytes: usize = annotations.iter().map(|(name, value)| name.len() + value.len()).sum();
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    let checks = [
        (annotations.len() <= ANNOTATIONS_MAX, "more than the limit on their number"),
        (bytes <= ANNOTATIONS_BYTES_MAX, "more bytes than the limit on all together"),
        (annotations.keys().all(is_name), "names must be visible ASCII, not empty"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, problem)) => Err(Flaw::Annotations(problem)),
        None => Ok(()),
    }
}

fn check_endpoint(endpoint: &'static str, value: &Endpoint) -> Result<(), Flaw> {
    // Visible ASCII has no byte that could end a header field or a request line.
    let graphic = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let outside = |text: &str, delimiters: &str| !text.contains(|c| delimiters.contains(c));
    let bounded = |text: &str| text.len() <= URI_BYTES_MAX;
    let checks = [
        ("port", value.port != 0, "must not be 0"),
        (
            "uri",
            bounded(&value.uri) && !value.uri.is_empty(),
            "must not be empty, nor longer than the limit on URIs",
        ),
        ("uri", !value.uri.bytes().any(|byte| byte.is_ascii_control()), "must have no control byte"),
        ("host", bounded(&value.host) && graphic(&value.host), "must be visible ASCII, not empty"),
        ("host", outside(&value.host, "/?#@[]"), "must be a name or an address alone"),
        (
            "authority",
            bounded(&value.authority) && graphic(&value.authority),
            "must be visible ASCII, not empty",
        ),
        ("authority", outside(&value.authority, "/?#@"), "must be HOST or HOST:PORT"),
        ("target", value.target.starts_with('/'), "must begin with `/`"),
        ("target", bounded(&value.target) && graphic(&value.target), "must be visible ASCII"),
    ];
    match checks.into_iter().find(|(_, holds, _)| !holds) {
        Some((field, _, demand)) => Err(Flaw::Endpoint { endpoint, field, demand }),
        None => Ok(()),
    }
}

fn check_delivery(delivery: &Delivery) -> Result<(), Flaw> {
    let bounds = [
        ("retry_max", u64::from(delivery.retry_max), u64::from(RETRY_MAX)),
        ("backoff_delay_ms", delivery.backoff_delay_ms, DURATION_MS_MAX),
        ("timeout_ms", delivery.timeout_ms.unwrap_or(0), DURATION_MS_MAX),
        ("retry_after_max_ms", delivery.retry_after_max_ms.unwrap_or(0), DURATION_MS_MAX),
    ];
    match bounds.into_iter().find(|(_, value, max)| value > max) {
        Some((field, value, max)) => Err(Flaw::Delivery { field, value, max }),
        None => Ok(()),
    }
}
