//! Subscriptions.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::reference::KReference;
use crate::rules;
use crate::schema::{open, open_ref};
use crate::spec::{DeliverySpec, Destination};
use crate::status::SubscriptionStatus;

/// What a Subscription should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "messaging.knative.dev",
    version = "v1",
    kind = "Subscription",
    plural = "subscriptions",
    shortname = "sub",
    namespaced,
    status = "SubscriptionStatus",
    derive = "PartialEq",
    doc = "Sends the events of a channel to a subscriber, and its answers to another place.",
    category = "all",
    category = "knative",
    category = "messaging",
    label("knative.dev/crd-install", "true"),
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
#[x_kube(
    validation = rules::required("channel", "the channel whose events are wanted"),
    validation = rules::required("subscriber", "the subscriber that events go to"),
    validation = rules::immutable("channel", "Subscription")
)]
pub struct SubscriptionSpec {
    /// The channel. Never changes.
    #[schemars(transform = open)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub channel: Option<KReference>,
    /// Where events go.
    #[schemars(transform = open_ref)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub subscriber: Option<Destination>,
    /// Where the subscriber's answers go; nowhere if left out or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Destination>,
    /// How events are delivered; replaces what the channel says as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}
