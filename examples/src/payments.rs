//! A service that is down: its events are retried, then become dead letters.

use cloudevents::{AttributesReader, Event};
use serde_json::json;

use crate::server::Response;

/// Refuses the event and says why; the reason travels with the dead letter, as
/// `knativeerrordata`.
pub fn take(event: &Event) -> Response {
    println!("payments    refused event {:?}", event.id());
    let reason = json!({ "error": "the payment provider does not answer", "event": event.id() });
    Response { status: 503, body: Some(("application/json", reason.to_string().into_bytes())) }
}
