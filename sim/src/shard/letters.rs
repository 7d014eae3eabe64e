//! The dead letters that the process keeps, read from the platter.

use std::collections::BTreeSet;

use eagre_dataplane::contents::{Contents, read};
use eagre_event::Value;
use eagre_snapshot::Id;
use eagre_wal::{Lsn, Options};

use super::scene::Scene;

const SHORTAGE: &[u8] = b"Too many open files";

/// Which event of which trigger each one holds, on the platter or as the kernel
/// shows it.
pub(super) fn kept(scene: &Scene, segment_bytes: u64, on_platter: bool) -> BTreeSet<(u64, Id)> {
    let mut kept = BTreeSet::new();
    let images = scene.machine.disks.borrow().images("dead-letters", on_platter);
    for (directory, disk) in &images {
        let options = Options { segment_bytes, ..Options::default() };
        let log = match disk.open(&options) {
            Ok((log, _)) => log,
            Err(error) => {
                scene.violated(format!("{} does not open: {error}", directory.display()));
                continue;
            }
        };
        let mut at = Lsn::ZERO;
        while let Some(entry) = log.read(at).expect("nothing on this disk is damaged") {
            at = entry.next;
            match read(entry.kind, &entry.body) {
                Ok(Some(Contents::DeadLetter { trigger, data, event, .. })) => {
                    let id = event.record.attribute("id");
                    let Some(Value::String(id)) = id else { continue };
                    let number = id.strip_prefix('e').and_then(|number| number.parse().ok());
                    kept.insert((number.expect("an event of ours"), trigger));
                    if data.windows(SHORTAGE.len()).any(|part| part == SHORTAGE) {
                        scene.violated(format!("{id} is a dead letter of {trigger}: too few descriptors"));
                    }
                }
                Ok(_) => {}
                Err(error) => scene.violated(format!("{} at {}: {error}", directory.display(), entry.lsn)),
            }
        }
    }
    kept
}
