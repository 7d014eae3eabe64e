//! Exit codes of the command, as in BSD's `sysexits.h`. The planes have their own,
//! from the same table; `eagre up` ends with that of the plane that ended it.

/// All went well; for `up`: stopped as asked, with nothing in flight.
pub const OK: u8 = 0;
/// `check` found something that does not work; `filter test --exit-code` found an event
/// that does not match.
pub const FAILED: u8 = 1;
/// The command line is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// What should be an event or an expression is none; a log is damaged (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// The event cannot be read; no log is there (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// A broken invariant, or a plane that keeps dying (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// The system refused what is needed: a port in use, a process (`EX_OSERR`).
pub const OS_ERROR: u8 = 71;
/// A directory cannot be made or written (`EX_CANTCREAT`).
pub const CANNOT_CREATE: u8 = 73;
/// Held by another at the moment, or stopped before all was delivered
/// (`EX_TEMPFAIL`). Starting again continues.
pub const TEMP_FAIL: u8 = 75;
/// A manifest or the tuning file is wrong (`EX_CONFIG`).
pub const CONFIG: u8 = 78;
/// Ended by a second Ctrl-C, as shells count it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;
