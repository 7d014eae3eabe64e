//! Which interesting things happened, so that a simulation cannot silently stop
//! to test them.

macro_rules! branches {
    ($($name:ident),+ $(,)?) => {
        /// Something that has to happen over many seeds, or they prove little.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Branch { $($name),+ }

        impl Branch {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

branches! {
    // Of the disk.
    TornPage, OldPage, NewPage, WriteCutByCrash, SyncCutByCrash, ShortWrite, InterruptedWrite, FailedWrite,
    FailedSync, WriteBack, FailedWriteBack, Eviction, NoSpace, NoResources, Refused, FailedPrepare, FailedRemove, RemovalWaits, SpareReplaced, NameLost,
    NameKept, ChoreAfterFlush, FlushAfterChore, FailedView,
    // Of starts.
    Killed, PowerCut, FailedRecovery, CrashInRecovery, SecondCrashInRecovery, OptionsChanged, Truncated,
    BegunSegment, RecordsLost, GroupLost, CursorsReverted, PendingRestored, CursorCutOff,
    // Of the log.
    Roll, Release, Poisoned, GroupKept, ProgressWithRecord, ProgressOfSeveral, StrangerRefused, FullPreparing, FullPending, FullMaxBytes,
    FullNoSpace, FullNoResources, TooLarge, SyncedAll, WeakerBeforeStronger, Resumed,
    // Of bit rot.
    RotRefused, RotHeader, RotRecord, RotSeal, RotMissing, RotForeign, RotFoundByRead, RotCutOff, RotHarmless,
    RotClamped, StaleFrames,
}

/// How often each branch was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage([u64; Branch::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Branch::ALL.len()])
    }
}

impl Coverage {
    /// The branch was taken.
    pub fn hit(&mut self, branch: Branch) {
        self.0[branch as usize] += 1;
    }

    /// How often it was taken.
    #[must_use]
    pub fn of(&self, branch: Branch) -> u64 {
        self.0[branch as usize]
    }

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}
