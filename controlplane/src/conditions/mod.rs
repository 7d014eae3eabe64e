//! Outcomes to statuses: what people and other controllers read of an object.
//!
//! Promise: a pure function of an outcome, what data planes have said, the status
//! before, and the time. A status is written whole: what a former owner left in it is
//! gone. Given the status it yields, it yields the same again, so that a second look
//! writes nothing.
//!
//! Rules of knative.dev/pkg's living sets (contract 4.1): conditions are sorted by
//! type; `Ready` is true if all it depends on are, else it has the reason of the first
//! that is false, or else unknown; the time of a condition changes with its content.

mod broker;
mod living;
mod trigger;

pub use broker::{Served, broker};
pub use living::Verdict;
pub use trigger::trigger;

/// Types of conditions.
pub mod kind {
    /// Of a broker: it has an address.
    pub const ADDRESSABLE: &str = "Addressable";
    /// Of a broker: its settings can be used.
    pub const CONFIG: &str = "ConfigReady";
    /// Of a broker: every data plane serves it.
    pub const DATA_PLANE: &str = "DataPlaneReady";
    /// Of brokers and triggers: the dead letter sink has an address, or there is none.
    pub const SINK: &str = "DeadLetterSinkResolved";
    /// Of a broker: who may send to it is enforced.
    pub const POLICIES: &str = "EventPoliciesReady";
    /// Of a trigger: its broker is ready.
    pub const BROKER: &str = "BrokerReady";
    /// Of a trigger: what it waits for is ready.
    pub const DEPENDENCY: &str = "DependencyReady";
    /// Of a trigger: it has an identity, or needs none.
    pub const IDENTITY: &str = "OIDCIdentityCreated";
    /// Of a trigger: its subscriber has an address.
    pub const SUBSCRIBER: &str = "SubscriberResolved";
    /// Of a trigger: every data plane sends it events.
    pub const SUBSCRIPTION: &str = "SubscriptionReady";
}

/// Annotation of a trigger's status: the UID of the broker it was written for. One that
/// Eagre wrote has it; where it is another, somebody else may have had the trigger since.
pub const BROKER_ANNOTATION: &str = "eagre.eventing.knative.dev/broker-uid";
/// Annotation of a broker's status: when an event counts as stored.
pub const FSYNC_ANNOTATION: &str = "eagre.eventing.knative.dev/fsync";
/// Annotation of a broker's status: what an accepted event survives.
pub const DURABILITY_ANNOTATION: &str = "eagre.eventing.knative.dev/durability";

/// What the data planes have said about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Every one has it as it is now.
    Everywhere,
    /// These do not, or not yet.
    Not(Vec<String>),
    /// One keeps what it had, and says why.
    Refused(String),
    /// There is none.
    Nowhere,
}
