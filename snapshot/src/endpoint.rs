//! From a URI to an [`Endpoint`], once, in the control plane.
//!
//! One parser (the WHATWG URL algorithm) decides what the host is, so that what
//! was checked is what is connected to. Whether the host's *addresses* may be
//! connected to is the data plane's decision at connect time.

use thiserror::Error;
use url::{Host, Position, Url};

use crate::limits::URI_BYTES_MAX;
use crate::model::Endpoint;

/// Why a URI cannot be delivered to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// `https`.
    #[error("`{0}`: TLS to subscribers is not available in this version; use an http URI")]
    Tls(String),
    /// User name or password before the host.
    #[error("a URI with a user name or password is refused; remove everything before `@` in the host part")]
    Credentials,
    /// Nothing to connect to.
    #[error("`{0}` names no host; write http://HOST[:PORT]/PATH")]
    NoHost(String),
    /// Port 0.
    #[error("`{0}`: port 0 cannot be connected to")]
    PortZero(String),
    /// A byte that must not reach a request head.
    #[error("control byte 0x{byte:02x} at offset {offset} of the URI")]
    ControlByte {
        /// Its offset in the URI as given.
        offset: usize,
        /// The byte.
        byte: u8,
    },
    /// Too long for a request line.
    #[error("URI of {0} bytes; at most {URI_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// Any other syntax error.
    #[error("`{uri}` is not a URI: {cause}")]
    Syntax {
        /// As given.
        uri: String,
        /// What the parser says.
        cause: url::ParseError,
    },
}

impl Endpoint {
    /// Splits an http URI. `uri` keeps the bytes as given.
    ///
    /// A URI of another scheme and one without a scheme are coerced to
    /// `http://HOST/` (contract 3.6): a subscriber `bad://uri` is a host that
    /// fails when called, not an error of the trigger.
    pub fn parse(uri: &str) -> Result<Endpoint, EndpointError> {
        if uri.len() > URI_BYTES_MAX {
            return Err(EndpointError::TooLong(uri.len()));
        }
        // The URL algorithm strips tabs and line ends; `uri` would still carry them.
        if let Some(offset) = uri.bytes().position(|byte| byte.is_ascii_control()) {
            return Err(EndpointError::ControlByte { offset, byte: uri.as_bytes()[offset] });
        }
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
        if scheme.eq_ignore_ascii_case("https") {
            return Err(EndpointError::Tls(uri.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("http") {
            return from_http(uri.to_owned());
        }
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(EndpointError::NoHost(uri.to_owned()));
        }
        from_http(format!("http://{authority}/"))
    }
}

/// Splits a URI whose scheme is known to be `http`.
fn from_http(uri: String) -> Result<Endpoint, EndpointError> {
    let url = match Url::parse(&uri) {
        Ok(url) => url,
        Err(url::ParseError::EmptyHost) => return Err(EndpointError::NoHost(uri)),
        Err(cause) => return Err(EndpointError::Syntax { uri, cause }),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Credentials);
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(EndpointError::NoHost(uri)),
    };
    let port = url.port().unwrap_or(80);
    if port == 0 {
        return Err(EndpointError::PortZero(uri));
    }
    let authority = url[Position::BeforeHost..Position::AfterPort].to_owned();
    let target = url[Position::BeforePath..Position::AfterQuery].to_owned();
    Ok(Endpoint { uri, host, port, authority, target })
}
