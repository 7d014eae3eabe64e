//! Kinds of the group `messaging.knative.dev`.

mod channel;
mod eagre_channel;
mod in_memory_channel;
mod subscription;

pub use channel::{Channel, ChannelSpec};
pub use eagre_channel::{Durability, EagreChannel, EagreChannelSpec};
pub use in_memory_channel::{InMemoryChannel, InMemoryChannelSpec};
pub use subscription::{Subscription, SubscriptionSpec};
