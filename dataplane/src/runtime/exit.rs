//! How the data plane ends: one exit code per kind of failure, from `sysexits.h`,
//! so that a supervisor can tell "fix the configuration" from "start me again".
//!
//! Codes 1–63 are deliberately unused: shells and supervisors give them meanings of
//! their own.

/// Asked to stop, and every accepted event is on stable storage.
pub const OK: u8 = 0;

/// `EX_USAGE`: the command line does not parse. Nothing was opened.
pub const USAGE: u8 = 64;

/// `EX_DATAERR`: the log is damaged below its durable mark. Starting again changes
/// nothing: an operator has to look. `eagre wal verify` names the files to restore from
/// a copy, and docs/salvage.md tells what to do without one.
pub const DAMAGE: u8 = 65;

/// `EX_SOFTWARE`: a broken invariant, a panic on a shard. Report it.
pub const SOFTWARE: u8 = 70;

/// `EX_OSERR`: the system refused what the process needs: a thread, a socket, an
/// address in use, io_uring when it was demanded.
pub const OS_ERROR: u8 = 71;

/// `EX_IOERR`: a write or sync of the log failed. Nothing was acknowledged after it;
/// starting again recovers what the disk has.
pub const DISK: u8 = 74;

/// `EX_TEMPFAIL`: something needed is held by another or not there yet: the lock of
/// the data directory, the snapshot. Starting again later may succeed.
pub const TEMP_FAIL: u8 = 75;

/// `EX_CONFIG`: the configuration file is missing, malformed or contradicts itself.
/// Nothing was opened.
pub const CONFIG: u8 = 78;

/// Whether starting the same process again, unchanged, can help.
#[must_use]
pub const fn restart_helps(code: u8) -> bool {
    matches!(code, SOFTWARE | OS_ERROR | DISK | TEMP_FAIL)
}

/// Ends the process from whatever thread this is, without unwinding and without
/// running destructors: after a failed sync nothing may touch the log again.
pub fn now(code: u8) -> ! {
    #[cfg(feature = "simulation")]
    if let Some(world) = super::world::current() {
        world.exit(code)
    }
    std::process::exit(i32::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_of_the_operator_is_not_mended_by_a_restart() {
        assert!([USAGE, DAMAGE, CONFIG, OK].iter().all(|&code| !restart_helps(code)));
    }
}
