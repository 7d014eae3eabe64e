//! How a message carries its event (contract section 1.3).

use crate::media_type;

/// The content mode of an HTTP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attributes in `ce-` headers, data in the body.
    Binary,
    /// One JSON envelope in the body; `ce-` headers are ignored.
    Structured,
    /// A JSON array of envelopes.
    Batch,
}

/// The mode a message claims, or `None` if it claims no event at all.
///
/// The media type decides first, then the presence of `ce-specversion`,
/// whatever its value: an unknown version is a claim too, and refused later.
pub fn mode<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Option<Mode> {
    Claim::of(headers).mode
}

/// Does a subscriber's response claim to be a CloudEvent (contract section 3.7)?
pub fn is_event<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> bool {
    matches!(mode(headers), Some(Mode::Binary | Mode::Structured))
}

/// What one look over the headers tells; the first value of a field wins.
pub(crate) struct Claim<'h> {
    pub(crate) mode: Option<Mode>,
    pub(crate) spec_version: Option<&'h [u8]>,
    pub(crate) content_type: Option<&'h [u8]>,
}

impl<'h> Claim<'h> {
    pub(crate) fn of(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Claim<'h> {
        let (mut spec_version, mut content_type) = (None, None);
        for (name, value) in headers {
            if name.len() == "content-type".len() && name.eq_ignore_ascii_case("content-type") {
                content_type.get_or_insert(value.trim_ascii());
            } else if name.len() == "ce-specversion".len() && name.eq_ignore_ascii_case("ce-specversion") {
                spec_version.get_or_insert(value.trim_ascii());
            }
        }
        let essence = media_type::essence(content_type.unwrap_or_default());
        let mode = if essence.eq_ignore_ascii_case(b"application/cloudevents+json") {
            Some(Mode::Structured)
        } else if essence.eq_ignore_ascii_case(b"application/cloudevents-batch+json") {
            Some(Mode::Batch)
        } else {
            spec_version.map(|_| Mode::Binary)
        };
        Claim { mode, spec_version, content_type }
    }
}
