//! Whether the ports can be had, found out before anything starts: the data plane
//! shares its port between shards (`SO_REUSEPORT`), so that a second Eagre of the
//! same user would not fail but take half of the first one's connections.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use thiserror::Error;

/// An address that cannot be listened on.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// Somebody else listens there.
    #[error(
        "{option} {address}: the port is in use; stop what listens there (ss -ltnp 'sport = :{}'), \
         or choose another with {option} {}:PORT",
        .address.port(), bracketed(.address.ip())
    )]
    InUse {
        /// The option that chooses the address.
        option: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Any other reason.
    #[error("{option} {address}: cannot listen there: {cause}")]
    Refused {
        /// The option that chooses the address.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// Takes the address and gives it back: what is returned was free a moment ago, and
/// has a port of its own where `address` has port 0.
///
/// # Errors
/// It is not free.
pub fn free(address: SocketAddr, option: &'static str) -> Result<SocketAddr, Unavailable> {
    TcpListener::bind(address).and_then(|listener| listener.local_addr()).map_err(|cause| {
        match cause.kind() {
            io::ErrorKind::AddrInUse => Unavailable::InUse { option, address },
            _ => Unavailable::Refused { option, address, cause },
        }
    })
}

/// The URL under which this machine reaches `address`: an unspecified address means
/// every interface, and the loopback one is always there.
pub fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_the_option_that_changes_it() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = free(holder.local_addr().unwrap(), "--admin").unwrap_err().to_string();
        assert!(text.contains("in use") && text.contains("--admin 127.0.0.1:PORT"), "{text}");
    }

    #[test]
    fn port_0_becomes_a_port() {
        assert_ne!(free("127.0.0.1:0".parse().unwrap(), "--listen").unwrap().port(), 0);
    }

    #[test]
    fn every_interface_is_reached_over_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(url("10.0.0.1:80".parse().unwrap()), "http://10.0.0.1:80");
    }
}
