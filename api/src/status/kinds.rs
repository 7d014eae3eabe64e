//! The status of each kind of the groups eventing and messaging.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{
    AddressStatus, AppliedEventPolicy, Auth, DeadLetterSinkStatus, ResolvedReply, ResolvedSubscriber, Status,
    SubscriberStatus,
};
use crate::reference::KReference;

/// What became of a Broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where it takes events.
    #[serde(flatten)]
    pub address: AddressStatus,
    /// Where those of its triggers go that cannot be delivered.
    #[serde(flatten)]
    pub dead_letter_sink: DeadLetterSinkStatus,
    /// The policies in force for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AppliedEventPolicy>,
}

/// What became of a Trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where its events go.
    #[serde(flatten)]
    pub subscriber: ResolvedSubscriber,
    /// Where those go that cannot be delivered.
    #[serde(flatten)]
    pub dead_letter_sink: DeadLetterSinkStatus,
    /// The identity that its events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// What became of a channel that keeps events itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelableStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where it takes events.
    #[serde(flatten)]
    pub address: AddressStatus,
    /// Where those go that cannot be delivered.
    #[serde(flatten)]
    pub dead_letter_sink: DeadLetterSinkStatus,
    /// What became of each subscriber.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribers: Vec<SubscriberStatus>,
    /// The policies in force for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AppliedEventPolicy>,
    /// Where dead letters went in the days before sinks. Only read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_channel: Option<KReference>,
}

/// What became of a Channel that another stands behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// As that of the channel behind it.
    #[serde(flatten)]
    pub channelable: ChannelableStatus,
    /// The channel behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<KReference>,
}

/// What became of a Subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// Where its events, replies and dead letters go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_subscription: Option<PhysicalSubscription>,
    /// The identity that its events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// The addresses that a Subscription comes down to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhysicalSubscription {
    /// Of its subscriber.
    #[serde(flatten)]
    pub subscriber: ResolvedSubscriber,
    /// Of its reply.
    #[serde(flatten)]
    pub reply: ResolvedReply,
    /// Of its dead letter sink.
    #[serde(flatten)]
    pub dead_letter_sink: DeadLetterSinkStatus,
}

/// What became of an EventType.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventTypeStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
}

/// What became of an EventPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventPolicyStatus {
    /// Generation, conditions, annotations.
    #[serde(flatten)]
    pub status: Status,
    /// The subjects that `spec.from` comes down to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}
