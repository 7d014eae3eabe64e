//! `[runtime]`

use std::ops::RangeInclusive;

use super::section::section;
use crate::runtime::driver::Requested;

/// Shards of one process.
pub(super) const SHARDS_RANGE: RangeInclusive<usize> = 1..=eagre_snapshot::SHARDS_MAX;

section! {
    /// Threads, and how they wait for the kernel.
    [runtime] Runtime (cores: usize)

    /// The CPU that each shard is bound to, one per shard, each a different one.
    cpus: Vec<usize> = Vec::new(), unset "those the process may use, in order", like vec![0, 1];

    /// Number of shards: one thread and one log each. More than 1024 are no use on any
    /// machine.
    shards: usize = if cpus.is_empty() { cores } else { cpus.len() },
        unset "one per core, or per CPU of `cpus`", like 2, in SHARDS_RANGE;

    /// How shards wait for the kernel: auto takes io_uring where it is allowed and epoll
    /// elsewhere; uring and epoll take that or nothing.
    driver: Requested = Requested::Auto;
}
