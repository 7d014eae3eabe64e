//! Sequences.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::limits::STEPS_MAX;
use crate::rules;
use crate::spec::{ChannelTemplate, DeliverySpec, Destination};
use crate::status::SequenceStatus;

/// What a Sequence should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "flows.knative.dev",
    version = "v1",
    kind = "Sequence",
    plural = "sequences",
    namespaced,
    status = "SequenceStatus",
    derive = "PartialEq",
    doc = "Gives events to one step after another; each gets what the one before it answers.",
    category = "all",
    category = "knative",
    category = "flows",
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
    )
)]
#[x_kube(validation = rules::not_empty("steps", "step"))]
pub struct SequenceSpec {
    /// The steps, in their order.
    #[schemars(length(max = STEPS_MAX))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<SequenceStep>,
    /// The channel before each step; the default of the cluster if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_template: Option<ChannelTemplate>,
    /// Where the last step's answers go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub reply: Option<Destination>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::destination())]
pub struct SequenceStep {
    /// Who does it.
    #[serde(flatten)]
    pub destination: Destination,
    /// How events are delivered to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}
