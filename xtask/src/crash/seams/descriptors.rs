//! Idle connections take all descriptors while events are delivered, dead letters go to
//! their sinks, and the log needs its next segment. No trigger retries: an attempt that
//! the shortage makes fail is an event lost.

use std::{fs, net::TcpStream};

use anyhow::Context;

use super::{
    super::plan::{Kind, Trigger},
    scene::{STUCK, Scene, Stop},
};

/// One who takes everything, slowly enough to need further connections, and one with a
/// dead letter sink.
pub const TRIGGERS: [Trigger; 2] = [
    Trigger { unavailable_one_in: 0, delay_ms_max: 50, ..STUCK },
    Trigger { wants: Some(Kind::Order), unavailable_one_in: 0, refuses: true, ..STUCK },
];

/// The data plane may have so many open.
const DESCRIPTORS: u64 = 256;
/// So many connections are made that never say anything.
const IDLE: usize = 400;
/// Events before them, and then: several segments.
const BEFORE: usize = 10;
const DURING: usize = 1000;

pub fn run(scene: &Scene<'_>) -> Result<(), Stop> {
    let manifest = scene.plan.manifest(scene.subscribers.address);
    let manifest = manifest.replace("retry: 60000", "retry: 0");
    fs::write(scene.setup.manifest(), manifest).context("write the manifest")?;
    let mut server = scene.setup.start_with_descriptors(DESCRIPTORS)?;
    let address = scene.serving(&mut server)?;
    let (mut idle, mut wanted) = (Vec::new(), BEFORE);
    scene.post_while(&mut server, address, |acknowledged| {
        if acknowledged >= wanted && idle.is_empty() {
            for _ in 0..IDLE {
                idle.push(TcpStream::connect(address).context("make an idle connection")?);
            }
            wanted = acknowledged + DURING;
        }
        Ok(acknowledged < wanted)
    })?;
    drop(idle);
    scene.deliver_all(&mut server)?;
    scene.stop(server)
}
