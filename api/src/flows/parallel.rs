//! Parallels.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::limits::STEPS_MAX;
use crate::rules;
use crate::spec::{ChannelTemplate, DeliverySpec, Destination};
use crate::status::ParallelStatus;

/// What a Parallel should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "flows.knative.dev",
    version = "v1",
    kind = "Parallel",
    plural = "parallels",
    namespaced,
    status = "ParallelStatus",
    derive = "PartialEq",
    doc = "Gives every event to all branches whose filter lets it pass.",
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
#[x_kube(validation = rules::not_empty("branches", "branch"))]
pub struct ParallelSpec {
    /// The branches.
    #[schemars(length(max = STEPS_MAX))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<ParallelBranch>,
    /// The channels before and behind filters; the default of the cluster if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_template: Option<ChannelTemplate>,
    /// Where answers go of branches that say nothing of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub reply: Option<Destination>,
}

/// One branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(validation = rules::required("subscriber", "the subscriber that events of the branch go to"))]
pub struct ParallelBranch {
    /// Lets an event pass by answering with an event; all pass if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub filter: Option<Destination>,
    /// Where the events go that pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub subscriber: Option<Destination>,
    /// Where the subscriber's answers go; to the Parallel's reply if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub reply: Option<Destination>,
    /// How events are delivered to the subscriber.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}
