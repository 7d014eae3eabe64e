//! Structured mode: one JSON envelope (CloudEvents JSON event format).

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::binary::spec_version;
use crate::draft::{Draft, Payload};
use crate::error::{Error, Fault};
use crate::name::{ARRIVAL_TIME, BROKER_TTL, CONTENT_ENCODING, Known, SpecVersion};
use crate::value::Tag;
use crate::{media_type, rule};

/// Fills the draft from an envelope. Attributes come from the body alone, the
/// pass-through fields from the headers.
pub(crate) fn decode<'h>(
    draft: &mut Draft,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    body: &[u8],
) -> Result<(), Error> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(body).map_err(|error| json_error(&error, "object"))?;
    let members = envelope.members()?;
    let version = members.iter().find(|member| member.name == "specversion");
    let version = version.filter(|member| !member.is_null());
    let version = version.ok_or_else(|| Error::attribute(b"specversion", Fault::Missing))?;
    draft.begin(spec_version(version.text()?.as_bytes())?)?;

    let mut data = Data::default();
    let mut content_type = None;
    for member in members.iter().filter(|member| !member.is_null() || member.name == "data") {
        match (&*member.name, draft.spec) {
            ("data", _) => data.value = Some(member.value),
            ("data_base64", SpecVersion::V1) => data.base64 = Some(member.text()?),
            (CONTENT_ENCODING, SpecVersion::V03) => {
                let encoding = member.text()?;
                member.check(draft.spec, &encoding)?;
                data.is_base64 = true;
            }
            ("datacontenttype", _) => content_type = Some(member.text()?).filter(|value| !value.is_empty()),
            _ => attribute(draft, member)?,
        }
    }
    write_content_type(draft, content_type.as_deref(), data.value.is_some() && !data.is_base64)?;
    data.write(draft, media_type::is_json(content_type.as_deref().map(str::as_bytes)), body)?;
    draft.finish(headers, body)
}

pub(crate) fn json_error(error: &serde_json::Error, expected: &'static str) -> Error {
    Error::Json { reason: error.to_string(), expected }
}

/// One member of the envelope; its name in lower case.
struct Member<'b> {
    name: Cow<'b, str>,
    value: &'b RawValue,
}

impl<'b> Member<'b> {
    fn is_null(&self) -> bool {
        self.value.get() == "null"
    }

    fn fault(&self, fault: Fault) -> Error {
        Error::attribute(self.name.as_bytes(), fault)
    }

    fn check(&self, spec: SpecVersion, value: &str) -> Result<(), Error> {
        rule::check(spec, self.name.as_bytes(), value).map_err(|fault| self.fault(fault))
    }

    /// The value, which has to be a JSON string.
    fn text(&self) -> Result<Cow<'b, str>, Error> {
        string(self.value).ok_or_else(|| self.fault(Fault::NotAString))
    }
}

/// The text of a JSON string; borrowed if nothing in it is escaped.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(value.get()).ok().map(Cow::Owned)
}

fn attribute(draft: &mut Draft, member: &Member<'_>) -> Result<(), Error> {
    let name = member.name.as_bytes();
    if matches!(name, b"specversion") || name == ARRIVAL_TIME.as_bytes() {
        return Ok(());
    }
    let (tag, text) = typed(draft.spec, member)?;
    if name == BROKER_TTL.as_bytes() {
        draft.ttl_received = text.parse().ok();
        return Ok(());
    }
    if name == b"subject" && text.is_empty() {
        return Ok(());
    }
    member.check(draft.spec, &text)?;
    let line = draft.open_line(name)?;
    draft.encoded_line(line, tag, &text)
}

/// Type and canonical string of a value. Numbers lose their fraction, as
/// upstream has it, and must fit 32 bits.
fn typed<'b>(spec: SpecVersion, member: &Member<'b>) -> Result<(Tag, Cow<'b, str>), Error> {
    let raw = member.value.get();
    if Known::of(member.name.as_bytes()).is_some() || rule::is_uri(spec, member.name.as_bytes()) {
        return Ok((Tag::String, member.text()?));
    }
    match raw.as_bytes()[0] {
        b'"' => Ok((Tag::String, member.text()?)),
        b't' | b'f' => Ok((Tag::Boolean, Cow::Borrowed(raw))),
        b'-' | b'0'..=b'9' => {
            let number = integer(raw).ok_or_else(|| member.fault(Fault::Integer(raw.to_owned())))?;
            Ok((Tag::Integer, Cow::Owned(itoa::Buffer::new().format(number).to_owned())))
        }
        _ => Err(member.fault(Fault::Type)),
    }
}

fn integer(raw: &str) -> Option<i32> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number = raw.parse::<f64>().ok()?.trunc();
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number).then_some(number as i32)
}

/// In binary mode the content type is a header; an envelope that leaves it out
/// means JSON (JSON event format, section 3.1), if it has data.
fn write_content_type(draft: &mut Draft, value: Option<&str>, has_data: bool) -> Result<(), Error> {
    let Some(value) = value else {
        if has_data {
            draft.implied_content_type(b"application/json");
        }
        return Ok(());
    };
    rule::check(draft.spec, b"datacontenttype", value)
        .map_err(|fault| Error::attribute(b"datacontenttype", fault))?;
    draft.content_type(value.as_bytes(), None)
}

/// The members that carry the data.
#[derive(Default)]
struct Data<'b> {
    value: Option<&'b RawValue>,
    base64: Option<Cow<'b, str>>,
    /// 0.3: `data` is base64.
    is_base64: bool,
}

impl Data<'_> {
    fn write(self, draft: &mut Draft, is_json: bool, body: &[u8]) -> Result<(), Error> {
        let (member, text) = match (self.value, self.base64) {
            (Some(_), Some(_)) => {
                return Err(Error::Data {
                    member: "data",
                    reason: "stands beside data_base64; send one of them",
                });
            }
            (None, None) => return Ok(()),
            (None, Some(text)) => ("data_base64", text),
            (Some(value), None) if self.is_base64 => {
                let reason = "must be a base64 string, as datacontentencoding says; write it as one";
                ("data", string(value).ok_or(Error::Data { member: "data", reason })?)
            }
            (Some(value), None) => return write_plain(draft, value, is_json, body),
        };
        let reason = "not valid base64; encode it as RFC 4648 section 4 has it";
        STANDARD.decode_vec(&*text, &mut draft.decoded).map_err(|_| Error::Data { member, reason })
    }
}

/// `data` that is not base64: JSON stays as it stands, other types are strings.
fn write_plain(draft: &mut Draft, value: &RawValue, is_json: bool, body: &[u8]) -> Result<(), Error> {
    if is_json {
        draft.payload = position(value.get(), body);
        return Ok(());
    }
    if value.get() == "null" {
        return Ok(());
    }
    let reason = "must be a JSON string, since datacontenttype is not JSON; quote it or use data_base64";
    match string(value).ok_or(Error::Data { member: "data", reason })? {
        Cow::Borrowed(text) => draft.payload = position(text, body),
        Cow::Owned(text) => draft.decoded.extend_from_slice(text.as_bytes()),
    }
    Ok(())
}

/// Where `part`, which is a piece of `body`, lies in it.
fn position(part: &str, body: &[u8]) -> Payload {
    let start = part.as_ptr() as usize - body.as_ptr() as usize;
    Payload::Body(start..start + part.len())
}

/// A JSON object as the list of its members, values unparsed.
struct Envelope<'b>(Vec<Member<'b>>);

impl<'b> Envelope<'b> {
    /// The members, none of which has the name of another.
    fn members(self) -> Result<Vec<Member<'b>>, Error> {
        let mut names: Vec<&str> = self.0.iter().map(|member| &*member.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::attribute(pair[0].as_bytes(), Fault::Duplicate)),
            None => Ok(self.0),
        }
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Envelope<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the attributes and the data of an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(Name(name)) = map.next_key()? {
            members.push(Member { name, value: map.next_value()? });
        }
        Ok(Envelope(members))
    }
}

/// A member name in lower case, as extension names are for upstream; borrowed
/// unless escaped or changed.
struct Name<'b>(Cow<'b, str>);

impl<'de: 'b, 'b> Deserialize<'de> for Name<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    Cow::Owned(name.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(name)
                }))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_ascii_lowercase())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
