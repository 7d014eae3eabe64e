//! Messages and records for the tests of this crate.
#![allow(dead_code)] // every test file uses its own part

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eagre_event::{Draft, Error, Record, Ttl};

/// 2026-06-17T10:00:00.123456789Z
pub fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_781_690_400, 123_456_789)
}

/// The four attributes that every event needs.
pub const REQUIRED: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];

pub const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");

pub fn fields<'h>(headers: &'h [(&'h str, &'h str)]) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone {
    headers.iter().map(|(name, value)| (*name, value.as_bytes()))
}

pub fn decode(headers: &[(&str, &str)], body: &[u8]) -> Result<Draft, Error> {
    let mut draft = Draft::new();
    draft.decode(fields(headers), body).map(|()| draft)
}

/// The required headers, then these.
pub fn with(headers: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    REQUIRED.into_iter().chain(headers.iter().copied()).collect()
}

/// Stamps the draft and joins the parts of its record.
pub fn record(draft: &mut Draft, body: &[u8]) -> Vec<u8> {
    draft.stamp(noon(), Ttl::FromEvent { max: 255 }).unwrap();
    draft.record_parts(body).concat()
}

pub fn accept(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    record(&mut decode(headers, body).unwrap(), body)
}

/// Header lines as name and value.
pub fn lines(block: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut rest = block;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("whole lines");
        let colon = rest.windows(2).position(|pair| pair == b": ").expect("a colon");
        out.push((String::from_utf8(rest[..colon].to_vec()).unwrap(), rest[colon + 2..end].to_vec()));
        rest = &rest[end + 2..];
    }
    out
}

pub fn header(bytes: &[u8], name: &str) -> Option<String> {
    let block = Record::parse(bytes).unwrap().headers();
    let line = lines(block).into_iter().find(|(n, _)| n == name)?;
    Some(String::from_utf8(line.1).unwrap())
}

pub fn json(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    Record::parse(bytes).unwrap().write_json(&mut out);
    String::from_utf8(out).unwrap()
}

/// Text as it comes out of a record, types kept.
pub fn attributes(bytes: &[u8]) -> Vec<(String, String)> {
    let record = Record::parse(bytes).unwrap();
    let mut all: Vec<_> = record.attributes().map(|(n, v)| (n.to_owned(), format!("{v:?}"))).collect();
    all.sort();
    all
}
