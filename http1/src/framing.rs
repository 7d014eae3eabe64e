//! Where a body ends: the one place that decides it (RFC 9112 section 6).
//!
//! One pass over the fields picks out those that say something about the
//! message itself; everything that could be read in two ways is refused.

use crate::{Header, Refusal, Version, target};

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// After this many bytes.
    Length(u64),
    /// With the last chunk; see [`Chunked`](crate::Chunked).
    Chunked,
    /// With the connection; responses only.
    UntilClose,
}

/// The fields that concern the message and the connection.
#[derive(Default)]
pub(crate) struct Fields<'b> {
    /// Known to be a valid authority.
    pub(crate) host: Option<&'b [u8]>,
    content_length: Option<u64>,
    chunked: bool,
    close: bool,
    wants_keep_alive: bool,
    expect_continue: bool,
    expect_other: bool,
}

impl<'b> Fields<'b> {
    #[inline]
    pub(crate) fn read(headers: &[Header<'b>], version: Version) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for header in headers {
            let name = header.name;
            // The length tells the few names apart before any comparison.
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => fields.host(header.value)?,
                6 if name.eq_ignore_ascii_case("expect") => fields.expect(header.value),
                10 if name.eq_ignore_ascii_case("connection") => fields.connection(header.value),
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = content_length(header.value)?;
                    if fields.content_length.replace(length).is_some() {
                        return Err(Refusal::ContentLength);
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    fields.transfer_encoding(header.value, version)?;
                }
                _ => {}
            }
        }
        if fields.chunked && fields.content_length.is_some() {
            return Err(Refusal::LengthAndEncoding);
        }
        Ok(fields)
    }

    fn host(&mut self, value: &'b [u8]) -> Result<(), Refusal> {
        if self.host.replace(value).is_some() || !target::is_authority(value) {
            return Err(Refusal::Host);
        }
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) {
        if value.eq_ignore_ascii_case(b"100-continue") {
            self.expect_continue = true;
        } else {
            self.expect_other = true;
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.wants_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn transfer_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Refusal> {
        if self.chunked || version == Version::Http10 {
            return Err(Refusal::TransferEncoding);
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            self.chunked = true;
            return Ok(());
        }
        let mut codings = value.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let chunked_is_last = codings.next().is_some_and(is_chunked);
        let others_are_codings = codings.all(|coding| !coding.is_empty() && !is_chunked(coding));
        Err(if chunked_is_last && others_are_codings {
            Refusal::TransferCoding
        } else {
            Refusal::TransferEncoding
        })
    }

    /// Exactly one on HTTP/1.1 (RFC 9112 section 3.2); duplicates are refused already.
    #[inline]
    pub(crate) fn check_host(&self, version: Version) -> Result<(), Refusal> {
        if self.host.is_none() && version == Version::Http11 { Err(Refusal::Host) } else { Ok(()) }
    }

    pub(crate) const fn expects_continue(&self) -> Result<bool, Refusal> {
        if self.expect_other { Err(Refusal::Expect) } else { Ok(self.expect_continue) }
    }

    /// RFC 9112 section 9.3.
    #[inline]
    pub(crate) fn keep_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.wants_keep_alive)
    }

    /// A length or coding that promises bytes.
    pub(crate) fn announces_body(&self) -> bool {
        self.chunked || self.content_length.is_some_and(|length| length > 0)
    }

    fn framing(&self) -> Option<Framing> {
        if self.chunked { Some(Framing::Chunked) } else { self.content_length.map(Framing::Length) }
    }
}

/// RFC 9112 section 6.3, rules 3 to 7 for a request.
#[inline]
pub(crate) fn of_request(fields: &Fields<'_>) -> Framing {
    fields.framing().unwrap_or(Framing::None)
}

/// RFC 9112 section 6.3 for a response; some statuses never have a body, whatever
/// the fields say.
#[inline]
pub(crate) fn of_response(fields: &Fields<'_>, status: u16) -> Framing {
    match status {
        100..=199 | 204 | 304 => Framing::None,
        _ => fields.framing().unwrap_or(Framing::UntilClose),
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6), below 2^64.
#[inline]
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() {
        return Err(Refusal::ContentLength);
    }
    value
        .iter()
        .try_fold(0u64, |length, byte| match byte {
            b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        .ok_or(Refusal::ContentLength)
}
