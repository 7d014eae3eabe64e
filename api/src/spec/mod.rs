//! What several kinds have in their spec.

mod destination;
mod delivery;
mod filter;
mod channel;

pub use channel::{ChannelTemplate, Subscriber};
pub use delivery::DeliverySpec;
pub use destination::Destination;
pub use filter::{Filter, TriggerFilter};

/// A JSON object that no schema describes.
pub type Object = serde_json::Map<String, serde_json::Value>;
