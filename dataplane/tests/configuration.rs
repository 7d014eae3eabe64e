//! A new configuration is in force whole or not at all, and each event is judged
//! by exactly one.

mod support;

use eagre_snapshot::{Counter, Publisher, Stats, StatsReader};
use rustix::process::{Pid, Signal, kill_process};
use support::{Plane, Subscriber, answer, event, eventually, snapshot, trigger};

fn applied(plane: &Plane) -> u64 {
    let stats = StatsReader::open(&plane.directory.path().join("run")).unwrap().read().unwrap();
    stats.map_or(0, |stats| stats.applied().number)
}

/// A stop signal reaches the threads of a process one after another.
fn threads_stand_still(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

#[test]
fn a_corrupt_snapshot_is_refused_and_the_last_one_stays_in_force() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    // While the process stands still, what is published can be damaged.
    let pid = Pid::from_raw(plane.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    eventually("every thread stands still", || threads_stand_still(plane.pid()));
    plane.publish(&snapshot(vec![]));
    let file = plane.directory.path().join("run/snapshot-2");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    kill_process(pid, Signal::CONT).unwrap();

    let reader = StatsReader::open(&plane.directory.path().join("run")).unwrap();
    let refused = || reader.read().unwrap().and_then(|stats| stats.refused);
    eventually("the refusal is reported", || refused().is_some_and(|refusal| refusal.generation.number == 2));
    assert_eq!(applied(&plane), 1);
    assert_eq!(plane.send(&event("still", "", b"x")).status, 202);
    assert_eq!(subscriber.wait_for(1)[0].id(), "still");

    plane.publish(&snapshot(vec![]));
    eventually("the next good one is applied", || applied(&plane) == 3);
}

#[test]
fn a_new_trigger_gets_what_is_accepted_after_it_is_active() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut plane = Plane::start(&snapshot(vec![]), &[]);
    assert_eq!(plane.send(&event("before", "", b"x")).status, 202);
    plane.publish(&snapshot(vec![trigger("t", subscriber.address)]));
    eventually("the trigger is active", || applied(&plane) == 2);
    assert_eq!(plane.send(&event("after", "", b"x")).status, 202);
    assert_eq!(subscriber.wait_for(1)[0].id(), "after");
}

#[test]
fn a_trigger_that_was_removed_and_comes_back_starts_anew() {
    let subscriber = Subscriber::start(|_| answer(200));
    let there = snapshot(vec![trigger("t", subscriber.address)]);
    let mut plane = Plane::start(&there, &[]);
    assert_eq!(plane.send(&event("first", "", b"x")).status, 202);
    subscriber.wait_for(1);
    plane.publish(&snapshot(vec![]));
    eventually("the trigger is gone", || applied(&plane) == 2);
    assert_eq!(plane.send(&event("meanwhile", "", b"x")).status, 202);
    plane.publish(&there);
    eventually("the trigger is back", || applied(&plane) == 3);
    assert_eq!(plane.send(&event("last", "", b"x")).status, 202);
    let ids: Vec<_> = subscriber.wait_for(2).iter().map(|event| event.id().to_owned()).collect();
    assert_eq!(ids, ["first", "last"]);
}

#[test]
fn a_configuration_that_changes_under_load_loses_nothing() {
    let subscriber = Subscriber::start(|_| answer(200));
    let mut plane = Plane::start(&snapshot(vec![trigger("t", subscriber.address)]), &[]);
    let producer = std::thread::spawn({
        let ingress = plane.ingress;
        move || {
            let mut client = support::Client::connect(ingress);
            for n in 0..500 {
                assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
            }
        }
    });
    let other = Subscriber::start(|_| answer(200));
    for round in 0..20 {
        let mut triggers = vec![trigger("t", subscriber.address)];
        triggers.extend((0..round).map(|n| trigger(&format!("other{n}"), other.address)));
        plane.publish(&snapshot(triggers));
    }
    producer.join().unwrap();
    let mut ids: Vec<usize> =
        subscriber.wait_for(500).iter().map(|event| event.id().parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..500).collect::<Vec<_>>());
}

#[test]
fn a_snapshot_directory_that_is_removed_and_made_again_is_followed_and_nothing_stops_meanwhile() {
    let subscriber = Subscriber::start(|_| answer(200));
    let there = snapshot(vec![trigger("t", subscriber.address)]);
    let mut plane = Plane::start(&there, &[]);
    plane.publish(&there);
    plane.publish(&there);
    eventually("the third generation is applied", || applied(&plane) == 3);
    let run = plane.directory.path().join("run");
    let reader = StatsReader::open(&run).unwrap();
    for (round, name) in ["one", "two"].into_iter().enumerate() {
        // Files may come back while it is removed.
        eventually("the directory is removed", || std::fs::remove_dir_all(&run).is_ok());
        assert_eq!(plane.get("/readyz").status, 200, "what is in force stays so");
        assert_eq!(plane.send(&event(&format!("{name} before"), "", b"x")).status, 202);
        subscriber.wait_for(2 * round + 1);

        eventually("who serves where is told again", || run.join("dataplane.json").exists());
        let mut publisher = Publisher::open(&run).unwrap();
        let triggers = ["t", name].map(|name| trigger(name, subscriber.address));
        let mut only_later = triggers.to_vec();
        only_later[1].filter = eagre_filter::Filter::Exact(vec![("type".into(), "never".into())]);
        let first = publisher.publish(&snapshot(only_later)).unwrap();
        assert_eq!(first.number, 1, "numbers begin anew");
        let stats = || reader.read().ok().flatten();
        eventually("it is applied", || stats().is_some_and(|stats| stats.has_applied(first)));
        assert_eq!(plane.get("/readyz").status, 200);
        assert!(plane.get("/v1/triggers").text().contains(&format!("\"name\":\"{name}\"")));
        assert_eq!(plane.send(&event(&format!("{name} after"), "", b"x")).status, 202);
        subscriber.wait_for(2 * round + 2);
        let delivered = |stats: &Stats| stats.triggers[&triggers[0].id][Counter::Delivered];
        eventually("counts get there", || {
            stats().is_some_and(|stats| delivered(&stats) == 2 * round as u64 + 2)
        });
    }
    assert_eq!(plane.stop(), Some(0));
    assert!(!run.join("dataplane.json").exists());
}
