//! Event policies.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{FILTERS_MAX, POLICY_ENTRIES_MAX, SUBJECT_CHARS_MAX};
use crate::reference::KReference;
use crate::rules;
use crate::spec::Filter;
use crate::status::EventPolicyStatus;

/// What an EventPolicy should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "eventing.knative.dev",
    version = "v1alpha1",
    kind = "EventPolicy",
    plural = "eventpolicies",
    namespaced,
    status = "EventPolicyStatus",
    derive = "PartialEq",
    doc = "Who may send events to which resources of its namespace.",
    category = "all",
    category = "knative",
    category = "eventing",
    label("knative.dev/crd-install", "true"),
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
pub struct EventPolicySpec {
    /// Who may send.
    #[schemars(length(max = POLICY_ENTRIES_MAX))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<PolicySource>,
    /// To what; everything in the policy's namespace if left out.
    #[schemars(length(max = POLICY_ENTRIES_MAX))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<PolicyTarget>,
    /// Which events: those that every filter takes.
    #[schemars(length(max = FILTERS_MAX))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
}

/// Somebody who may send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::either("ref", "sub"))]
pub struct PolicySource {
    /// An object that sends with an identity of its own.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub ref_: Option<KReference>,
    /// The subject of a token; a `*` at the end takes any continuation.
    #[schemars(length(max = SUBJECT_CHARS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::subject())]
    pub sub: Option<String>,
}

/// Something that takes events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::either("ref", "selector"))]
pub struct PolicyTarget {
    /// One object.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub ref_: Option<KReference>,
    /// Objects of one kind by their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::kind())]
    pub selector: Option<TargetSelector>,
}

/// Objects of one kind by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSelector {
    /// `group/version` of the objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Labels and the values they must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// What else must hold of labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<TargetRequirement>,
}

/// What must hold of one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetRequirement {
    /// Key of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
