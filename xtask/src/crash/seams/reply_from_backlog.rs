//! A reply to an event that was just moved to a backlog, the first one of its trigger, and
//! a kill before the next cursors: the place that is stored with the reply is one in the
//! backlog, and must be known for it. Taken for one in the shard's log, its unfinished
//! events are forgotten, or the whole backlog is.
//!
//! A slow disk stretches the time in which that matters: from the first moved piece of a
//! segment to the cursors that let the segment go.

use std::{fs, ops::RangeInclusive, thread, time::Duration};

use anyhow::Context;

use super::{
    super::{
        fuse::Fuse,
        plan::{Kind, Plan, Trigger},
    },
    scene::{STUCK, Scene, Stop},
};
use crate::random::Random;

/// One who takes replies, and two who reply, too slowly to keep up: between them they
/// need every event of a segment.
const TRIGGERS: [Trigger; 3] = [
    Trigger { wants: Some(Kind::Reply), unavailable_one_in: 0, ..STUCK },
    Trigger { wants: Some(Kind::Order), ..REPLIES },
    Trigger { wants: Some(Kind::Payment), ..REPLIES },
];
const REPLIES: Trigger = Trigger { unavailable_one_in: 0, delay_ms_max: 300, replies: true, ..STUCK };

/// A sync takes so long.
const SYNC: Duration = Duration::from_millis(100);
/// Kills of one trial.
const KILLS: u64 = 4;
/// The kill comes so long after the first move: time for a reply to be on the disk, and
/// for the cursors not yet.
const KILL_AFTER_MS: RangeInclusive<u64> = 150..=350;
const MOVED: &str = "eagre_backlog_moved_events_total";

/// Large events from many producers: on a slow disk, too, they fill the log before the
/// triggers have taken them.
pub fn bend(plan: Plan) -> Plan {
    Plan { triggers: TRIGGERS.to_vec(), producers: 24, payload_bytes_max: 60_000, ..plan }
}

/// The disk on which syncs take so long.
pub fn slow(disk: Fuse) -> Fuse {
    disk.delay_syncs(SYNC);
    disk
}

pub fn run(scene: &Scene<'_>) -> Result<(), Stop> {
    let config = fs::read_to_string(scene.setup.config()).context("read eagre.toml")?;
    let config = config + "cursor_flush_interval = \"2s\"\n";
    fs::write(scene.setup.config(), config).context("write eagre.toml")?;
    let mut random = Random::new(scene.plan.seed, u64::MAX);
    for _ in 0..KILLS {
        let mut server = scene.setup.start()?;
        let address = scene.serving(&mut server)?;
        scene.subscribers.be_as_planned();
        let watched = scene.setup.address(&server, "admin");
        scene.post_while(&mut server, address, |_| {
            let moved = watched.map_or(Ok(0.0), |admin| scene.metric(admin, MOVED))?;
            if moved > 0.0 {
                thread::sleep(Duration::from_millis(random.within(KILL_AFTER_MS)));
            }
            Ok(moved == 0.0)
        })?;
        scene.kill(server)?;

        let mut server = scene.setup.start()?;
        scene.serving(&mut server)?;
        scene.deliver_all(&mut server)?;
        scene.stop(server)?;
    }
    Ok(())
}
