//! `spec.broker` of a trigger is edited while events lie in the old broker's backlog, and
//! the server is started again: what the trigger matched is owed to it.

use std::fs;

use anyhow::Context;

use super::{
    super::patience,
    scene::{MORE_THAN_THE_LOG, Scene, Stop},
};

const OTHER: &str = "---\napiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: other}\n\
                     spec: {delivery: {retry: 60000, backoffPolicy: linear, backoffDelay: PT0.02S}}\n";

pub fn run(scene: &Scene<'_>) -> Result<(), Stop> {
    let manifest = scene.plan.manifest(scene.subscribers.address) + OTHER;
    fs::write(scene.setup.manifest(), &manifest).context("write the manifest")?;
    let mut server = scene.setup.start()?;
    let address = scene.serving(&mut server)?;
    scene.post(&mut server, address, MORE_THAN_THE_LOG)?;

    let admin = scene.setup.address(&server, "admin").context("the admin port is not known")?;
    let generation = || scene.metric(admin, "eagre_snapshot_generation");
    let before = generation()?;
    let edited = manifest.replace("broker: default", "broker: other");
    fs::write(scene.setup.manifest(), edited).context("edit the manifest")?;
    patience::until("the edit is in force", || Ok(generation()? > before))?;
    if scene.plan.seed.is_multiple_of(2) {
        scene.kill(server)?;
    } else {
        scene.stop(server)?;
    }

    let mut server = scene.setup.start()?;
    scene.serving(&mut server)?;
    scene.deliver_all(&mut server)?;
    scene.stop(server)
}
