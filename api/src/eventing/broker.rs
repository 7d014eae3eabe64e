//! Brokers. Their class is an annotation, of which no rule of a schema knows: [`crate::admission`].

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::reference::KReference;
use crate::rules;
use crate::spec::DeliverySpec;
use crate::status::BrokerStatus;

/// What a Broker should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "eventing.knative.dev",
    version = "v1",
    kind = "Broker",
    plural = "brokers",
    namespaced,
    status = "BrokerStatus",
    derive = "PartialEq",
    doc = "Takes events, keeps them, and delivers them to the subscribers of its Triggers.",
    category = "all",
    category = "knative",
    category = "eventing",
    label("knative.dev/crd-install", "true"),
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
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = r".metadata.annotations.eventing\.knative\.dev/broker\.class",
        priority = 1
    )
)]
#[x_kube(validation = rules::immutable("config", "Broker"))]
pub struct BrokerSpec {
    /// The ConfigMap with the Broker's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub config: Option<KReference>,
    /// How events are delivered to Triggers that say nothing of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}
