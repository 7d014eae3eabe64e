//! A port that is ours for as long as we want it.
//!
//! A bound socket that never listens keeps the port, and kube-apiserver listens on it
//! beside ours (`--permit-port-sharing`). So there is no moment in which somebody else
//! could take it, neither before the first start nor between a stop and the next.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
};

use rustix::net::{
    AddressFamily, SocketAddrAny, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
};

use crate::Error;

pub(crate) struct Port {
    _socket: OwnedFd,
    pub(crate) number: u16,
}

impl Port {
    /// One of loopback that the kernel chooses.
    pub(crate) fn reserve() -> Result<Self, Error> {
        let reserved = || -> rustix::io::Result<Self> {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseport(&socket, true)?;
            bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let address: SocketAddrAny = getsockname(&socket)?;
            let number = SocketAddrV4::try_from(address)?.port();
            Ok(Self { _socket: socket, number })
        };
        reserved().map_err(|error| Error::machine("reserving a port on 127.0.0.1")(error.into()))
    }
}
