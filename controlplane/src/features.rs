//! Knative's feature flags and broker defaults (contract 4.15 and 4.2), as their
//! ConfigMaps say it at the moment.
//!
//! What cannot be read is as if it were not there: these are other people's
//! ConfigMaps, and one slip in them must not stop every broker.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::manifest::{CLASS, Metadata};

/// The data of a ConfigMap.
pub type Data = BTreeMap<String, String>;

/// ConfigMap of the flags, in the namespace that Knative is installed in.
pub const FEATURES: &str = "config-features";
/// ConfigMap of the defaults, beside it.
pub const DEFAULTS: &str = "config-br-defaults";

/// The flags that mean something to brokers and triggers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// A trigger may name a broker of another namespace.
    pub cross_namespace: bool,
    /// Requests must carry tokens.
    pub oidc: bool,
    /// Addresses must be https.
    pub strict_tls: bool,
}

impl Features {
    /// As the ConfigMap says; without one, the defaults.
    pub fn read(data: Option<&Data>) -> Features {
        let is = |key: &str, word: &str| {
            data.and_then(|data| data.get(key)).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
        };
        Features {
            cross_namespace: is("cross-namespace-event-links", "enabled"),
            oidc: is("authentication-oidc", "enabled"),
            strict_tls: is("transport-encryption", "strict"),
        }
    }
}

/// Which class a broker has that names none. Knative's admission writes it into
/// each, so this matters only where that is not installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// `None` without the ConfigMap: then every such broker is ours.
    written: Option<Written>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Written {
    cluster_default: ClassOf,
    namespace_defaults: BTreeMap<String, ClassOf>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClassOf {
    broker_class: String,
}

impl Defaults {
    /// As the ConfigMap says.
    pub fn read(data: Option<&Data>) -> Defaults {
        let text = data.and_then(|data| data.get("default-br-config"));
        let written = text.map(|text| serde_saphyr::from_str(text).unwrap_or_default());
        Defaults { written }
    }

    /// Whether Eagre serves a broker.
    pub fn is_ours(&self, broker: &Metadata) -> bool {
        match (broker.class.as_ref().filter(|class| !class.value.is_empty()), &self.written) {
            (Some(class), _) => class.value == CLASS,
            (None, None) => true,
            (None, Some(written)) => {
                let own =
                    written.namespace_defaults.get(&broker.namespace).map(|default| &default.broker_class);
                let class = own.filter(|class| !class.is_empty());
                class.unwrap_or(&written.cluster_default.broker_class) == CLASS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(key: &str, value: &str) -> Data {
        [(key.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn flags_are_off_unless_their_word_is_there() {
        assert_eq!(Features::read(None), Features::default());
        assert!(Features::read(Some(&data("authentication-oidc", " Enabled "))).oidc);
        assert!(!Features::read(Some(&data("authentication-oidc", "yes"))).oidc);
        assert!(Features::read(Some(&data("transport-encryption", "STRICT"))).strict_tls);
        assert!(Features::read(Some(&data("cross-namespace-event-links", "enabled"))).cross_namespace);
    }

    #[test]
    fn a_broker_without_a_class_has_that_of_its_namespace_or_the_clusters() {
        let broker = |namespace: &str, class: &str| {
            let object = serde_json::json!({
                "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
                "metadata": {"name": "b", "namespace": namespace,
                    "annotations": {"eventing.knative.dev/broker.class": class}},
            });
            let Some(crate::manifest::Object::Broker(broker)) = crate::manifest::read("b", &object) else {
                panic!()
            };
            broker.metadata
        };
        let text = "clusterDefault: {brokerClass: MTChannelBasedBroker}\nnamespaceDefaults: {a: {brokerClass: Eagre}, b: {delivery: {retry: 3}}}\n";
        let defaults = Defaults::read(Some(&data("default-br-config", text)));
        for (namespace, class, ours) in
            [("a", "", true), ("b", "", false), ("c", "", false), ("a", "Kafka", false), ("c", "Eagre", true)]
        {
            assert_eq!(defaults.is_ours(&broker(namespace, class)), ours, "{namespace} {class}");
        }
        assert!(Defaults::read(None).is_ours(&broker("c", "")));
        assert!(!Defaults::read(Some(&data("default-br-config", "[no"))).is_ours(&broker("c", "")));
    }
}
