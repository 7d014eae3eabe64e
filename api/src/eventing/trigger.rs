//! Triggers.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::limits::FILTERS_MAX;
use crate::reference::KReference;
use crate::rules;
use crate::spec::{DeliverySpec, Destination, Filter, TriggerFilter};
use crate::status::TriggerStatus;

/// What a Trigger should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "eventing.knative.dev",
    version = "v1",
    kind = "Trigger",
    plural = "triggers",
    namespaced,
    status = "TriggerStatus",
    derive = "PartialEq",
    doc = "Sends those events of a Broker that pass its filters to a subscriber.",
    category = "all",
    category = "knative",
    category = "eventing",
    label("knative.dev/crd-install", "true"),
    printcolumn(name = "Broker", type_ = "string", json_path = ".spec.broker"),
    printcolumn(name = "Subscriber_URI", type_ = "string", json_path = ".status.subscriberUri"),
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
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(
    validation = rules::broker(),
    validation = rules::immutable_broker(),
    validation = rules::required("subscriber", "the subscriber that events go to")
)]
pub struct TriggerSpec {
    /// Name of the Broker, in the Trigger's namespace. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// The Broker, if it is in another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub broker_ref: Option<KReference>,
    /// Which events pass, in the older form; all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<TriggerFilter>,
    /// Which events pass: those that every filter takes. If there are any, `filter` does not count.
    #[schemars(length(max = FILTERS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<Filter>>,
    /// Where events go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub subscriber: Option<Destination>,
    /// How events are delivered; replaces what the Broker says as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}
