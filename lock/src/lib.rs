//! Lock files: one process at a time.
//!
//! A process that was killed may hold its lock a moment longer: the kernel ends it
//! first, and keeps its files for as long as a ring of it has work. So a lock that
//! is held is asked for again, for a bounded time, before it counts as held.
//!
//! Deliberately absent: what is in the file, and what an owner tells of a lock that
//! it does not get.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::Duration,
};

/// Attempts that outlast a process that is going away: two seconds.
pub const ATTEMPTS: u32 = 40;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock of `file`, in up to so many attempts; false if somebody else has
/// it all the while. It is held until the file is closed or the process ends.
///
/// # Errors
/// The file cannot be locked at all.
pub fn lock(file: &File, attempts: u32) -> io::Result<bool> {
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if attempt < attempts => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}
