//! Bugs that are planted on purpose, to prove that the trials find them.
//!
//! A trial that has never failed has proven nothing. Built with `--cfg canary`,
//! the log carries one of these bugs, the one that `EAGRE_CANARY` names, and the
//! trials of its family must fail; `cargo xtask canaries` holds them to it. Every
//! other build has none of this: the question is a constant `false` there.

/// A bug of the kind that logs have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canary {
    /// What is written counts as synced.
    AckBeforeSync,
    /// A failed sync counts as one that succeeded.
    IgnoreSyncError,
    /// A failed sync is tried again.
    RetrySync,
    /// A frame's checksum does not cover its length.
    ChecksumSkipsLength,
    /// Damage is taken for the end of the log.
    DamageIsEnd,
    /// Frames of another generation are records.
    AnyGeneration,
    /// A segment gets its name before it is durable.
    FileNotSynced,
    /// The name of a new segment is not made durable.
    NameNotSynced,
    /// A segment is sealed while it is not on the disk.
    SealBeforeSync,
    /// A segment is released before the next one's cursors are on the disk.
    ReleaseEarly,
    /// Cursors forget the records that were handed out and are not finished.
    PendingForgotten,
}

/// The bug is planted.
#[cfg(not(canary))]
pub(crate) const fn planted(_: Canary) -> bool {
    false
}

/// The bug is planted. A misspelled name plants nothing, and then the trials
/// report that it was not caught.
#[cfg(canary)]
pub(crate) fn planted(canary: Canary) -> bool {
    static NAME: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("EAGRE_CANARY").ok());
    NAME.as_deref() == Some(&format!("{canary:?}"))
}
