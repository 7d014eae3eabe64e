//! Event types.
//!
//! Upstream has three versions of them and a webhook that converts one into another:
//! `v1beta1` and `v1beta2` have fields, `v1beta3` a list of attributes. Without that
//! webhook an API server changes nothing but `apiVersion`, and would drop what the schema
//! of the stored version lacks. So all versions have all fields here, and an object stays
//! in the form it was written in.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::KReference;
use crate::status::EventTypeStatus;

/// What an EventType should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "eventing.knative.dev",
    version = "v1beta3",
    kind = "EventType",
    plural = "eventtypes",
    namespaced,
    status = "EventTypeStatus",
    derive = "PartialEq",
    doc = "A kind of event that can be had from a resource.",
    category = "all",
    category = "knative",
    category = "eventing",
    label("knative.dev/crd-install", "true"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.attributes[?(@.name=='type')].value"),
    printcolumn(
        name = "Source",
        type_ = "string",
        json_path = ".spec.attributes[?(@.name=='source')].value"
    ),
    printcolumn(name = "Reference Name", type_ = "string", json_path = ".spec.reference.name"),
    printcolumn(name = "Reference Kind", type_ = "string", json_path = ".spec.reference.kind"),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
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
pub struct EventTypeSpec {
    /// Where such events can be had, a Broker for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<KReference>,
    /// What such an event tells, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Attributes of such events, with their values or templates of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<EventAttribute>,
    /// The attribute `type`, in the older form.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The attribute `source`, in the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The attribute `dataschema`, in the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The schema itself. Deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_data: Option<String>,
    /// Name of a Broker. Deprecated: `reference` says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
}

/// An attribute of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventAttribute {
    /// Its name.
    pub name: String,
    /// Whether every such event has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Its value, or a template with `{placeholders}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
