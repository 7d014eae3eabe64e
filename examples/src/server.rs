//! A blocking HTTP server, just large enough for a subscriber: a thread for each
//! connection, bodies with a length, one function that takes the event.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use eagre_http1::{Framing, Headers, Limits, encode, parse_request};

/// What a service answers.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Media type and body, if there is one.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Response {
    /// An answer without a body.
    pub fn status(status: u16) -> Response {
        Response { status, body: None }
    }
}

const LIMITS: Limits =
    Limits { head_bytes_max: 128 << 10, headers_max: 128, chunk_line_bytes_max: 0, trailer_bytes_max: 0 };
const BODY_BYTES_MAX: u64 = 16 << 20;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Serves `take` on a loopback port until the process ends.
pub fn serve(port: u16, take: fn(&Event) -> Response) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on 127.0.0.1:{port}: {error}"))
    })?;
    for stream in listener.incoming() {
        let stream = stream?;
        // A connection that breaks is the sender's to repeat.
        thread::spawn(move || drop(converse(stream, take)));
    }
    Ok(())
}

fn converse(mut stream: TcpStream, take: fn(&Event) -> Response) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer)? {
        let response = match request.event {
            Ok(event) => take(&event),
            Err(status) => Response::status(status),
        };
        answer(&mut stream, &response, request.keep_alive)?;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

/// A request: the event in it, or the status that refuses it.
struct Request {
    event: Result<Event, u16>,
    keep_alive: bool,
}

/// The part of a head that is used here.
struct Head {
    headers: Vec<(String, String)>,
    /// Bytes of the head and of the body.
    bytes: (usize, usize),
    keep_alive: bool,
}

/// The head at the start of `buffer`, once it is whole; or the status that refuses it.
fn head(buffer: &[u8]) -> Result<Option<Head>, u16> {
    let mut scratch = Headers::new();
    let head = parse_request(buffer, &mut scratch, &LIMITS).map_err(|refusal| refusal.status())?;
    let Some(head) = head else { return Ok(None) };
    let body_bytes = match head.framing {
        Framing::None => 0,
        Framing::Length(length) if length <= BODY_BYTES_MAX => length as usize,
        Framing::Length(_) => return Err(413),
        _ => return Err(411),
    };
    let headers =
        head.headers.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect();
    Ok(Some(Head { headers, bytes: (head.head_bytes, body_bytes), keep_alive: head.keep_alive }))
}

/// Reads one request; what follows it stays in `buffer`. `None` at the end.
fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head = loop {
        match head(buffer) {
            Ok(Some(head)) => break head,
            Ok(None) if more(stream, buffer)? => {}
            Ok(None) => return Ok(None),
            Err(status) => return Ok(Some(Request { event: Err(status), keep_alive: false })),
        }
    };
    let (start, end) = (head.bytes.0, head.bytes.0 + head.bytes.1);
    while buffer.len() < end {
        if !more(stream, buffer)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body = buffer[start..end].to_vec();
    buffer.drain(..end);
    let event = event(&head.headers, body).ok_or(400);
    Ok(Some(Request { event, keep_alive: head.keep_alive }))
}

/// The event of a request in structured or binary mode.
fn event(headers: &[(String, String)], body: Vec<u8>) -> Option<Event> {
    let header = |name| headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    let media_type = header("content-type").unwrap_or_default();
    if media_type.starts_with("application/cloudevents+json") {
        return serde_json::from_slice(&body).ok();
    }
    header("ce-specversion").filter(|version| *version == "1.0")?;
    let attributes =
        headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce-")?, value.as_str())));
    let event = attributes.fold(EventBuilderV10::new(), |event, (name, value)| match name {
        // No service here looks at the schema.
        "specversion" | "dataschema" => event,
        "id" => event.id(value),
        "type" => event.ty(value),
        "source" => event.source(value),
        "subject" => event.subject(value),
        "time" => event.time(value),
        _ => event.extension(name, value),
    });
    let data = match serde_json::from_slice(&body) {
        Ok(json) if media_type.contains("json") => Data::Json(json),
        _ => Data::Binary(body),
    };
    event.data(media_type, data).build().ok()
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 8192];
    let count = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..count]);
    Ok(count > 0)
}

fn answer(stream: &mut TcpStream, response: &Response, keep_alive: bool) -> io::Result<()> {
    let (media_type, body) = match &response.body {
        Some((media_type, body)) => (Some(*media_type), body.as_slice()),
        None => (None, &[][..]),
    };
    let fields = media_type.map(|media_type| ("Content-Type", media_type.as_bytes()));
    let mut message = Vec::new();
    encode::response_head(&mut message, response.status, fields, Some(body.len() as u64), keep_alive)
        .map_err(io::Error::other)?;
    message.extend_from_slice(body);
    stream.write_all(&message)
}

#[cfg(test)]
mod tests {
    use cloudevents::AttributesReader;

    use super::*;

    #[test]
    fn both_modes_carry_the_same_event() {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
            ("ce-shop", "x"),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let binary = event(&headers, br#"{"a":1}"#.to_vec()).unwrap();
        assert_eq!((binary.id(), binary.ty()), ("1", "t"));
        assert!(binary.extension("shop").is_some());

        let headers = [("content-type".to_owned(), "application/cloudevents+json".to_owned())];
        assert_eq!(event(&headers, serde_json::to_vec(&binary).unwrap()), Some(binary));
        assert_eq!(event(&[], Vec::new()), None);
    }
}
