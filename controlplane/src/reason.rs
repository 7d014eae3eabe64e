//! Reasons of conditions: words that programs go by, so all are in one place.
//!
//! Those of upstream are upstream's, also where they are sentences (contract 4.2
//! and 4.3).

/// A broker's settings are not to be used.
pub const CONFIG_INVALID: &str = "ConfigInvalid";
/// The ConfigMap that a broker names is not there.
pub const CONFIG_NOT_FOUND: &str = "ConfigNotFound";
/// The ConfigMap that a broker names has not been heard of, or cannot be read.
pub const CONFIG_UNKNOWN: &str = "ConfigGetFailed";
/// Something in the spec cannot be used.
pub const SPEC_INVALID: &str = "SpecInvalid";

/// There is no dead letter sink.
pub const NO_SINK: &str = "DeadLetterSinkNotConfigured";
/// A dead letter sink leads nowhere.
pub const SINK_UNRESOLVED: &str = "Unable to get the DeadLetterSink's URI";
/// A subscriber leads nowhere.
pub const SUBSCRIBER_UNRESOLVED: &str = "Unable to get the Subscriber's URI";

/// Authorization is off.
pub const OIDC_DISABLED: &str = "OIDCDisabled";
/// Authorization is asked for, and not enforced yet.
pub const OIDC_UNSUPPORTED: &str = "AuthorizationNotSupported";
/// Encryption is asked for, and not there yet.
pub const TLS_UNSUPPORTED: &str = "TransportEncryptionNotSupported";
/// Why there is an identity that nobody needs.
pub const OIDC_IDENTITY_DISABLED: &str = "authentication-oidc feature disabled";
/// There is no identity for a trigger.
pub const OIDC_IDENTITY_UNSUPPORTED: &str =
    "authentication-oidc feature not yet supported for this Broker class";

/// There is no address.
pub const NO_ADDRESS: &str = "NoAddress";

/// A trigger's broker is not there.
pub const NO_BROKER: &str = "BrokerDoesNotExist";
/// A trigger may not have that broker.
pub const BROKER_REFUSED: &str = "FailedToGetBroker";

/// What a trigger waits for is not named properly.
pub const DEPENDENCY_REFERENCE: &str = "ReferenceError";
/// What a trigger waits for is not there.
pub const NO_DEPENDENCY: &str = "DependencyDoesNotExist";
/// The kind that a trigger waits for cannot be watched.
pub const DEPENDENCY_UNWATCHABLE: &str = "ListerDoesNotExist";
/// What a trigger waits for has not been heard of yet.
pub const DEPENDENCY_PENDING: &str = "DependencyGetFailed";
/// What a trigger waits for has been edited and not been looked at since.
pub const DEPENDENCY_GENERATION: &str = "GenerationNotEqual";
/// What a trigger waits for has no condition yet.
pub const DEPENDENCY_UNKNOWN: &str = "DependencyUnknown";

/// The data plane does not have the object.
pub const NOT_SUBSCRIBED: &str = "NotSubscribed";
/// Not every data plane has the object as it is now.
pub const NOT_APPLIED: &str = "NotApplied";
/// No data plane has reported.
pub const NO_DATA_PLANE: &str = "NoDataPlane";
/// A data plane refused the configuration.
pub const REFUSED: &str = "ConfigurationRefused";
/// There is more than a data plane takes.
pub const TOO_MANY: &str = "TooMany";
/// A trigger's broker has no status yet.
pub const BROKER_UNKNOWN: &str = "BrokerNotConfigured";
