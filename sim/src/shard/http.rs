//! As much of HTTP as producers and subscribers speak.

use std::io;

use eagre_http1::{Framing, Headers, Limits, parse_request, parse_response};

use crate::world::Wire;

const LIMITS: Limits = Limits {
    head_bytes_max: 64 * 1024,
    headers_max: eagre_http1::HEADERS_MAX,
    chunk_line_bytes_max: 256,
    trailer_bytes_max: 1024,
};

/// What was read of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    /// Of a response.
    pub status: u16,
    /// Of a request.
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub keep_alive: bool,
}

impl Message {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Reads a request; `None` at the end of the connection.
pub(super) async fn read_request(wire: &mut Wire, input: &mut Vec<u8>) -> io::Result<Option<Message>> {
    read(wire, input, true).await
}

/// Reads a final response; `None` at the end of the connection.
pub(super) async fn read_response(wire: &mut Wire, input: &mut Vec<u8>) -> io::Result<Option<Message>> {
    read(wire, input, false).await
}

async fn read(wire: &mut Wire, input: &mut Vec<u8>, is_request: bool) -> io::Result<Option<Message>> {
    loop {
        if let Some((message, consumed)) = take(input, is_request) {
            input.drain(..consumed);
            return Ok(Some(message));
        }
        let bytes = wire.receive(16 * 1024).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        input.extend_from_slice(&bytes);
    }
}

fn take(input: &[u8], is_request: bool) -> Option<(Message, usize)> {
    let mut headers = Headers::new();
    let mut message = Message::default();
    let (framing, head_bytes, fields) = if is_request {
        let head =
            parse_request(input, &mut headers, &LIMITS).expect("the data plane sends good requests")?;
        message.target = head.target.to_owned();
        message.keep_alive = head.keep_alive;
        (head.framing, head.head_bytes, head.headers)
    } else {
        let head =
            parse_response(input, &mut headers, &LIMITS).expect("the data plane sends good responses")?;
        message.status = head.status;
        message.keep_alive = head.keep_alive;
        (head.framing, head.head_bytes, head.headers)
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    message.fields = fields.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
    let body_bytes = match framing {
        Framing::None => 0,
        Framing::Length(length) => length as usize,
        other => panic!("the data plane frames its messages with {other:?}"),
    };
    let end = head_bytes + body_bytes;
    message.body = input.get(head_bytes..end)?.to_vec();
    Some((message, end))
}
