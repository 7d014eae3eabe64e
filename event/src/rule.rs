//! What the value of an attribute must look like (contract section 1.4).

use fluent_uri::{Iri, IriRef};

use crate::error::{Fault, quoted};
use crate::name::{CONTENT_ENCODING, Known, SpecVersion};
use crate::{media_type, time};

/// Checks the canonical value of an attribute.
///
/// URIs may hold characters beyond ASCII (RFC 3987), since upstream takes
/// them. `specversion` is checked where the mode is decided.
pub(crate) fn check(spec: SpecVersion, name: &[u8], value: &str) -> Result<(), Fault> {
    let shown = || quoted(value.as_bytes());
    let fault = match Known::of(name) {
        Some(Known::Id | Known::Source | Known::Type) if value.trim().is_empty() => Fault::Empty,
        Some(Known::Source) if IriRef::parse(value).is_err() => Fault::UriReference(shown()),
        Some(Known::Time) if !time::is_rfc3339(value.as_bytes()) => Fault::Timestamp(shown()),
        Some(Known::DataContentType) if !media_type::is_media_type(value.as_bytes()) => {
            Fault::MediaType(shown())
        }
        Some(Known::DataSchema) if spec == SpecVersion::V1 && Iri::parse(value).is_err() => {
            Fault::AbsoluteUri(shown())
        }
        None if spec == SpecVersion::V03 => return check_v03(name, value),
        _ => return Ok(()),
    };
    Err(fault)
}

fn check_v03(name: &[u8], value: &str) -> Result<(), Fault> {
    let shown = || quoted(value.as_bytes());
    if name == b"schemaurl" && IriRef::parse(value).is_err() {
        return Err(Fault::UriReference(shown()));
    }
    if name == CONTENT_ENCODING.as_bytes() && !value.eq_ignore_ascii_case("base64") {
        return Err(Fault::ContentEncoding(shown()));
    }
    Ok(())
}

/// Is the attribute a URI, in which percent signs have a meaning of their own?
pub(crate) fn is_uri(spec: SpecVersion, name: &[u8]) -> bool {
    match spec {
        SpecVersion::V1 => matches!(name, b"source" | b"dataschema"),
        SpecVersion::V03 => matches!(name, b"source" | b"schemaurl"),
    }
}
