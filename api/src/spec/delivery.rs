//! How events are delivered.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Destination;
use crate::limits::DURATION_CHARS_MAX;
use crate::rules;

/// Retries, their pace, and what becomes of events that cannot be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct DeliverySpec {
    /// Where events go that cannot be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::destination())]
    pub dead_letter_sink: Option<Destination>,
    /// Attempts after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::retry())]
    pub retry: Option<i32>,
    /// How the wait between attempts grows: `linear` or `exponential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::backoff_policy())]
    pub backoff_policy: Option<String>,
    /// The unit of that wait, an ISO 8601 duration such as PT0.2S.
    #[schemars(length(max = DURATION_CHARS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::duration())]
    pub backoff_delay: Option<String>,
    /// Time for one attempt, an ISO 8601 duration above zero such as PT30S.
    #[schemars(length(max = DURATION_CHARS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::timeout())]
    pub timeout: Option<String>,
    /// The longest `Retry-After` of a subscriber that is heeded, an ISO 8601 duration.
    #[schemars(length(max = DURATION_CHARS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::duration())]
    pub retry_after_max: Option<String>,
    /// Content mode of requests, `json` (structured) or `binary`; as the event came if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::format())]
    pub format: Option<String>,
}
