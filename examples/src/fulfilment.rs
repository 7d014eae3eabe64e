//! Ships orders. What it replies enters the broker like any other event.

use cloudevents::{AttributesReader, Data, Event, EventBuilder, EventBuilderV10};
use serde_json::{Value, json};

use crate::server::Response;

/// Answers an order with the event that it has shipped.
///
/// Delivery is at least once: an order may come again. The reply's id follows from the
/// order's, so that whoever counts shipments can tell a repetition.
pub fn take(event: &Event) -> Response {
    if event.ty() != "com.example.order.created" {
        return Response::status(202);
    }
    match shipped(event) {
        Ok(reply) => {
            println!("fulfilment  shipped the order of event {:?}", event.id());
            Response { status: 200, body: Some(("application/cloudevents+json", reply)) }
        }
        Err(error) => {
            eprintln!("fulfilment  cannot ship event {:?}: {error}", event.id());
            Response::status(500)
        }
    }
}

fn shipped(event: &Event) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let order: Value = match event.data() {
        Some(Data::Json(value)) => value["order"].clone(),
        Some(Data::Binary(bytes)) => serde_json::from_slice::<Value>(bytes)?["order"].clone(),
        Some(Data::String(text)) => serde_json::from_str::<Value>(text)?["order"].clone(),
        None => Value::Null,
    };
    let reply = EventBuilderV10::new()
        .id(format!("{}-shipped", event.id()))
        .ty("com.example.order.shipped")
        .source("/shop/fulfilment")
        .data("application/json", json!({ "order": order, "carrier": "tidal bore" }))
        .build()?;
    Ok(serde_json::to_vec(&reply)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_answered_with_its_shipment() {
        let order = EventBuilderV10::new()
            .id("7")
            .ty("com.example.order.created")
            .source("/shop/web")
            .data("application/json", json!({ "order": "A-7" }));
        let response = take(&order.build().unwrap());
        let (media_type, body) = response.body.unwrap();
        assert_eq!((response.status, media_type), (200, "application/cloudevents+json"));
        let reply: Event = serde_json::from_slice(&body).unwrap();
        assert_eq!((reply.id(), reply.ty()), ("7-shipped", "com.example.order.shipped"));
        let Some(Data::Json(data)) = reply.data() else { panic!("{reply}") };
        assert_eq!(data["order"], "A-7");
    }

    #[test]
    fn other_events_are_taken_without_a_reply() {
        let other = EventBuilderV10::new().id("1").ty("com.example.other").source("/x");
        assert!(take(&other.build().unwrap()).body.is_none());
    }
}
