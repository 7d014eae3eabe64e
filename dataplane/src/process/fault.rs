//! The end of a process whose memory map is gone.
//!
//! The log and the snapshot are read through memory maps. Where the disk cannot
//! return a page, or somebody has shortened the file, reading it is a SIGBUS
//! rather than an error that could be handled. It ends the process: this names
//! the reason and the exit code. The next start reads everything that it needs
//! and says what is damaged.
#![allow(unsafe_code)] // What may be done in a signal handler is not checked by any interface.

use std::io;

use signal_hook::{consts::SIGBUS, low_level};

use crate::runtime::exit;

const REASON: &[u8] =
    b"eagre-dataplane: a page of a mapped file is gone (SIGBUS): the disk cannot read it, or \
the file of the log or snapshot was shortened; see the kernel's log, and `eagre wal verify`\n";

/// Watches for SIGBUS.
pub(crate) fn on_lost_page() -> io::Result<()> {
    let action = || {
        // The process ends in any case.
        let _ = rustix::io::write(rustix::stdio::stderr(), REASON);
        low_level::exit(i32::from(exit::DISK));
    };
    // SAFETY: `register` demands an action that is async-signal-safe: it makes
    // two system calls, write and _exit, on constants, takes no lock, allocates
    // nothing and cannot panic.
    unsafe { low_level::register(SIGBUS, action) }.map(drop)
}
