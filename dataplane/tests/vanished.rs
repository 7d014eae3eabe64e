//! What vanishes from the configuration may be back in a moment: what it is owed is
//! kept for the time of grace, and given up after it, never in silence.

mod support;

use std::collections::BTreeSet;

use eagre_snapshot::{Id, Snapshot, StatsReader};
use support::{Absent, Client, Plane, Subscriber, answer, delivery, event, eventually, snapshot, trigger};

const EVENTS: usize = 50;
const HOUR_MS: u64 = 3_600_000;

struct Setting {
    plane: Plane,
    absent: Option<Absent>,
    present: Snapshot,
    _config: tempfile::NamedTempFile,
}

/// A plane whose trigger `t` waits for an absent subscriber, and whose trigger
/// `other` does not.
fn start(grace_ms: u64, other: &Subscriber) -> Setting {
    let absent = Absent::reserve();
    let mut patient = trigger("t", absent.address);
    patient.delivery = delivery(60_000, 20);
    let triggers = vec![patient, trigger("other", other.address)];
    let present = Snapshot { grace_ms, ..snapshot(triggers) };
    let config = tempfile::NamedTempFile::new().unwrap();
    // Most of what it is owed is neither queued nor handed out.
    let few = "[limits]\nqueue_per_trigger = 16\npending_per_trigger = 16\n[delivery]\nparallelism = 4\n";
    std::fs::write(config.path(), few).unwrap();
    let options = ["--shards", "1", "--config", config.path().to_str().unwrap()];
    let plane = Plane::start(&present, &options);
    Setting { plane, absent: Some(absent), present, _config: config }
}

impl Setting {
    fn post(&self, from: usize) {
        let mut client = Client::connect(self.plane.ingress);
        for n in from..from + EVENTS {
            assert_eq!(client.exchange(&event(&n.to_string(), "", b"x")).status, 202);
        }
    }

    /// The configuration without the trigger.
    fn without(&self) -> Snapshot {
        let mut without = self.present.clone();
        without.triggers.retain(|trigger| trigger.name == "other");
        without
    }

    fn publish(&mut self, snapshot: &Snapshot) {
        let before = self.applied();
        self.plane.publish(snapshot);
        eventually("it is in force", || self.applied() > before);
    }

    fn applied(&self) -> u64 {
        self.plane.metric("eagre_snapshot_generation")
    }

    fn given_up(&self) -> (u64, u64) {
        (
            self.plane.metric("eagre_triggers_given_up_total"),
            self.plane.metric("eagre_trigger_events_given_up_total"),
        )
    }

    /// The shard has gone on for several times as long as a retry waits.
    fn goes_on(&self) {
        let run = self.plane.directory.path().join("run");
        let beat = || StatsReader::open(&run).unwrap().read().unwrap().unwrap().shards[0].heartbeat_ms;
        let begun = beat();
        eventually("the shard goes on", || beat() > begun + 1000);
    }
}

fn ids(subscriber: &Subscriber) -> BTreeSet<usize> {
    subscriber.received().iter().map(|received| received.id().parse().unwrap()).collect()
}

#[test]
fn who_is_back_within_the_grace_has_lost_nothing_and_was_sent_nothing_meanwhile() {
    let other = Subscriber::start(|_| answer(200));
    let mut setting = start(HOUR_MS, &other);
    setting.post(0);
    eventually("some were tried", || setting.plane.count("t", "failed") > 0);
    setting.publish(&setting.without());
    let subscriber = setting.absent.take().unwrap().start(|_| answer(200));
    // What is accepted meanwhile is not for it.
    setting.post(EVENTS);
    other.wait_for(2 * EVENTS);
    setting.goes_on();
    assert_eq!(subscriber.count(), 0);
    setting.publish(&setting.present.clone());
    eventually("everything arrives", || ids(&subscriber).len() == EVENTS);
    assert_eq!(ids(&subscriber), (0..EVENTS).collect());
    assert_eq!(setting.given_up(), (0, 0));
    eventually("nothing is owed", || setting.plane.count("t", "lag_events") == 0);
    setting.post(2 * EVENTS);
    eventually("and it goes on", || ids(&subscriber).len() == 2 * EVENTS);
}

#[test]
fn a_restart_in_between_changes_nothing() {
    for clean in [true, false] {
        let other = Subscriber::start(|_| answer(200));
        let mut setting = start(HOUR_MS, &other);
        setting.post(0);
        setting.publish(&setting.without());
        if clean {
            assert_eq!(setting.plane.stop(), Some(0));
        } else {
            setting.plane.kill();
        }
        setting.plane.restart();
        let subscriber = setting.absent.take().unwrap().start(|_| answer(200));
        setting.post(EVENTS);
        other.wait_for(2 * EVENTS);
        setting.goes_on();
        assert_eq!(subscriber.count(), 0);
        setting.publish(&setting.present.clone());
        eventually("everything arrives", || ids(&subscriber).len() == EVENTS);
        assert_eq!(ids(&subscriber), (0..EVENTS).collect());
        assert_eq!(setting.given_up(), (0, 0));
    }
}

#[test]
fn who_is_gone_for_longer_is_given_up_and_counted_and_starts_anew() {
    for restart in [false, true] {
        let other = Subscriber::start(|_| answer(200));
        let mut setting = start(200, &other);
        setting.post(0);
        setting.publish(&setting.without());
        if restart {
            setting.plane.kill();
            setting.plane.restart();
        }
        eventually("it is given up", || setting.plane.metric("eagre_triggers_given_up_total") == 1);
        let subscriber = setting.absent.take().unwrap().start(|_| answer(200));
        setting.publish(&setting.present.clone());
        setting.post(EVENTS);
        eventually("it starts anew", || ids(&subscriber).len() >= EVENTS);
        assert_eq!(ids(&subscriber), (EVENTS..2 * EVENTS).collect());
        assert!(restart || setting.given_up().1 > 0, "events were owed to it");
    }
}

#[test]
fn a_broker_that_vanishes_with_its_triggers_comes_back_with_them() {
    let other = Subscriber::start(|_| answer(200));
    let mut setting = start(HOUR_MS, &other);
    setting.post(0);
    let nothing = Snapshot { brokers: Vec::new(), triggers: Vec::new(), ..setting.present.clone() };
    setting.publish(&nothing);
    assert_eq!(setting.plane.send(&event("0", "", b"x")).status, 404);
    let subscriber = setting.absent.take().unwrap().start(|_| answer(200));
    setting.publish(&setting.present.clone());
    eventually("everything arrives", || ids(&subscriber).len() == EVENTS);
    assert_eq!(setting.given_up(), (0, 0));
}

#[test]
fn what_a_trigger_is_owed_follows_it_to_another_broker() {
    let other = Subscriber::start(|_| answer(200));
    let mut setting = start(HOUR_MS, &other);
    setting.post(0);
    let mut moved = setting.present.clone();
    let mut second = moved.brokers[0].clone();
    second.id = Id::of("Broker", "default", "second", None);
    second.name = "second".into();
    moved.triggers.iter_mut().filter(|trigger| trigger.name == "t").for_each(|t| t.broker = second.id);
    moved.brokers.push(second);
    // At first its new broker is not there, and it is not either.
    setting.publish(&setting.without());
    setting.publish(&moved);
    setting.post(EVENTS);
    let subscriber = setting.absent.take().unwrap().start(|_| answer(200));
    eventually("everything arrives", || ids(&subscriber).len() == EVENTS);
    other.wait_for(2 * EVENTS);
    assert_eq!(ids(&subscriber), (0..EVENTS).collect());
}
