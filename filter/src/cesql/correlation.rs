//! `KN_VERIFY_CORRELATION_ID`: does a reply belong to a RequestReply resource
//! (contract 2.5 and 4.14)?
//!
//! A reply id is `<id>:<base64url(sealed id)>:<pod index>`. Its form and its
//! index are judged here. Opening the seal is left to whoever holds the keys:
//! no key material passes through this crate, and no cipher is part of it.

use super::error::ErrorKind;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Go's encoder pads, other producers do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Holds the AES keys of the RequestReply resources.
pub trait CorrelationKeys: Send + Sync {
    /// Whether one of the keys opens `sealed` and yields exactly `id`.
    ///
    /// The keys are the entries of the Secret `secret` (in the system
    /// namespace) whose name starts with `prefix`, which is
    /// `<namespace>.<name>.` of the resource. `sealed` is the nonce of 12
    /// bytes, then the AES-GCM ciphertext with its tag of 16 bytes; there is
    /// no associated data.
    fn opens(&self, secret: &str, prefix: &str, sealed: &[u8], id: &[u8]) -> Result<bool, NoKeys>;
}

/// The Secret is not there or has no entry for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key for this RequestReply resource")]
pub struct NoKeys;

/// The four texts the function is called with.
pub(crate) struct Claim<'a> {
    pub(crate) reply: &'a str,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) secret: &'a str,
}

/// A malformed reply id, and one for another pod, is simply not ours; keys that
/// are missing are an error, so that not even `NOT` lets the event pass.
pub(crate) fn verify(
    claim: &Claim<'_>,
    pod: i32,
    replicas: i32,
    keys: Option<&dyn CorrelationKeys>,
) -> Result<bool, ErrorKind> {
    let mut parts = claim.reply.split(':');
    let (Some(id), Some(sealed), Some(index), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(false);
    };
    let Ok(index) = index.parse::<i32>() else { return Ok(false) };
    match index.checked_rem(replicas) {
        None => return Err(ErrorKind::FunctionEvaluation),
        Some(rest) if rest != pod => return Ok(false),
        Some(_) => {}
    }
    let Ok(sealed) = BASE64.decode(sealed) else { return Ok(false) };
    let prefix = format!("{}.{}.", claim.namespace, claim.name);
    keys.ok_or(NoKeys)
        .and_then(|keys| keys.opens(claim.secret, &prefix, &sealed, id.as_bytes()))
        .map_err(|NoKeys| ErrorKind::FunctionEvaluation)
}
