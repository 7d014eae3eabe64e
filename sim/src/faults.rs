//! Which faults a disk has, and how often.

use crate::random::Random;

pub(crate) const EINTR: i32 = 4;
pub(crate) const EIO: i32 = 5;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENFILE: i32 = 23;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const EFBIG: i32 = 27;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EDQUOT: i32 = 122;

/// Rates of a thousand, each of its own call; the default has no faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The most turns that a write, a sync or a chore takes.
    pub turns_max: u64,
    /// Writes that end early.
    pub short_write: u64,
    /// Writes that a signal interrupts.
    pub interrupted_write: u64,
    /// Writes that fail.
    pub failed_write: u64,
    /// Syncs that fail.
    pub failed_sync: u64,
    /// Turns in which the kernel writes a page back.
    pub write_back: u64,
    /// Turns in which the kernel fails to.
    pub failed_write_back: u64,
    /// Turns in which the kernel drops its clean pages.
    pub eviction: u64,
    /// Segments that find no space.
    pub no_space: u64,
    /// Segments for which descriptors or memory are short when they are made or
    /// removed.
    pub no_resources: u64,
    /// Writes and syncs that nobody takes.
    pub refused: u64,
    /// Segments that are not made for another reason.
    pub failed_prepare: u64,
    /// Segments that are not removed.
    pub failed_remove: u64,
    /// Calls of recovery that fail.
    pub failed_recovery: u64,
    /// First views of a segment that fail.
    pub failed_view: u64,
}

impl Faults {
    /// A random subset at random rates: a seed without syncs that fail comes to
    /// where one with them never gets.
    pub(crate) fn swarm(random: &mut Random) -> Self {
        let mut rate = |often: u64| if random.below(3) == 0 { 1 + random.below(often) } else { 0 };
        Self {
            short_write: rate(400),
            interrupted_write: rate(200),
            failed_write: rate(20),
            failed_sync: rate(40),
            write_back: rate(300),
            failed_write_back: rate(20),
            eviction: rate(100),
            no_space: rate(300),
            no_resources: rate(300),
            refused: rate(10),
            failed_prepare: rate(40),
            failed_remove: rate(400),
            failed_recovery: rate(100),
            failed_view: rate(20),
            turns_max: rate(8),
        }
    }
}
