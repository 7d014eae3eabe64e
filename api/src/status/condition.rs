//! Conditions as knative.dev/pkg has them. Those of Kubernetes' own type will not do: it
//! makes reason and message mandatory and has no severity.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The condition that the others add up to.
pub const READY: &str = "Ready";

/// The severity of a condition that does not count towards [`READY`]; one that counts
/// has none.
pub const INFO: &str = "Info";

/// One aspect of an object's state. Read without a type or status too: a Parallel's may
/// lack them by upstream's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["status", "type"]))]
pub struct Condition {
    /// What it is about, in CamelCase; unique in an object's list.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: ConditionStatus,
    /// Why, in one CamelCase word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `Info` if it does not count towards `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When the condition's content last changed. Always written: an object that copies a
    /// condition without it cannot be stored (contract 10.3).
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell yet; also what any other word is read as.
    #[default]
    #[serde(other)]
    Unknown,
}

impl JsonSchema for ConditionStatus {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConditionStatus".into()
    }

    /// A string like any other, as upstream's schema has it.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}
