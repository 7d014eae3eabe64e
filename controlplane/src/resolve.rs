//! Destinations to endpoints (contract 4.5).
//!
//! Without a cluster only two kinds of reference have an address: a Service,
//! by the name that cluster DNS gives it, and a broker among the manifests, by
//! the ingress URL.

use eagre_snapshot::{Endpoint, EndpointError};
use thiserror::Error;
use url::Url;

use crate::index::Index;
use crate::manifest::{API_VERSION, Destination, Diagnostic, Reference};

/// Cluster DNS suffix where nothing else is configured.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Knows the addresses that no manifest tells.
#[derive(Clone, Debug)]
pub struct Resolver {
    ingress: String,
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
        Ok(Resolver { ingress: ingress.trim_end_matches('/').to_owned() })
    }

    /// The URL of a broker.
    pub fn broker_url(&self, namespace: &str, name: &str) -> String {
        format!("{}/{namespace}/{name}", self.ingress)
    }

    /// The endpoint of a destination whose owner lives in `namespace`.
    pub fn resolve(
        &self,
        destination: &Destination,
        namespace: &str,
        index: &Index,
    ) -> Result<Endpoint, Diagnostic> {
        let (uri, place) = match (&destination.reference, &destination.uri) {
            (None, Some(uri)) => (uri.value.clone(), &uri.place),
            (None, None) => (String::new(), &destination.place),
            (Some(reference), None) => (self.base(reference, namespace, index)?, &reference.place),
            (Some(reference), Some(uri)) => {
                let base = self.base(reference, namespace, index)?;
                let joined = Url::parse(&base).and_then(|base| base.join(&uri.value)).map_err(|error| {
                    let message = format!("`{}` cannot be resolved against {base}: {error}", uri.value);
                    Diagnostic::error(&uri.place, message, "write a path such as /orders")
                })?;
                (joined.to_string(), &uri.place)
            }
        };
        Endpoint::parse(&uri).map_err(|error| {
            let hint = match error {
                EndpointError::Syntax { .. } => "write http://HOST:PORT/PATH",
                // The others say it themselves.
                _ => "",
            };
            Diagnostic::error(place, error.to_string(), hint)
        })
    }

    fn base(&self, reference: &Reference, namespace: &str, index: &Index) -> Result<String, Diagnostic> {
        let namespace = reference.namespace.as_deref().unwrap_or(namespace);
        let name = &reference.name;
        match (reference.api_version.as_str(), reference.kind.as_str()) {
            ("v1", "Service") => Ok(format!("http://{name}.{namespace}.svc.{CLUSTER_DOMAIN}")),
            (API_VERSION, "Broker") => match index.broker(namespace, name) {
                Some(broker) if broker.is_ours() => Ok(self.broker_url(namespace, name)),
                Some(_) => {
                    let message = format!(
                        "broker {namespace}/{name} is of another class; its address is not known here"
                    );
                    Err(Diagnostic::error(&reference.place, message, "give its address with `uri`"))
                }
                None => {
                    let message = format!("there is no broker {namespace}/{name}");
                    Err(Diagnostic::error(
                        &reference.place,
                        message,
                        "add the broker, or give an address with `uri`",
                    ))
                }
            },
            (version, kind) => {
                let message =
                    format!("the address of {kind} {name} ({version}) is not known without a cluster");
                Err(Diagnostic::error(&reference.place, message, "give its address with `uri`"))
            }
        }
    }
}
