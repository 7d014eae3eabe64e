//! Binary mode: attributes in headers, data in the body.

use std::ops::Range;

use crate::draft::{Draft, Payload};
use crate::error::{Error, Fault, quoted};
use crate::mode::Claim;
use crate::name::{ARRIVAL_TIME, BROKER_TTL, Known, SpecVersion};
use crate::pass_through::is_field_value;
use crate::value::Tag;
use crate::{percent, rule};

/// Fills the draft. Of several headers with one name the first counts, as upstream has it.
pub(crate) fn decode<'h>(
    draft: &mut Draft,
    claim: &Claim<'h>,
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
) -> Result<(), Error> {
    draft.begin(spec_version(claim.spec_version.unwrap_or_default())?)?;
    let mut content_type = claim.content_type.filter(|value| !value.is_empty());
    for (name, value) in headers.clone() {
        let Some(name) = attribute_name(name) else { continue };
        if name.eq_ignore_ascii_case(b"datacontenttype") {
            // The field's own name is Content-Type, which wins over this spelling.
            content_type = content_type.or(Some(value.trim_ascii()).filter(|value| !value.is_empty()));
        } else {
            attribute(draft, name, value.trim_ascii())?;
        }
    }
    if let Some(value) = content_type {
        let canonical = canonical(draft, b"datacontenttype", value)?;
        draft.content_type(value, canonical)?;
    }
    draft.payload = Payload::Body(0..body.len());
    draft.finish(headers, body)
}

pub(crate) fn spec_version(value: &[u8]) -> Result<SpecVersion, Error> {
    let unknown = || Error::attribute(b"specversion", Fault::SpecVersion(quoted(value)));
    SpecVersion::from_value(value).ok_or_else(unknown)
}

fn attribute_name(field: &str) -> Option<&[u8]> {
    match field.as_bytes() {
        [b'c' | b'C', b'e' | b'E', b'-', name @ ..] => Some(name),
        _ => None,
    }
}

fn attribute(draft: &mut Draft, name: &[u8], value: &[u8]) -> Result<(), Error> {
    let line = draft.open_line(name)?;
    let lower = &draft.block[line.clone()];
    let known = Known::of(lower);
    // specversion is written already, and the arrival time is the broker's.
    let is_seen = match known {
        Some(known) => draft.index().known_text(known).is_some(),
        None => lower == ARRIVAL_TIME.as_bytes() || draft.index().find(lower).is_some(),
    };
    let is_ttl = lower == BROKER_TTL.as_bytes();
    if is_ttl && draft.ttl_received.is_none() {
        draft.ttl_received = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    }
    if is_seen || is_ttl || (known == Some(Known::Subject) && value.is_empty()) {
        draft.drop_line(&line);
        return Ok(());
    }
    let canonical = canonical_at(draft, line.clone(), value)?;
    let value_at = draft.block.len();
    draft.block.extend_from_slice(value);
    draft.close_line(line, Tag::String, value_at, canonical)
}

/// As `canonical`, for a name that stands in the draft's own block.
fn canonical_at(draft: &mut Draft, name: Range<usize>, value: &[u8]) -> Result<Option<Range<usize>>, Error> {
    let block = std::mem::take(&mut draft.block);
    let outcome = canonical(draft, &block[name], value);
    draft.block = block;
    outcome
}

/// Checks a header's value. If its canonical string is not the bytes
/// themselves, writes it to the arena and says where.
fn canonical(draft: &mut Draft, name: &[u8], value: &[u8]) -> Result<Option<Range<usize>>, Error> {
    let fault = |fault| Error::attribute(name, fault);
    if !is_field_value(value) {
        return Err(fault(Fault::Control));
    }
    let raw = str::from_utf8(value).map_err(|_| fault(Fault::Utf8));
    if !percent::needs_decoding(value) {
        return rule::check(draft.spec, name, raw?).map(|()| None).map_err(fault);
    }
    let start = draft.arena.len();
    percent::decode(value, &mut draft.arena);
    let decoded = str::from_utf8(&draft.arena[start..]).map_err(|_| fault(Fault::Utf8))?;
    let outcome = rule::check(draft.spec, name, decoded);
    // Producers that never encode send `/a%20b` as it is: then it is the URI.
    if outcome.is_err() && rule::is_uri(draft.spec, name) {
        draft.arena.truncate(start);
        return rule::check(draft.spec, name, raw?).map(|()| None).map_err(fault);
    }
    outcome.map_err(fault)?;
    Ok(Some(start..draft.arena.len()))
}
