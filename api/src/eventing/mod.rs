//! Kinds of the group `eventing.knative.dev`.

mod broker;
mod trigger;
mod event_type;
mod event_policy;

pub use broker::{Broker, BrokerSpec};
pub use event_policy::{
    EventPolicy, EventPolicySpec, PolicySource, PolicyTarget, TargetRequirement, TargetSelector,
};
pub use event_type::{EventAttribute, EventType, EventTypeSpec};
pub use trigger::{Trigger, TriggerSpec};
