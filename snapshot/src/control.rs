//! The control page: which generation is in force, and whose.
//!
//! A page ([`crate::page`]) of four words: magic, version, generation, publisher.
//! The publisher alone writes it, and replaces it only with all of the directory:
//! subscribers keep it mapped across restarts of the publisher.

pub(crate) const CONTROL: &str = "control";
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"EAGRCTRL");
pub(crate) const VERSION: u64 = 1;

/// Words of the page.
pub(crate) const AT_MAGIC: usize = 0;
pub(crate) const AT_VERSION: usize = 1;
pub(crate) const AT_GENERATION: usize = 2;
/// Drawn when the page is made, so that the generations of two pages can be told
/// apart.
pub(crate) const AT_PUBLISHER: usize = 3;
pub(crate) const WORDS: usize = 4;

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
