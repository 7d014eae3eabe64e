//! Channels by template: another channel stands behind each.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::rules;
use crate::spec::{ChannelTemplate, DeliverySpec, Subscriber};
use crate::status::ChannelStatus;

/// What a Channel should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "messaging.knative.dev",
    version = "v1",
    kind = "Channel",
    plural = "channels",
    shortname = "ch",
    namespaced,
    status = "ChannelStatus",
    derive = "PartialEq",
    doc = "Takes events and delivers them to its Subscriptions, through a channel of the kind that its template names.",
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
#[x_kube(validation = rules::immutable("channelTemplate", "Channel"), validation = rules::no_subscribers())]
pub struct ChannelSpec {
    /// The channel behind this one. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_template: Option<ChannelTemplate>,
    /// How events are delivered to subscriptions that say nothing of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// Stays empty: subscriptions are given to the channel behind this one.
    #[schemars(transform = crate::schema::without_rules)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribers: Vec<Subscriber>,
}
