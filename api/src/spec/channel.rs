//! Channels by template, and what a channel is told of its subscribers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::opaque;
use super::{DeliverySpec, Object};
use crate::status::{Auth, ResolvedReply, ResolvedSubscriber};

/// The kind of channel to make, and its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelTemplate {
    /// `group/version` of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Spec of the channel, given to it as it is.
    #[schemars(schema_with = "opaque")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Object>,
}

/// A Subscription as its controller writes it into the channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscriber {
    /// UID of the Subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Generation of the Subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Name of the Subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the Subscription, if it is not the channel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where its events go.
    #[serde(flatten)]
    pub subscriber: ResolvedSubscriber,
    /// Where the answers go.
    #[serde(flatten)]
    pub reply: ResolvedReply,
    /// How events are delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// The identity that its events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}
