//! Which interesting things happened to shards, so that a simulation cannot
//! silently stop to test them.

macro_rules! sights {
    ($($name:ident),+ $(,)?) => {
        /// Something that has to happen over many seeds, or they prove little.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Seen { $($name),+ }

        impl Seen {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

sights! {
    // Of producers.
    Accepted, AcceptedBatch, EmptyBatch, RefusedTooLarge, RefusedFull, RefusedOverQuota, RefusedUnknownBroker,
    Vanished, SentSlowly, SentInChunks, SentStructured,
    // Of subscribers.
    Delivered, DeliveredTwice, AnsweredLate, AnsweredTwice, IdleTimeout, Hung, Reset, Refused, Replied,
    DeadLettered, KeptDeadLetter, DroppedDeadLetter,
    // Of the control plane.
    TriggerEdited, TriggerMoved, TriggerDeleted, TriggerBack, TriggerRecreated, BrokerDeleted, BrokerRecreated,
    GenerationRefused, VanishedShortly, LateConfiguration,
    // Of the process.
    Killed, PowerCut, Stopped, StoppedInTime, DiedInRecovery, SyncFailed, DiskFull, DescriptorsGone, ClockStepped,
    CrashedBetween, MoreShards, NewerRecord, OtherSegments, MovedToBacklog, BacklogRemoved, BacklogReopened,
}

/// How often each was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sights([u64; Seen::ALL.len()]);

impl Default for Sights {
    fn default() -> Self {
        Self([0; Seen::ALL.len()])
    }
}

impl Sights {
    /// It happened.
    pub fn hit(&mut self, seen: Seen) {
        self.0[seen as usize] += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, seen: Seen) -> u64 {
        self.0[seen as usize]
    }

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}
