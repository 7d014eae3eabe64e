//! What a seed decides before the first operation: how the log is set up, what
//! is done to it how often, and which faults the disk has.

use std::time::Duration;

use eagre_wal::{Fsync, Options, Retain, SEGMENT_BYTES_MIN};

use crate::{faults::Faults, random::Random};

/// One step of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Append,
    Group,
    WithProgress,
    MoveCursor,
    Progress,
    Forget,
    StoreCursors,
    Submit,
    Poll,
    Flush,
    SyncAll,
    Release,
    Read,
    Last,
    SetClock,
    PassTime,
    FillDisk,
    Reopen,
    Kill,
    CutPower,
}

impl Step {
    const ALL: [(Self, u64); 20] = [
        (Self::Append, 24),
        (Self::Group, 8),
        (Self::WithProgress, 6),
        (Self::MoveCursor, 4),
        (Self::Progress, 8),
        (Self::Forget, 2),
        (Self::StoreCursors, 6),
        (Self::Submit, 10),
        (Self::Poll, 24),
        (Self::Flush, 5),
        (Self::SyncAll, 1),
        (Self::Release, 6),
        (Self::Read, 6),
        (Self::Last, 2),
        (Self::SetClock, 4),
        (Self::PassTime, 4),
        (Self::FillDisk, 2),
        (Self::Reopen, 1),
        (Self::Kill, 2),
        (Self::CutPower, 3),
    ];
}

/// How large bodies are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sizes {
    /// All of the same size, so that an old frame may end where a new one does.
    Same(u64),
    Small,
    Mixed,
    /// Up to the largest that fits, and beyond.
    Large,
}

/// The decisions.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub steps: u64,
    weights: Vec<(Step, u64)>,
    pub sizes: Sizes,
    pub faults: Faults,
    /// Modes that appends choose from.
    pub fsyncs: Vec<Fsync>,
    /// The process may die in its recovery.
    pub dies_in_recovery: bool,
    /// Options change from one start to the next.
    pub options_change: bool,
    /// Consumers leave more records unfinished than fit their part of a segment.
    pub crowds: bool,
}

impl Plan {
    pub fn new(random: &mut Random) -> Self {
        let mut weights = Vec::new();
        for (step, weight) in Step::ALL {
            // Each seed does without some steps, and does others all the time.
            let factor = if step == Step::Append || step == Step::Poll { 1 } else { random.below(4) };
            weights.push((step, weight * factor));
        }
        let sizes = match random.below(4) {
            0 => Sizes::Same(8 + random.below(700)),
            1 => Sizes::Small,
            2 => Sizes::Mixed,
            _ => Sizes::Large,
        };
        let interval = Fsync::Interval(Duration::from_millis(1 + random.below(40)));
        let fsyncs = match random.below(6) {
            0..3 => vec![Fsync::Always],
            3 => vec![Fsync::Never],
            4 => vec![interval],
            _ => vec![Fsync::Always, Fsync::Never, interval, Fsync::Interval(Duration::ZERO)],
        };
        Self {
            steps: 60 + random.below(120),
            weights,
            sizes,
            faults: if random.below(8) == 0 { Faults::default() } else { Faults::swarm(random) },
            fsyncs,
            dies_in_recovery: random.coin(),
            options_change: random.below(3) == 0,
            crowds: random.coin(),
        }
    }

    pub fn step(&self, random: &mut Random) -> Step {
        let total = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = random.below(total);
        for (step, weight) in &self.weights {
            if at < *weight {
                return *step;
            }
            at -= weight;
        }
        unreachable!("{at} of {total} weights are left")
    }

    pub fn body_bytes(&self, options: &Options, random: &mut Random) -> u64 {
        match self.sizes {
            Sizes::Same(bytes) => bytes,
            Sizes::Small => random.below(64),
            Sizes::Mixed => random.below(1500),
            Sizes::Large if random.below(8) == 0 => options.record_bytes_max() + random.below(2) * 8,
            Sizes::Large => random.below(options.record_bytes_max()),
        }
    }

    pub fn options(&self, random: &mut Random) -> Options {
        let segment_bytes = SEGMENT_BYTES_MIN + 4096 * random.pick(&[0, 0, 0, 1, 4]);
        let retain = match random.below(4) {
            0 => Retain {
                age: random.coin().then(|| Duration::from_millis(random.below(2000))),
                bytes: random.coin().then(|| random.below(8 * segment_bytes)),
            },
            _ => Retain::default(),
        };
        Options {
            segment_bytes,
            max_bytes: segment_bytes * random.pick(&[2, 3, 4, 6, 10]),
            pending_bytes_max: random.pick(&[1000, 10_000, 1_000_000]),
            retain,
            ..Options::default()
        }
    }
}
