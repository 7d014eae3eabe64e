//! A producer: posts events in structured mode and waits for each 202, which means that
//! the broker has it on disk.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloudevents::{AttributesReader, Event, EventBuilder, EventBuilderV10};
use eagre_http1::{Headers, Limits, encode, parse_response};
use serde_json::json;

/// `orders send`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The broker
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/shop/orders")]
    url: String,

    /// Number of orders
    #[arg(long, value_name = "N", default_value_t = 3)]
    count: u32,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const LIMITS: Limits =
    Limits { head_bytes_max: 64 << 10, headers_max: 64, chunk_line_bytes_max: 0, trailer_bytes_max: 0 };

/// Posts the orders, then one payment, which nobody will take.
pub fn send(args: &Args) -> Result<(), Box<dyn Error>> {
    // An id is unique within its source: the clock makes those of two runs differ.
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    for number in 1..=args.count {
        let order =
            json!({ "order": format!("A-{}", 1000 + number), "items": [{ "sku": "mug", "count": number }] });
        post(&args.url, &event(format!("{run}-{number}"), "com.example.order.created", order)?)?;
    }
    let payment = json!({ "order": "A-1001", "amount": "12.50", "currency": "EUR" });
    post(&args.url, &event(format!("{run}-payment"), "com.example.payment.requested", payment)?)
}

fn event(id: String, ty: &str, data: serde_json::Value) -> Result<Event, Box<dyn Error>> {
    let event = EventBuilderV10::new().id(id).ty(ty).source("/shop/web").data("application/json", data);
    Ok(event.build()?)
}

fn post(url: &str, event: &Event) -> Result<(), Box<dyn Error>> {
    let (host, target) =
        split(url).ok_or_else(|| format!("{url}: expected http://HOST:PORT/NAMESPACE/BROKER"))?;
    let mut stream =
        TcpStream::connect(host).map_err(|error| format!("{host}: {error}; is `eagre up` running there?"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;

    let body = serde_json::to_vec(event)?;
    let fields = [("Content-Type", "application/cloudevents+json".as_bytes())];
    let mut message = Vec::new();
    encode::request_head(&mut message, "POST", target, host, fields, Some(body.len() as u64), false)?;
    message.extend_from_slice(&body);
    stream.write_all(&message)?;

    match status(&mut stream)? {
        202 => println!("{} {}: 202, stored", event.ty(), event.id()),
        status => return Err(format!("{} {}: {status}", event.ty(), event.id()).into()),
    }
    Ok(())
}

/// Host with port, and target.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/')?;
    Some(rest.split_at(slash))
}

fn status(stream: &mut TcpStream) -> Result<u16, Box<dyn Error>> {
    let mut answer = Vec::new();
    loop {
        let mut scratch = Headers::new();
        if let Some(head) = parse_response(&answer, &mut scratch, &LIMITS)? {
            return Ok(head.status);
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Err("the connection ended before an answer".into()),
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_target() {
        assert_eq!(split("http://h:1/a/b"), Some(("h:1", "/a/b")));
        assert_eq!(split("https://h:1/a"), None);
        assert_eq!(split("http://h:1"), None);
    }
}
