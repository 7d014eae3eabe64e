//! Bugs that are planted on purpose, to prove that the simulation of shards finds
//! them.
//!
//! As in the log (`wal/src/canary.rs`): built with `--cfg canary`, the data plane
//! carries the one that `EAGRE_CANARY` names, and `cargo xtask canaries` holds the
//! seeds to finding it. In every other build the question is a constant `false`.

/// A bug of the kind that data planes have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canary {
    /// An event is acknowledged before it is durable.
    AckAtOnce,
    /// Backlogs are released before it is known who needs them.
    ReleaseBeforeConfiguration,
    /// A position of a backlog is stored as one of the shard's log.
    BacklogAsLog,
    /// Events are taken for moved while they are on their way.
    MovedTooSoon,
    /// What was handed out before it was moved is handed out again.
    MovedAnew,
    /// An event of another broker than the trigger's is finished.
    ForeignFinished,
    /// A record that cannot be read is passed over.
    UnknownPassedOver,
    /// A shortage of descriptors is a failure of the subscriber.
    ShortageIsFailure,
    /// One turn reads as much of the logs as there is.
    TurnUnbounded,
    /// A due time that stands in the log is believed, whatever the calendar says.
    CalendarBelieved,
    /// What vanishes from the configuration is given up at once.
    AbsenceForgets,
    /// A connection is used again whatever has arrived on it.
    NoisyReuse,
    /// A request that was sent whole and got no answer is sent again at once.
    SilenceSentAgain,
    /// An empty batch waits for an event that never comes.
    EmptyBatchWaits,
    /// What a backlog lets go of waits for a sync that nobody asks for: a broker that
    /// was over its quota is over it for good.
    QuotaForGood,
    /// A backlog forgets where triggers stand that nobody has registered since a crash.
    StrangersForgotten,
    /// A stop leaves what asked for less than the disk where it is.
    StopWithoutSync,
    /// The dead letters that a killed process left are not part of a stop.
    LettersLeft,
    /// A trigger that is back in another slot is counted in both.
    TwoSlots,
    /// One who looks for a connection again has another place in the queue.
    TwoPlaces,
}

/// The bug is planted.
#[cfg(not(canary))]
pub(crate) const fn planted(_: Canary) -> bool {
    false
}

/// The bug is planted. A misspelled name plants nothing, and then the seeds
/// report that it was not caught.
#[cfg(canary)]
pub(crate) fn planted(canary: Canary) -> bool {
    static NAME: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("EAGRE_CANARY").ok());
    NAME.as_deref() == Some(&format!("{canary:?}"))
}
