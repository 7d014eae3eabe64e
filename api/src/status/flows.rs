//! The status of the kinds of the group flows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::parts::{AddressStatus, AppliedEventPolicy, Auth, Status};
use crate::reference::ObjectReference;
use crate::schema::lenient_conditions;

/// What became of a Sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SequenceStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where its first step takes events.
    #[serde(flatten)]
    pub address: AddressStatus,
    /// The channel before each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_statuses: Vec<ChannelReadiness>,
    /// The subscription of each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscription_statuses: Vec<SubscriptionReadiness>,
    /// The identity that its events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The policies in force for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AppliedEventPolicy>,
}

/// What became of a Parallel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = lenient_conditions)]
pub struct ParallelStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where it takes events.
    #[serde(flatten)]
    pub address: AddressStatus,
    /// The channel before all branches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_channel_status: Option<ChannelReadiness>,
    /// What became of each branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branch_statuses: Vec<BranchStatus>,
    /// The identity that its events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The policies in force for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AppliedEventPolicy>,
}

/// What became of one branch of a Parallel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchStatus {
    /// The subscription that asks the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_subscription_status: Option<SubscriptionReadiness>,
    /// The channel behind the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_channel_status: Option<ChannelReadiness>,
    /// The subscription that serves the subscriber.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber_subscription_status: Option<SubscriptionReadiness>,
}

/// A channel of a flow, and whether it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelReadiness {
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<ObjectReference>,
    /// Its condition `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Condition>,
}

/// A subscription of a flow, and whether it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubscriptionReadiness {
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<ObjectReference>,
    /// Its condition `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Condition>,
}
