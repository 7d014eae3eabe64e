//! The request of an attempt: the trigger's constant head, the event's header
//! block as the log holds it, and the payload.

use bytes::Bytes;
use eagre_event::Record;
use eagre_snapshot::{Endpoint, Format};

use super::failure::Failure;
use crate::{config::table::TriggerRoute, store::StoredEvent};

/// Where an attempt goes.
pub(super) struct Target<'a> {
    pub(super) endpoint: &'a Endpoint,
    head: &'a [u8],
    failure: Option<&'a Failure>,
    format: Format,
}

impl<'a> Target<'a> {
    /// The subscriber, or the dead letter sink after a failure there. `None`: it
    /// has failed and there is no sink.
    pub(super) fn of(route: &'a TriggerRoute, failure: Option<&'a Failure>) -> Option<Self> {
        let format = route.trigger.delivery.format;
        match failure {
            None => Some(Self {
                endpoint: &route.trigger.subscriber,
                head: &route.subscriber_head,
                failure: None,
                format,
            }),
            Some(failure) => Some(Self {
                endpoint: route.trigger.dead_letter.as_ref()?,
                head: &route.dead_letter_head,
                failure: Some(failure),
                format: Format::Binary,
            }),
        }
    }
}

/// Renders the request into `output` and returns the payload that follows it,
/// unless the payload is small enough to be part of `output`.
pub(super) fn render(target: &Target<'_>, event: &StoredEvent, output: &mut Vec<u8>) -> Option<Bytes> {
    let record = &event.record();
    output.clear();
    output.extend_from_slice(target.head);
    if target.format == Format::Json {
        render_json(record, output);
        return None;
    }
    match target.failure {
        None => output.extend_from_slice(record.headers()),
        Some(failure) => failure.write_headers(record, output),
    }
    let payload = record.payload();
    end_head(payload.len(), output);
    if payload.len() <= COPIED_BYTES_MAX {
        output.extend_from_slice(payload);
        return None;
    }
    Some(event.bytes().slice_ref(payload))
}

/// Structured mode: the pass-through fields, and the event as the body.
fn render_json(record: &Record<'_>, output: &mut Vec<u8>) {
    for line in record.headers().split_inclusive(|byte| *byte == b'\n') {
        let is_event_field = line.starts_with(b"ce-") || line.starts_with(b"content-type:");
        if !is_event_field {
            output.extend_from_slice(line);
        }
    }
    let mut json = Vec::with_capacity(record.headers().len() + record.payload().len() * 2);
    record.write_json(&mut json);
    output.extend_from_slice(b"content-type: application/cloudevents+json; charset=utf-8\r\n");
    end_head(json.len(), output);
    output.extend_from_slice(&json);
}

fn end_head(content_length: usize, output: &mut Vec<u8>) {
    output.extend_from_slice(b"content-length: ");
    output.extend_from_slice(itoa::Buffer::new().format(content_length).as_bytes());
    output.extend_from_slice(b"\r\n\r\n");
}

/// Up to here one copy and one send are cheaper than a second send; above, the
/// payload goes out from the log's map as it is.
const COPIED_BYTES_MAX: usize = 16 * 1024;
