//! Where events go, as it is written.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::limits::URI_CHARS_MAX;
use crate::reference::KReference;
use crate::rules;

/// An object that has an address, a URL, or a path below the address of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::destination_uri())]
pub struct Destination {
    /// An object that has an address: a Service, a Broker, a Channel and the like.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::reference())]
    pub ref_: Option<KReference>,
    /// An absolute URL; with `ref`, relative to its address.
    #[schemars(length(max = URI_CHARS_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Certificates to trust there, PEM; instead of the object's own.
    #[serde(rename = "CACerts", skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
    /// Audience of the token to send; instead of the object's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}
