//! The control page: which generation is in force.
//!
//! A page ([`crate::page`]) of three words: magic, version, generation. The
//! publisher alone writes it, and never replaces the file: subscribers keep it
//! mapped across restarts of the publisher.

pub(crate) const CONTROL: &str = "control";
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"EAGRCTRL");
pub(crate) const VERSION: u64 = 1;

/// Words of the page.
pub(crate) const AT_MAGIC: usize = 0;
pub(crate) const AT_VERSION: usize = 1;
pub(crate) const AT_GENERATION: usize = 2;
pub(crate) const WORDS: usize = 3;

/// The name of a generation's file.
pub(crate) fn file_name(generation: u64) -> String {
    format!("{SNAPSHOT_PREFIX}{generation}")
}

/// The generation a file name stands for.
pub(crate) fn file_generation(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SNAPSHOT_PREFIX)?;
    let generation = digits.parse().ok()?;
    // Not what else `parse` takes for a number (`+1`, `01`): those names are not ours.
    (file_name(generation) == name).then_some(generation)
}

const SNAPSHOT_PREFIX: &str = "snapshot-";
