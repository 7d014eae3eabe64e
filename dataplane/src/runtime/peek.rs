//! A look at what has arrived on a socket, without reading and without waiting.
#![allow(unsafe_code)] // monoio's sockets lend their descriptor as a number only.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::{io::Errno, net::RecvFlags};

/// Nothing has arrived on `socket` that was not read, not even its end.
///
/// Justification: monoio's own poll costs a submission and a completion, and
/// this stands before every request on a connection that was used before.
pub(super) fn is_quiet(socket: &impl AsRawFd) -> bool {
    // SAFETY: `borrow_raw` demands an open descriptor for as long as the borrow
    // lives. `socket` owns it and is borrowed for longer than this function's
    // only use of it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    let peeked = rustix::net::recv(descriptor, &mut [0u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    peeked.err() == Some(Errno::AGAIN)
}
