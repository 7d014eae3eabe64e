//! What a seed decides of a trial: everything but the scheduling of processes.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use crate::random::Random;

/// Acknowledged events without which a trial does not count.
pub const ACKNOWLEDGED_MIN: usize = 200;
/// How often moved cursors go to the log.
pub const CURSOR_INTERVAL: Duration = Duration::from_millis(100);

/// The smallest that the data plane takes, so that segments roll under way.
const SEGMENT_MIB: u64 = 1;

/// What happens in one trial.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was made from.
    pub seed: u64,
    /// Shards of the data plane.
    pub shards: u64,
    /// How shards wait for the kernel: `uring` or `epoll`.
    pub driver: &'static str,
    /// Most MiB of the logs together.
    pub max_mib: u64,
    /// Connections that post.
    pub producers: u64,
    /// Bytes of the largest payload.
    pub payload_bytes_max: u64,
    /// One request in so many is a batch; none if zero.
    pub batch_one_in: u64,
    /// Subscribers.
    pub triggers: Vec<Trigger>,
    /// Syncs take some milliseconds.
    pub slow_disk: bool,
    /// Load and crash, one after another.
    pub rounds: Vec<Round>,
}

/// One trigger and how its subscriber behaves until the last drain.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    /// The type of event it wants; every one if none.
    pub wants: Option<Kind>,
    /// Milliseconds that an answer may take.
    pub delay_ms_max: u64,
    /// One attempt in so many is answered with 503; none if zero.
    pub unavailable_one_in: u64,
    /// Every accepted event is answered with an event.
    pub replies: bool,
    /// It has a dead letter sink, and refuses one event in four for good.
    pub refuses: bool,
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Posted by a producer.
    Order,
    /// Posted by a producer.
    Payment,
    /// A subscriber's reply.
    Reply,
}

/// Load, and the crash that ends it.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Acknowledged events of this round before the crash.
    pub acknowledged: u64,
    /// When it crashes then.
    pub moment: Moment,
}

/// The moment of a crash.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// After a while.
    After(Duration),
    /// So soon after a segment was made, named or removed.
    Roll(Duration),
    /// At once, and then again and again while the server starts, at most so long
    /// after each start.
    Recovery {
        /// How many starts are cut short.
        starts: u64,
        /// The longest time given to one.
        within: Duration,
    },
}

impl Kind {
    /// Its CloudEvents type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "com.example.order",
            Self::Payment => "com.example.payment",
            Self::Reply => "com.example.reply",
        }
    }
}

impl Trigger {
    /// Its filter is true for events of this type.
    pub fn matches(&self, kind: Kind) -> bool {
        self.wants.is_none_or(|wanted| wanted == kind)
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let shards = random.within(1..=2);
        let rounds = random.within(1..=3);
        // A replying trigger adds to the load, and a slow one keeps the log full.
        let others = random.within(0..=3);
        // The first gets everything, replies too, so it must not reply itself.
        let mut triggers = vec![Trigger { wants: None, replies: false, ..trigger(&mut random) }];
        triggers.extend((0..others).map(|_| trigger(&mut random)));
        // A reply is called after its event, so only one trigger replies to it.
        triggers.iter_mut().filter(|trigger| trigger.replies).skip(1).for_each(|other| other.replies = false);
        Self {
            seed,
            shards,
            driver: random.pick(&["uring", "epoll"]),
            max_mib: shards * SEGMENT_MIB * random.within(3..=8),
            producers: random.within(1..=12),
            payload_bytes_max: random.pick(&[256, 2048, 16 * 1024, 64 * 1024]),
            batch_one_in: random.pick(&[0, 3, 10]),
            triggers,
            slow_disk: random.one_in(2),
            rounds: (0..rounds).map(|_| round(&mut random)).collect(),
        }
    }

    /// The tuning file of the data plane.
    pub fn config(&self) -> String {
        format!(
            "[runtime]\nshards = {}\ndriver = \"{}\"\n\
             [wal]\nsegment_bytes = \"{SEGMENT_MIB}MiB\"\nmax_bytes = \"{}MiB\"\nfsync = \"always\"\n\
             [ingress]\nhead_bytes_max = \"8KiB\"\nbody_bytes_max = \"512KiB\"\n\
             [delivery]\nresponse_body_bytes_max = \"128KiB\"\n\
             [limits]\ncursor_flush_interval = \"{}ms\"\ndrain_deadline = \"20s\"\n",
            self.shards,
            self.driver,
            self.max_mib,
            CURSOR_INTERVAL.as_millis()
        )
    }

    /// The broker and its triggers; subscribers listen on one address.
    pub fn manifest(&self, subscribers: SocketAddr) -> String {
        let mut text = String::from(
            "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default}\n\
             spec: {delivery: {retry: 60000, backoffPolicy: linear, backoffDelay: PT0.02S}}\n",
        );
        for (index, trigger) in self.triggers.iter().enumerate() {
            let uri = format!("http://{subscribers}");
            let _ = write!(
                text,
                "---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t{index}}}\n\
                 spec:\n  broker: default\n  subscriber: {{uri: \"{uri}/trigger/{index}\"}}\n"
            );
            if let Some(kind) = trigger.wants {
                let _ = writeln!(text, "  filters: [{{exact: {{type: {}}}}}]", kind.name());
            }
            if trigger.refuses {
                let _ = writeln!(
                    text,
                    "  delivery: {{retry: 1, backoffPolicy: linear, backoffDelay: PT0.02S, \
                     deadLetterSink: {{uri: \"{uri}/sink/{index}\"}}}}"
                );
            }
        }
        text
    }
}

fn trigger(random: &mut Random) -> Trigger {
    let wants = random.pick(&[Kind::Order, Kind::Payment, Kind::Reply]);
    let character = random.within(0..=4);
    Trigger {
        wants: Some(wants),
        delay_ms_max: if character == 0 { random.pick(&[5, 50, 300]) } else { 0 },
        unavailable_one_in: if character == 1 { random.pick(&[2, 10]) } else { 0 },
        // A reply to a reply would have no end.
        replies: character == 2 && wants != Kind::Reply,
        refuses: character == 3,
    }
}

fn round(random: &mut Random) -> Round {
    let moment = match random.within(0..=3) {
        0 | 1 => Moment::After(Duration::from_micros(random.within(0..=600_000))),
        2 => Moment::Roll(Duration::from_micros(random.within(0..=3_000))),
        _ => Moment::Recovery {
            starts: random.within(1..=3),
            within: Duration::from_millis(random.within(1..=200)),
        },
    };
    Round { acknowledged: random.within(ACKNOWLEDGED_MIN as u64..=600), moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_whole_plan() {
        for seed in 0..100 {
            assert_eq!(format!("{:?}", Plan::new(seed)), format!("{:?}", Plan::new(seed)));
        }
    }

    #[test]
    fn no_trigger_replies_to_its_own_replies() {
        let plans = (0..1000).map(Plan::new);
        for trigger in plans.flat_map(|plan| plan.triggers) {
            assert!(!(trigger.replies && trigger.matches(Kind::Reply)), "{trigger:?}");
        }
    }

    #[test]
    fn an_event_has_one_reply() {
        let plans = (0..1000).map(Plan::new);
        let most = plans.map(|plan| plan.triggers.iter().filter(|trigger| trigger.replies).count()).max();
        assert_eq!(most, Some(1));
    }
}
