//! The manifests' folder is empty for a moment, as between two steps of a tool that
//! writes it anew: pending events are not forgotten.

use std::{fs, thread, time::Duration};

use anyhow::Context;

use super::scene::{Scene, Stop};

/// So long the folder is empty.
const EMPTY: Duration = Duration::from_millis(400);
/// Events that are pending meanwhile.
const PENDING: usize = 300;

pub fn run(scene: &Scene<'_>) -> Result<(), Stop> {
    let mut server = scene.setup.start()?;
    let address = scene.serving(&mut server)?;
    scene.post(&mut server, address, PENDING)?;

    let manifest = scene.setup.manifest();
    let text = fs::read(&manifest).context("read the manifest")?;
    fs::remove_file(&manifest).context("empty the folder")?;
    thread::sleep(EMPTY);
    fs::write(&manifest, text).context("fill the folder")?;
    scene.deliver_all(&mut server)?;
    scene.stop(server)
}
