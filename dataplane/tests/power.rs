//! A clean stop puts everything that was accepted, kept or finished on the disk,
//! whatever durability it asked for: a power cut after it costs nothing.

mod support;

use std::path::Path;

use eagre_faultdisk::{FaultDisk, Loss, Options};
use eagre_wal::{Backend, Log, Lsn};
use support::{
    Absent, Client, Plane, Received, Subscriber, answer, delivery, event, eventually, snapshot, trigger,
};

const EVENTS: usize = 200;

/// Records that a log holds.
fn records(directory: &Path) -> usize {
    let options = eagre_wal::Options { backend: Backend::Thread, ..eagre_wal::Options::default() };
    let (log, _) = Log::open(directory, options).unwrap();
    let mut at = Lsn::ZERO;
    std::iter::from_fn(|| {
        let entry = log.read(at).unwrap()?;
        at = entry.next;
        Some(())
    })
    .count()
}

#[test]
fn a_power_cut_after_a_clean_stop_costs_nothing_in_any_fsync_mode() {
    for fsync in ["always", "60s", "never"] {
        let mount = tempfile::tempdir().unwrap();
        let mut disk = FaultDisk::new(Options { capacity_bytes: 1 << 30 });
        disk.mount(mount.path()).unwrap_or_else(|error| panic!("this test needs a mount: {error}"));
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), "[wal]\nsegment_bytes = \"4MiB\"\n").unwrap();
        let options = ["--shards", "1", "--fsync", fsync, "--config", config.path().to_str().unwrap()];

        let (absent, quick) = (Absent::reserve(), Subscriber::start(|_| answer(200)));
        let refusing = Subscriber::start(|_| answer(422));
        let mut late = trigger("late", absent.address);
        late.delivery = delivery(60_000, 50);
        let triggers = vec![late, trigger("quick", quick.address), trigger("kept", refusing.address)];
        let mut plane = Plane::start_in(&snapshot(triggers), &options, mount.path());
        let mut client = Client::connect(plane.ingress);
        for n in 0..EVENTS {
            assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
        }
        drop(client);
        eventually("all are delivered", || plane.count("quick", "delivered") == EVENTS as u64);
        eventually("all are kept", || plane.count("kept", "kept") == EVENTS as u64);
        assert_eq!(plane.stop(), Some(0), "{fsync}");

        disk.power_cut(Loss::Everything).unwrap();
        disk.mount(mount.path()).unwrap();
        plane.restart();
        let subscriber = absent.start(|_| answer(200));
        subscriber.wait_for(EVENTS);
        assert_eq!(plane.send(&event("last", "", b"x")).status, 202);
        eventually("the last arrives", || subscriber.received().iter().any(|event| event.id() == "last"));
        let mut ids: Vec<_> = subscriber.received().iter().map(Received::id).map(str::to_owned).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), EVENTS + 1, "{fsync}");
        // Nor does anything come a second time.
        quick.wait_for(EVENTS + 1);
        eventually("it is kept", || plane.count("kept", "lag_events") == 0);
        assert_eq!((quick.count(), refusing.count()), (EVENTS + 1, EVENTS + 1), "{fsync}");
        assert_eq!(plane.stop(), Some(0));
        assert_eq!(records(&mount.path().join("data/shard-0/dead-letters")), EVENTS + 1, "{fsync}");
        disk.unmount().unwrap();
    }
}
