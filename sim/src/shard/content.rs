//! Events: what is in them follows from their number, so that whoever gets one
//! can tell whether its bytes are right.

use super::model::{NAMESPACE, type_of};

/// An event's number and what decides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub number: u64,
    pub kind: u8,
    /// Bytes of padding.
    pub size: u64,
}

impl Content {
    pub(super) fn id(&self) -> String {
        format!("e{}", self.number)
    }

    /// The payload, JSON.
    pub(super) fn payload(&self) -> String {
        let letters = (0..self.size).map(|at| {
            let at = (at * 7 + self.number * 13 + at * at) % 26;
            char::from(b'a' + at as u8)
        });
        format!("{{\"n\":{},\"pad\":\"{}\"}}", self.number, letters.collect::<String>())
    }

    /// The event in structured mode.
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"/sim\",\"type\":\"{}\",\
             \"datacontenttype\":\"application/json\",\"data\":{}}}",
            self.id(),
            type_of(self.kind),
            self.payload()
        )
    }

    /// The fields of binary mode.
    pub(super) fn fields(&self) -> String {
        format!(
            "ce-specversion: 1.0\r\nce-id: {}\r\nce-source: /sim\r\nce-type: {}\r\ncontent-type: application/json\r\n",
            self.id(),
            type_of(self.kind)
        )
    }
}

/// A request line and the fields that every request has.
pub(super) fn request_head(broker: &str) -> String {
    format!("POST /{NAMESPACE}/{broker} HTTP/1.1\r\nhost: eagre\r\n")
}
