//! Exit codes, as in BSD's `sysexits.h`.

/// Ended as asked.
pub const OK: u8 = 0;
/// The command line is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// A manifest path does not exist or cannot be read (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// The operating system refused something elementary (`EX_OSERR`).
pub const OS_ERROR: u8 = 71;
/// The snapshot cannot be written (`EX_CANTCREAT`).
pub const CANNOT_CREATE: u8 = 73;
/// The manifests are invalid (`EX_CONFIG`).
pub const CONFIG: u8 = 78;
