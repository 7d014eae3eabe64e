//! Eagre's own channel: all that upstream's controllers ask of one, and a word on what its
//! events survive.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::{DeliverySpec, Subscriber};
use crate::status::ChannelableStatus;

/// What an EagreChannel should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "messaging.knative.dev",
    version = "v1alpha1",
    kind = "EagreChannel",
    plural = "eagrechannels",
    shortname = "ech",
    namespaced,
    status = "ChannelableStatus",
    derive = "PartialEq",
    doc = "Takes events, keeps them, and delivers them to its Subscriptions.",
    category = "all",
    category = "knative",
    category = "messaging",
    category = "channel",
    label("knative.dev/crd-install", "true"),
    label("messaging.knative.dev/subscribable", "true"),
    label("duck.knative.dev/addressable", "true"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.address.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    )
)]
pub struct EagreChannelSpec {
    /// What events survive that were acknowledged: `durable`, a crash, as the log of the data
    /// plane is set; `memory`, nothing beyond the process that has them.
    #[serde(default, skip_serializing_if = "Durability::is_durable")]
    pub durability: Durability,
    /// How events are delivered to subscriptions that say nothing of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// The subscriptions, as their controller writes them. Leave it out.
    #[schemars(transform = crate::schema::without_rules)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribers: Vec<Subscriber>,
}

/// Where a channel keeps events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// In the log.
    #[default]
    Durable,
    /// In memory.
    Memory,
}

impl Durability {
    fn is_durable(&self) -> bool {
        *self == Durability::Durable
    }
}
