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
    /// What arrives during a flush counts as flushed with it.
    AckQueued,
    /// A short write counts as a whole one.
    ShortWriteIsWhole,
    /// A failed sync counts as one that succeeded.
    IgnoreSyncError,
    /// A failed sync is tried again.
    RetrySync,
    /// A poisoned log goes on.
    PoisonForgotten,
    /// Missing space poisons.
    ShortagePoisons,
    /// A frame's checksum does not cover its length.
    ChecksumSkipsLength,
    /// The mark in a frame tells what was written, not what was synced.
    MarkIsWritten,
    /// Damage is taken for the end of the log.
    DamageIsEnd,
    /// A group without its end is one.
    GroupEndIgnored,
    /// A torn tail is cut off and not overwritten with zeros.
    TailNotZeroed,
    /// Recovery believes the page cache.
    CacheTrusted,
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
    /// A segment is released by cursors that are written and not synced.
    ReleaseByWritten,
    /// An active segment as large as the log may be leaves no room for the next.
    LargeActiveStays,
    /// A checkpoint holds no cursors.
    CheckpointEmpty,
    /// Cursors forget the records that were handed out and are not finished.
    PendingForgotten,
    /// Recovery takes the cursors of the checkpoint, and not those that follow it.
    CursorsForgotten,
    /// A cursor outside of the log is moved and nobody is told.
    ClampSilent,
    /// A cursor of which the log was told a part counts as told.
    CutCountsAsWhole,
    /// What is to be synced whatever it asked for is not.
    SyncAllForgotten,
    /// Progress brings a consumer back that was forgotten.
    ForgottenComesBack,
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
