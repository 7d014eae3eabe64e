//! Groups, versions, kinds, and the keys of labels and annotations, in one place.
//!
//! The `kube` attributes of the types repeat what they need of it, since a derive
//! takes literals only; a test holds them together.

/// A kind as an API server addresses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// API group; never empty.
    pub group: &'static str,
    /// The version that Eagre reads and writes.
    pub version: &'static str,
    /// CamelCase.
    pub kind: &'static str,
    /// What stands in a path.
    pub plural: &'static str,
}

impl Kind {
    /// `group/version`, as in an object's `apiVersion`.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The name of the kind's CustomResourceDefinition.
    pub fn crd_name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }
}

/// Group of brokers, triggers, event types and policies.
pub const EVENTING: &str = "eventing.knative.dev";
/// Group of channels and subscriptions.
pub const MESSAGING: &str = "messaging.knative.dev";
/// Group of sequences and parallels.
pub const FLOWS: &str = "flows.knative.dev";

const fn kind(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, kind, plural }
}

/// Brokers, of any class.
pub const BROKER: Kind = kind(EVENTING, "v1", "Broker", "brokers");
/// Triggers.
pub const TRIGGER: Kind = kind(EVENTING, "v1", "Trigger", "triggers");
/// Event types as auto-creation writes them; stored as [`EVENT_TYPE_STORED`].
pub const EVENT_TYPE: Kind = kind(EVENTING, "v1beta3", "EventType", "eventtypes");
/// The version that an API server stores event types in.
pub const EVENT_TYPE_STORED: &str = "v1beta2";
/// Who may send to what.
pub const EVENT_POLICY: Kind = kind(EVENTING, "v1alpha1", "EventPolicy", "eventpolicies");
/// Channels by template.
pub const CHANNEL: Kind = kind(MESSAGING, "v1", "Channel", "channels");
/// Subscriptions to a channel.
pub const SUBSCRIPTION: Kind = kind(MESSAGING, "v1", "Subscription", "subscriptions");
/// Upstream's channel in memory; Eagre serves it in file mode.
pub const IN_MEMORY_CHANNEL: Kind = kind(MESSAGING, "v1", "InMemoryChannel", "inmemorychannels");
/// Eagre's own channel. Upstream guesses the plural from the kind.
pub const EAGRE_CHANNEL: Kind = kind(MESSAGING, "v1alpha1", "EagreChannel", "eagrechannels");
/// Steps one after the other.
pub const SEQUENCE: Kind = kind(FLOWS, "v1", "Sequence", "sequences");
/// Branches beside each other.
pub const PARALLEL: Kind = kind(FLOWS, "v1", "Parallel", "parallels");

/// The broker class of Eagre, a value of [`annotation::BROKER_CLASS`].
pub const CLASS: &str = "Eagre";

/// Keys of annotations.
pub mod annotation {
    /// What Eagre's own begin with.
    pub const OWN: &str = "eagre.eventing.knative.dev/";
    /// Which controller a broker belongs to; never changes.
    pub const BROKER_CLASS: &str = "eventing.knative.dev/broker.class";
    /// A trigger waits for the object named here, a JSON object reference.
    pub const DEPENDENCY: &str = "knative.dev/dependency";
    /// `cluster` or `namespace`: where upstream's in-memory channel is served.
    pub const SCOPE: &str = "eventing.knative.dev/scope";
    /// Version of the channelable contract that a channel follows, `v1`.
    pub const SUBSCRIBABLE: &str = "messaging.knative.dev/subscribable";
    /// Who created an object.
    pub const CREATOR: &str = "eventing.knative.dev/creator";
    /// Who changed an object last.
    pub const LAST_MODIFIER: &str = "eventing.knative.dev/lastModifier";
}

/// Keys of labels.
pub mod label {
    /// A trigger's broker.
    pub const BROKER: &str = "eventing.knative.dev/broker";
    /// `enabled` or `disabled` on a namespace or trigger: whether a broker is made.
    pub const INJECTION: &str = "eventing.knative.dev/injection";
    /// On a broker that was made so.
    pub const INJECTED: &str = "eventing.knative.dev/injected";
    /// On the ServiceAccount of an identity.
    pub const OIDC: &str = "eventing.knative.dev/oidc";
    /// On a CustomResourceDefinition that comes with an installation.
    pub const CRD_INSTALL: &str = "knative.dev/crd-install";
    /// On a definition whose objects have an address, and on roles that read them.
    pub const ADDRESSABLE: &str = "duck.knative.dev/addressable";
    /// On roles that may write to a channel's list of subscribers.
    pub const CHANNELABLE: &str = "duck.knative.dev/channelable";
    /// On roles that may subscribe from another namespace.
    pub const CROSS_NAMESPACE: &str = "duck.knative.dev/crossnamespace-subscribable";
    /// On a definition whose objects take subscriptions.
    pub const SUBSCRIBABLE: &str = "messaging.knative.dev/subscribable";
}
