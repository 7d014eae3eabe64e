//! Destinations to endpoints (contract 4.5).
//!
//! Without a cluster only two kinds of reference have an address: a Service,
//! by the name that cluster DNS gives it, and a broker among the manifests, by
//! the ingress URL. In a cluster every object does that tells one in its status,
//! and a Service has to be there.

use std::borrow::Cow;

use eagre_snapshot::{Endpoint, EndpointError};
use thiserror::Error;
use url::Url;

use crate::index::Index;
use crate::manifest::{API_VERSION, Destination, Diagnostic, Place, Reference};
use crate::outcome::{Failure, Target};
use crate::reason;
use crate::referents::{Dependency, Gvk, Known, Referent, Referents};

/// Cluster DNS suffix where nothing else is configured.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Knows the addresses that no manifest tells.
#[derive(Clone, Debug)]
pub struct Resolver {
    ingress: String,
    cluster_domain: String,
}

/// The objects that a reference may lead to.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'w> {
    /// Brokers among them.
    pub index: &'w Index,
    /// All others, in a cluster.
    pub referents: Option<&'w Referents>,
}

/// Where a reference leads, before a relative URI is added.
struct Base {
    url: String,
    ca_certs: Option<String>,
    audience: Option<String>,
}

/// An ingress URL that brokers cannot be addressed with.
#[derive(Debug, Error)]
#[error("`{url}` cannot be the ingress URL: {reason}; write http://HOST:PORT")]
pub struct IngressUrlError {
    url: String,
    reason: String,
}

impl Resolver {
    /// `ingress` is the base URL of the ingress: a broker's path is added to it.
    pub fn new(ingress: &str) -> Result<Resolver, IngressUrlError> {
        let refuse = |reason: String| Err(IngressUrlError { url: ingress.to_owned(), reason });
        match Url::parse(ingress) {
            Err(error) => return refuse(error.to_string()),
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                return refuse("it has a query or a fragment".to_owned());
            }
            Ok(_) => {}
        }
        if let Err(error) = Endpoint::parse(ingress) {
            return refuse(error.to_string());
        }
        let (ingress, cluster_domain) = (ingress.trim_end_matches('/').to_owned(), CLUSTER_DOMAIN.to_owned());
        Ok(Resolver { ingress, cluster_domain })
    }

    /// The same, in a cluster with another DNS suffix.
    #[must_use]
    pub fn in_domain(self, cluster_domain: &str) -> Resolver {
        Resolver { cluster_domain: cluster_domain.to_owned(), ..self }
    }

    /// The URL of a broker.
    pub fn broker_url(&self, namespace: &str, name: &str) -> String {
        format!("{}/{namespace}/{name}", self.ingress)
    }

    /// Where a destination leads whose owner lives in `namespace`; `reason` is that of
    /// a failure.
    pub fn resolve(
        &self,
        destination: &Destination,
        namespace: &str,
        around: Surroundings<'_>,
        reason: &'static str,
    ) -> Result<Target, Failure> {
        let refuse = |remark| Failure::certain(reason, remark);
        let base = match &destination.reference {
            Some(reference) => Some(self.base(reference, namespace, destination, around, reason)?),
            None => None,
        };
        let (uri, place) = match (&base, &destination.uri) {
            (None, Some(uri)) => (uri.value.clone(), &uri.place),
            (None, None) => (String::new(), &destination.place),
            (Some(base), None) => {
                (base.url.clone(), &destination.reference.as_ref().expect("it has a base").place)
            }
            (Some(Base { url, .. }), Some(uri)) => {
                let joined = Url::parse(url).and_then(|base| base.join(&uri.value)).map_err(|error| {
                    let message = format!("`{}` cannot be resolved against {url}: {error}", uri.value);
                    refuse(Diagnostic::error(&uri.place, message, "write a path such as /orders"))
                })?;
                (joined.to_string(), &uri.place)
            }
        };
        let endpoint = Endpoint::parse(&uri).map_err(|error| {
            let hint = match error {
                EndpointError::Syntax { .. } => "write http://HOST:PORT/PATH",
                // The others say it themselves.
                _ => "",
            };
            refuse(Diagnostic::error(place, error.to_string(), hint))
        })?;
        let (ca_certs, audience) = base.map_or((None, None), |base| (base.ca_certs, base.audience));
        let ca_certs = destination.ca_certs.clone().or(ca_certs);
        let audience = destination.audience.clone().or(audience);
        Ok(Target { endpoint, ca_certs, audience })
    }

    fn base(
        &self,
        reference: &Reference,
        namespace: &str,
        destination: &Destination,
        around: Surroundings<'_>,
        reason: &'static str,
    ) -> Result<Base, Failure> {
        let namespace = reference.namespace.as_deref().unwrap_or(namespace);
        let Reference { api_version, kind, name, .. } = reference;
        let of_url = |url| Base { url, ca_certs: None, audience: None };
        match (api_version.as_str(), kind.as_str(), around.referents) {
            ("v1", "Service", referents) => {
                if let Some(referents) = referents {
                    found(referents, reference, namespace, reason)?;
                }
                let scheme = if destination.ca_certs.is_some() { "https" } else { "http" };
                Ok(of_url(format!("{scheme}://{name}.{namespace}.svc.{}", self.cluster_domain)))
            }
            (API_VERSION, "Broker", referents) => match (around.index.broker(namespace, name), referents) {
                (Some(broker), None) if broker.is_ours() => Ok(of_url(self.broker_url(namespace, name))),
                (Some(broker), Some(referents)) if referents.defaults.is_ours(&broker.metadata) => {
                    Ok(of_url(self.broker_url(namespace, name)))
                }
                (Some(_), Some(referents)) => {
                    address(found(referents, reference, namespace, reason)?, reference, namespace, reason)
                }
                (Some(_), None) => {
                    let message = format!(
                        "broker {namespace}/{name} is of another class; its address is not known here"
                    );
                    let hint = "give its address with `uri`";
                    Err(Failure::certain(reason, Diagnostic::error(&reference.place, message, hint)))
                }
                (None, _) => {
                    let message = format!("there is no broker {namespace}/{name}");
                    let hint = "add the broker, or give an address with `uri`";
                    Err(Failure::certain(reason, Diagnostic::error(&reference.place, message, hint)))
                }
            },
            (_, _, Some(referents)) => {
                address(found(referents, reference, namespace, reason)?, reference, namespace, reason)
            }
            (version, kind, None) => {
                let message =
                    format!("the address of {kind} {name} ({version}) is not known without a cluster");
                let hint = "give its address with `uri`";
                Err(Failure::certain(reason, Diagnostic::error(&reference.place, message, hint)))
            }
        }
    }
}

/// The object that a reference names.
fn found<'r>(
    referents: &'r Referents,
    reference: &Reference,
    namespace: &str,
    reason: &'static str,
) -> Result<&'r Referent, Failure> {
    let Reference { api_version, kind, name, place, .. } = reference;
    let gvk = Gvk { api_version: api_version.clone(), kind: kind.clone() };
    let key = (namespace.to_owned(), name.clone());
    let what = format!("{kind} {namespace}/{name} ({api_version})");
    match referents.get(&gvk, &key) {
        Known::Present(referent) => Ok(referent),
        Known::Absent => {
            let hint = "create it, or correct the reference";
            let remark = Diagnostic::error(place, format!("there is no {what}"), hint);
            Err(Failure::certain(reason, remark))
        }
        Known::Pending => {
            let remark = Diagnostic::error(place, format!("{what} has not been looked up yet"), "");
            Err(Failure::unknown(reason, remark))
        }
        Known::Unwatchable(why) => {
            let remark = Diagnostic::error(place, format!("{what} cannot be looked up: {why}"), "");
            Err(Failure::certain(reason, remark))
        }
    }
}

/// The address of an object that tells one in its status.
fn address(
    referent: &Referent,
    reference: &Reference,
    namespace: &str,
    reason: &'static str,
) -> Result<Base, Failure> {
    let Reference { kind, name, place, .. } = reference;
    let refuse = |message, hint: &str| Err(Failure::certain(reason, Diagnostic::error(place, message, hint)));
    let chosen = match &reference.address {
        None => referent.addresses.first(),
        Some(wanted) => referent.addresses.iter().find(|address| address.name.as_deref() == Some(wanted)),
    };
    let Some(address) = chosen else {
        return match &reference.address {
            Some(wanted) => refuse(
                format!("{kind} {namespace}/{name} has no address that is called `{wanted}`"),
                "see status.addresses for those it has",
            ),
            None => refuse(format!("{kind} {namespace}/{name} has no address"), "wait until it is ready"),
        };
    };
    let Some(url) = address.url.clone().filter(|url| !url.is_empty()) else {
        return refuse(format!("{kind} {namespace}/{name} has an address without a URL"), "");
    };
    Ok(Base { url, ca_certs: address.ca_certs.clone(), audience: address.audience.clone() })
}

/// Whether what a trigger waits for is ready (contract 4.3).
pub fn dependency(text: &str, place: &Place, namespace: &str, referents: &Referents) -> Result<(), Failure> {
    use eagre_api::status::ConditionStatus;

    let remark = |message: String| Diagnostic::error(place, message, "");
    let dependency = Dependency::read(text).map_err(|error| {
        let hint = r#"write {"apiVersion": …, "kind": …, "name": …}"#;
        let message = format!("annotation `knative.dev/dependency` names no object: {error}");
        Failure::certain(reason::DEPENDENCY_REFERENCE, Diagnostic::error(place, message, hint))
    })?;
    if dependency.namespace.as_deref().is_some_and(|other| other != namespace) {
        let message = "a dependency lives in the trigger's own namespace".to_owned();
        return Err(Failure::certain(reason::DEPENDENCY_REFERENCE, remark(message)));
    }
    let what = format!("{} {namespace}/{}", dependency.gvk.kind, dependency.name);
    let referent = match referents.get(&dependency.gvk, &(namespace.to_owned(), dependency.name)) {
        Known::Present(referent) => referent,
        Known::Absent => {
            return Err(Failure::certain(reason::NO_DEPENDENCY, remark(format!("there is no {what}"))));
        }
        Known::Pending => {
            let message = format!("{what} has not been looked up yet");
            return Err(Failure::unknown(reason::DEPENDENCY_PENDING, remark(message)));
        }
        Known::Unwatchable(why) => {
            let message = format!("{what} cannot be looked up: {why}");
            return Err(Failure::unknown(reason::DEPENDENCY_UNWATCHABLE, remark(message)));
        }
    };
    if referent.observed_generation.is_some_and(|observed| observed != referent.generation) {
        let message = format!(
            "{what} is at generation {}, and its controller at {}",
            referent.generation,
            referent.observed_generation.unwrap_or_default()
        );
        return Err(Failure::unknown(reason::DEPENDENCY_GENERATION, remark(message)));
    }
    let Some(ready) = &referent.ready else {
        let message = format!("{what} has no condition `Ready` yet");
        return Err(Failure::unknown(reason::DEPENDENCY_UNKNOWN, remark(message)));
    };
    let message = ready.message.clone().unwrap_or_else(|| format!("{what} is not ready"));
    let said = |default: &'static str| -> Cow<'static, str> {
        ready.reason.clone().map_or(Cow::Borrowed(default), Cow::Owned)
    };
    match ready.status {
        ConditionStatus::True => Ok(()),
        ConditionStatus::False => Err(Failure::certain(said("DependencyNotReady"), remark(message))),
        ConditionStatus::Unknown => Err(Failure::unknown(said(reason::DEPENDENCY_UNKNOWN), remark(message))),
    }
}
