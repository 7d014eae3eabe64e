//! What controllers write into `status`, with upstream's names and nothing beside them.
//!
//! Everything but a condition's type and status is optional: other controllers' objects
//! are read with the same types, and half-written ones must not stop a watch.

mod condition;
mod parts;
mod kinds;
mod flows;

pub use condition::{Condition, ConditionStatus, INFO, READY};
pub use flows::{BranchStatus, ChannelReadiness, ParallelStatus, SequenceStatus, SubscriptionReadiness};
pub use kinds::{
    BrokerStatus, ChannelStatus, ChannelableStatus, EventPolicyStatus, EventTypeStatus, PhysicalSubscription,
    SubscriptionStatus, TriggerStatus,
};
pub use parts::{
    AddressStatus, Addressable, AppliedEventPolicy, Auth, DeadLetterSinkStatus, ResolvedReply,
    ResolvedSubscriber, Status, SubscriberStatus,
};
