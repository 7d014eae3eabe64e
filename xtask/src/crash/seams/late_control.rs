//! The control plane comes late, and the snapshot directory is gone, as after a reboot:
//! no backlog may be given up before it is known who needs it.

use std::{fs, thread, time::Duration};

use anyhow::Context;

use super::scene::{MORE_THAN_THE_LOG, Scene, Stop};
use crate::random::Random;

/// So long the data plane runs without a configuration.
const DELAYS_MS: [u64; 4] = [150, 250, 500, 1000];

pub fn run(scene: &Scene<'_>) -> Result<(), Stop> {
    let mut server = scene.setup.start()?;
    let address = scene.serving(&mut server)?;
    scene.post(&mut server, address, MORE_THAN_THE_LOG)?;
    scene.kill(server)?;
    fs::remove_dir_all(scene.setup.run()).context("remove the snapshot directory")?;

    let mut server = scene.setup.start_data_alone()?;
    let delay = Random::new(scene.plan.seed, u64::MAX).pick(&DELAYS_MS);
    thread::sleep(Duration::from_millis(delay));
    server.start_control(scene.setup)?;
    scene.serving(&mut server)?;
    scene.deliver_all(&mut server)?;
    scene.stop(server)
}
