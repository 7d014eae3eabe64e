//! Upstream's channel in memory. Without a cluster Eagre serves it, as a channel of its own
//! that forgets its events when it stops.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::spec::{DeliverySpec, Subscriber};
use crate::status::ChannelableStatus;

/// What an InMemoryChannel should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "messaging.knative.dev",
    version = "v1",
    kind = "InMemoryChannel",
    plural = "inmemorychannels",
    shortname = "imc",
    namespaced,
    status = "ChannelableStatus",
    derive = "PartialEq",
    doc = "Takes events and delivers them to its Subscriptions; keeps them in memory only.",
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
pub struct InMemoryChannelSpec {
    /// How events are delivered to subscriptions that say nothing of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// The subscriptions, as their controller writes them. Leave it out.
    #[schemars(transform = crate::schema::without_rules)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribers: Vec<Subscriber>,
}
