//! What several kinds have in their status. Kinds flatten these into themselves, as
//! upstream's embed theirs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, ConditionStatus};

/// Where an object takes events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Addressable {
    /// `http` or `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Absolute URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Certificates to trust there, PEM.
    #[serde(rename = "CACerts", skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
    /// Audience that a token for it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// An EventPolicy that is in force for an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedEventPolicy {
    /// `group/version` of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its name, in the object's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The identity that an object sends events with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// Its ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Its ServiceAccounts, of kinds that have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_names: Option<Vec<String>>,
}

/// What became of one subscriber of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberStatus {
    /// UID of the Subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Generation of the Subscription that this speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `True`, `False` or `Unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<ConditionStatus>,
    /// Why not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The identity that the subscription's events are sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// The part that every status has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Generation of the object that the rest speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Aspects of its state, sorted by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What a controller tells beyond them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The part of an object that takes events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressStatus {
    /// The address that people and columns see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Addressable>,
    /// All addresses, the preferred first. Whoever resolves the object takes these, if
    /// there are any, and looks at `address` only else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Addressable>,
}

/// The part of an object that has a dead letter sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterSinkStatus {
    /// Where events go that cannot be delivered, as an absolute URL.
    #[serde(rename = "deadLetterSinkUri", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Certificates to trust there, PEM.
    #[serde(rename = "deadLetterSinkCACerts", skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
    /// Audience that a token for it must have.
    #[serde(rename = "deadLetterSinkAudience", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// The part of an object that has a subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedSubscriber {
    /// Where its events go, as an absolute URL.
    #[serde(rename = "subscriberUri", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Certificates to trust there, PEM.
    #[serde(rename = "subscriberCACerts", skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
    /// Audience that a token for it must have.
    #[serde(rename = "subscriberAudience", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// The part of an object that sends replies on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedReply {
    /// Where replies go, as an absolute URL.
    #[serde(rename = "replyUri", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Certificates to trust there, PEM.
    #[serde(rename = "replyCACerts", skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
    /// Audience that a token for it must have.
    #[serde(rename = "replyAudience", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}
