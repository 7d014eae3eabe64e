//! What the CloudEvents SDK emits we take, and what we emit it reads, in both modes.

mod support;

use std::str::FromStr;

use cloudevents::event::{Data, ExtensionValue, SpecVersion};
use cloudevents::message::{
    BinaryDeserializer, BinarySerializer, MessageAttributeValue, Result, StructuredDeserializer,
};
use cloudevents::{AttributesReader, Event, EventBuilder, EventBuilderV10};
use eagre_event::{Draft, Record, Value};
use support::*;

/// A message in binary mode, as an HTTP binding of the SDK writes and reads it.
#[derive(Default)]
struct Message {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl BinarySerializer<Message> for Message {
    fn set_spec_version(self, version: SpecVersion) -> Result<Self> {
        self.set_extension("specversion", MessageAttributeValue::String(version.to_string()))
    }

    fn set_attribute(mut self, name: &str, value: MessageAttributeValue) -> Result<Self> {
        if name == "datacontenttype" {
            self.headers.push(("content-type".into(), value.to_string()));
            return Ok(self);
        }
        self.set_extension(name, value)
    }

    fn set_extension(mut self, name: &str, value: MessageAttributeValue) -> Result<Self> {
        self.headers.push((format!("ce-{name}"), value.to_string()));
        Ok(self)
    }

    fn end_with_data(mut self, bytes: Vec<u8>) -> Result<Message> {
        self.body = bytes;
        Ok(self)
    }

    fn end(self) -> Result<Message> {
        Ok(self)
    }
}

impl BinaryDeserializer for Message {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, mut to: V) -> Result<R> {
        to = to.set_spec_version(SpecVersion::V10)?;
        for (name, value) in self.headers {
            let value = MessageAttributeValue::String(value);
            to = match name.strip_prefix("ce-") {
                Some("specversion") => to,
                Some(name @ ("id" | "source" | "type" | "subject" | "time" | "dataschema")) => {
                    to.set_attribute(name, value)?
                }
                Some(name) => to.set_extension(name, value)?,
                None => to.set_attribute("datacontenttype", value)?,
            };
        }
        to.end_with_data(self.body)
    }
}

struct Envelope(Vec<u8>);

impl StructuredDeserializer for Envelope {
    fn deserialize_structured<R: Sized, V: cloudevents::message::StructuredSerializer<R>>(
        self,
        to: V,
    ) -> Result<R> {
        to.set_structured_event(self.0)
    }
}

fn event() -> Event {
    EventBuilderV10::new()
        .id("0815")
        .source("/orders")
        .ty("com.example.order")
        .subject("order-4711")
        .time("2026-11-21T12:00:00Z")
        .extension("tier", "gold")
        .extension("qty", 5_i64)
        .extension("active", true)
        .data("application/json", serde_json::json!({"a": [1, 2]}))
        .build()
        .unwrap()
}

fn data_of(event: &Event) -> serde_json::Value {
    match event.data().unwrap() {
        Data::Json(value) => value.clone(),
        Data::Binary(bytes) => serde_json::from_slice(bytes).unwrap(),
        Data::String(text) => serde_json::Value::from_str(text).unwrap(),
    }
}

#[track_caller]
fn assert_same(read: &Event) {
    let sent = event();
    assert_eq!((read.id(), read.source(), read.ty()), (sent.id(), sent.source(), sent.ty()));
    assert_eq!((read.subject(), read.time()), (sent.subject(), sent.time()));
    assert_eq!(read.datacontenttype(), sent.datacontenttype());
    assert_eq!(read.extension("tier"), sent.extension("tier"));
    assert_eq!(data_of(read), data_of(&sent));
}

#[test]
fn binary_mode_goes_both_ways() {
    let message = BinaryDeserializer::deserialize_binary(event(), Message::default()).unwrap();
    let headers: Vec<_> = message.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let bytes = accept(&headers, &message.body);
    let record = Record::parse(&bytes).unwrap();
    let headers =
        lines(record.headers()).into_iter().map(|(n, v)| (n, String::from_utf8(v).unwrap())).collect();
    let read = BinaryDeserializer::into_event(Message { headers, body: record.payload().to_vec() }).unwrap();
    assert_same(&read);
}

#[test]
fn structured_mode_goes_both_ways_and_keeps_types() {
    let body = serde_json::to_vec(&event()).unwrap();
    let bytes = accept(&[STRUCTURED], &body);
    assert_eq!(Record::parse(&bytes).unwrap().attribute("qty"), Some(Value::Integer(5)));
    let read = StructuredDeserializer::into_event(Envelope(json(&bytes).into_bytes())).unwrap();
    assert_same(&read);
    assert_eq!(read.extension("qty"), Some(&ExtensionValue::Integer(5)));
    assert_eq!(read.extension("active"), Some(&ExtensionValue::Boolean(true)));
}

#[test]
fn a_batch_of_the_sdk_is_taken() {
    let body = serde_json::to_vec(&vec![event(), event()]).unwrap();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let mut draft = Draft::new();
    let count = eagre_event::decode_batch(fields(&headers), &body, &mut draft, |_, _| Ok::<(), ()>(()));
    assert_eq!(count, Ok(2));
}
