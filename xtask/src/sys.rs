//! The one system call of the trials that no safe interface offers.
#![allow(unsafe_code, reason = "ioctl has a safe form for no request that a library does not know")]

use std::{fs::File, io, path::Path};

use rustix::ioctl::{Setter, ioctl};

/// `EXT4_IOC_SHUTDOWN`, also known as `FS_IOC_SHUTDOWN`: `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: nothing more is written, not even the journal.
const NO_LOG_FLUSH: u32 = 2;

/// Shuts down the file system of a directory as a loss of power would: what was not
/// synced is gone, and every access fails until it is mounted again.
///
/// # Errors
/// The file system does not know the request, or this process lacks `CAP_SYS_ADMIN`.
pub fn shut_down(directory: &Path) -> io::Result<()> {
    let directory = File::open(directory)?;
    // SAFETY: the request reads a `u32` from the address it is given and keeps no
    // reference to it. `Setter` passes the address of its own `u32`, which lives until
    // the call returns; the opcode's direction bits, which say "read", are historical
    // and not interpreted by the kernel for this request.
    Ok(unsafe { ioctl(&directory, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_one_of_the_kernels_header() {
        assert_eq!(SHUTDOWN, 0x8004_587d);
    }
}
