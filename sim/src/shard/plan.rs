//! What a seed decides before the first event: who is there, how the process is
//! set up, and which faults are on.

use std::time::Duration;

use eagre_dataplane::simulation::Config;
use eagre_snapshot::Fsync;

use crate::{
    faults::Faults,
    random::Random,
    world::{Habits, MILLISECOND, Nanos, SECOND},
};

/// The most that any run allows a trigger to have pending.
pub(super) const PENDING_PER_TRIGGER_MAX: usize = 12;

/// The decisions.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// How long the trouble lasts.
    pub trouble: Nanos,
    pub brokers: u64,
    pub triggers: u64,
    pub subscribers: usize,
    pub producers: u64,
    /// Requests of each producer.
    pub requests: u64,
    /// Between two of them, at the most.
    pub pause_max: Nanos,
    /// The largest payload.
    pub payload_max: u64,
    pub grace: Nanos,
    /// How the machine behaves while there is trouble.
    pub habits: Habits,
    pub disk: Faults,
    /// How often, of a thousand, each thing comes up when somebody decides what to
    /// do next; 0 in seeds that do without.
    pub rates: Rates,
    /// Durations between decisions of the operator and the control plane.
    pub operator_pause: Nanos,
    pub control_pause: Nanos,
    pub modes: Vec<Fsync>,
    pub segments: Vec<u64>,
    pub shards: Vec<usize>,
    /// In the end a newer version writes a record.
    pub newer: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    // The operator's.
    pub kill: u64,
    pub power_cut: u64,
    pub stop: u64,
    pub disk_full: u64,
    pub descriptors: u64,
    pub sync_failure: u64,
    pub clock_step: u64,
    pub die_in_recovery: u64,
    pub late_configuration: u64,
    /// Of a thousand moments in which a log has just been synced.
    pub die_at_sync: u64,
    /// Of a thousand moments in which a backlog has.
    pub die_at_move: u64,
    // The control plane's.
    pub edit: u64,
    pub move_trigger: u64,
    pub delete: u64,
    pub recreate: u64,
    pub broker: u64,
    pub refused: u64,
    pub vanish: u64,
    // The producers'.
    pub vanishing: u64,
    pub slow: u64,
    pub chunked: u64,
    pub structured: u64,
    pub batch: u64,
    pub large: u64,
    // The subscribers'.
    pub failure: u64,
    pub hang: u64,
    pub reset: u64,
    pub late: u64,
    pub noise: u64,
    pub close: u64,
    pub reply: u64,
    pub down: u64,
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut apart = Random(random.0.rotate_left(32));
        let calm = random.below(12) == 0;
        let mut on = |often: u64, rate: u64| {
            if !calm && random.below(often) == 0 { 1 + random.below(rate) } else { 0 }
        };
        let rates = Rates {
            kill: on(2, 400),
            power_cut: on(3, 300),
            stop: on(3, 300),
            disk_full: on(4, 300),
            descriptors: on(4, 400),
            sync_failure: on(8, 200),
            clock_step: on(3, 400),
            die_in_recovery: on(6, 400),
            late_configuration: on(3, 700),
            edit: on(2, 500),
            move_trigger: on(3, 300),
            delete: on(3, 300),
            recreate: on(4, 300),
            broker: on(4, 300),
            refused: on(5, 300),
            vanish: on(3, 400),
            vanishing: on(3, 150),
            slow: on(3, 100),
            chunked: on(3, 300),
            structured: on(3, 400),
            batch: on(3, 300),
            large: on(3, 150),
            failure: on(2, 600),
            hang: on(4, 200),
            reset: on(3, 200),
            late: on(3, 300),
            noise: on(3, 400),
            close: on(3, 300),
            reply: on(3, 500),
            down: on(3, 500),
            // From a row of their own: what the others come to is what it was before these.
            die_at_sync: if calm { 0 } else { apart.pick(&[0, 0, 0, 5]) },
            die_at_move: if calm { 0 } else { apart.pick(&[0, 100, 400]) },
        };
        let habits = Habits {
            latency_max: random.pick(&[0, MILLISECOND / 2, 5 * MILLISECOND, 20 * MILLISECOND]),
            disk_latency_max: random.pick(&[0, MILLISECOND / 10, 2 * MILLISECOND, 8 * MILLISECOND]),
            slow_disk: random.pick(&[0, 0, 5, 50]),
            partial: random.pick(&[0, 0, 50, 500]),
            resets: random.pick(&[0, 0, 0, 30]),
            lost_connects: random.pick(&[0, 0, 0, 50]),
            failed_names: random.pick(&[0, 0, 0, 100]),
            descriptors_gone: false,
            turn_budget: (random.pick(&[4, 16, 64]), random.pick(&[2000, 20_000])),
        };
        let disk = Faults {
            short_write: random.pick(&[0, 0, 100]),
            interrupted_write: random.pick(&[0, 0, 50]),
            write_back: random.pick(&[0, 100]),
            eviction: random.pick(&[0, 50]),
            no_space: if calm { 0 } else { random.pick(&[0, 0, 0, 100]) },
            ..Faults::default()
        };
        let trouble = SECOND * (2 + random.below(18));
        let producers = 1 + random.below(3);
        let requests = (20 + random.below(120)) / producers;
        let interval = Fsync::Interval { ms: 1 + random.below(40) };
        let mut seconds = |from, to| (SECOND * from) + random.below((to - from) * SECOND);
        Self {
            grace: seconds(1, 12),
            trouble,
            operator_pause: seconds(0, 3),
            control_pause: seconds(0, 2),
            brokers: 1 + random.below(3),
            triggers: 1 + random.below(4),
            subscribers: 1 + random.below(3) as usize,
            producers,
            requests,
            pause_max: 2 * trouble / requests,
            payload_max: random.pick(&[100, 600, 2000, 5000]),
            habits,
            disk,
            rates,
            modes: match random.below(5) {
                0..3 => vec![Fsync::Always],
                3 => vec![Fsync::Never],
                _ => vec![Fsync::Always, Fsync::Never, interval],
            },
            segments: random.pick(&[&[16][..], &[16, 20, 32], &[32]]).to_vec(),
            shards: random.pick(&[&[1][..], &[1], &[2], &[1, 2, 3]]).to_vec(),
            newer: random.below(20) == 0,
        }
    }

    /// How a process is set up that finds logs of `shards_min` shards.
    pub(super) fn config(&self, random: &mut Random, shards_min: usize) -> Config {
        let mut config = Config::load(&Default::default()).expect("the defaults are good");
        let shards = random.pick(&self.shards).max(shards_min);
        let segment_bytes = random.pick(&self.segments) * 1024;
        config.runtime.cpus = Vec::new();
        config.runtime.shards = shards;
        let wal = &mut config.wal;
        wal.segment_bytes = segment_bytes;
        wal.max_bytes = segment_bytes * random.pick(&[3, 4, 6, 12]) * shards as u64;
        wal.fsync = random.pick(&self.modes);
        wal.backlog_bytes_max = segment_bytes * random.pick(&[6, 10, 20]) * shards as u64;
        wal.backlog_bytes_max_per_broker = wal.backlog_bytes_max / random.pick(&[1, 2, 4]);
        let ingress = &mut config.ingress;
        ingress.body_bytes_max = 6 * 1024;
        ingress.bodies_bytes_max = random.pick(&[24 * 1024, 1 << 20]);
        ingress.idle_keep_alive = Duration::from_secs(1 + random.below(60));
        ingress.header_deadline = Duration::from_millis(500 + random.below(5000));
        ingress.body_deadline = Duration::from_millis(500 + random.below(5000));
        let limits = &mut config.limits;
        limits.queue_per_trigger = 1 + random.below(12) as usize;
        limits.pending_per_trigger = 1 + random.below(PENDING_PER_TRIGGER_MAX as u64) as usize;
        limits.pending_batch_bytes = random.pick(&[24 * 1024, 1 << 20]);
        limits.cursor_flush_interval = Duration::from_millis(10 + random.below(300));
        limits.drain_deadline = Duration::from_millis(500 + random.below(4000));
        let room = limits.queue_per_trigger.min(limits.pending_per_trigger) as u64;
        let delivery = &mut config.delivery;
        delivery.parallelism = 1 + random.below(room) as usize;
        delivery.connect_timeout = Duration::from_millis(100 + random.below(900));
        delivery.timeout = Duration::from_millis(1000 + random.below(3000));
        delivery.response_body_bytes_max = 4 * 1024;
        delivery.retry_after_max = Duration::from_secs(random.below(10));
        delivery.idle_connection = Duration::from_millis(100 + random.below(20_000));
        config
    }
}
