//! Which events a trigger or policy is about.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::Object;
use crate::limits::ATTRIBUTES_MAX;
use crate::rules;

/// The older form of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct TriggerFilter {
    /// Attributes of the event and the values they must have; an empty value takes any.
    #[schemars(extend("maxProperties" = ATTRIBUTES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::attribute_names())]
    pub attributes: Option<BTreeMap<String, String>>,
}

/// A filter in one dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::one_dialect())]
pub struct Filter {
    /// Filters that must all match.
    #[schemars(schema_with = "opaque_list")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<Object>>,
    /// Filters of which one must match.
    #[schemars(schema_with = "opaque_list")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<Object>>,
    /// A filter that must not match.
    #[schemars(schema_with = "opaque")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Object>,
    /// Attributes and the values they must have.
    #[schemars(extend("maxProperties" = ATTRIBUTES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::attribute_names())]
    pub exact: Option<BTreeMap<String, String>>,
    /// Attributes and what their values must begin with.
    #[schemars(extend("maxProperties" = ATTRIBUTES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::attribute_names())]
    pub prefix: Option<BTreeMap<String, String>>,
    /// Attributes and what their values must end with.
    #[schemars(extend("maxProperties" = ATTRIBUTES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::attribute_names())]
    pub suffix: Option<BTreeMap<String, String>>,
    /// An expression of CloudEvents SQL v1 that must be true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cesql: Option<String>,
}

/// Any object.
pub(crate) fn opaque(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn opaque_list(generator: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": opaque(generator)})
}
