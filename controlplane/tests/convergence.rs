//! Whatever the history of a cluster, what is made of it depends on the cluster only.

#[path = "support/cluster.rs"]
mod cluster;

use std::collections::BTreeMap;

use cluster::{Cluster, broker, config_map, of_class, other, service, source, trigger};
use eagre_controlplane::cluster::notice::{Change, Source, key, trim};
use eagre_controlplane::index::Kind;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// One object as it is or was; the key is what it is called.
type Objects = BTreeMap<(Source, String), Json>;

/// Something that happens to the cluster, or to what is heard of it.
#[derive(Clone, Debug)]
enum Step {
    /// An object is made or edited.
    Apply(Json),
    /// The object at this place is deleted, if there is one.
    Delete(usize),
    /// The event of the last change of this object is told again.
    Again(usize),
    /// What is told of a watch from now on is lost, until it lists again.
    Lose(usize),
    /// A watch begins to list, and breaks after so many objects.
    Cut(usize, usize),
    /// A watch lists.
    List(usize),
    /// The controller is another, which knows nothing.
    Restart,
}

fn object() -> impl Strategy<Value = Json> {
    let reference = prop_oneof![
        Just(json!({"uri": "http://a.test/"})),
        "[st]".prop_map(|name| json!({"ref": {"apiVersion": "v1", "kind": "Service", "name": name}})),
        "[xy]".prop_map(|name| json!({"ref": {"apiVersion": "x.test/v1", "kind": "Thing", "name": name}})),
        "[bc]".prop_map(
            |name| json!({"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": name}})
        ),
    ];
    let delivery = prop_oneof![
        Just(json!({})),
        (0..3).prop_map(|retry| json!({"delivery": {"retry": retry}})),
        Just(json!({"delivery": {"retry": -1}})),
        reference.clone().prop_map(|sink| json!({"delivery": {"deadLetterSink": sink}})),
        Just(json!({"config": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}})),
    ];
    prop_oneof![
        ("[bc]", prop::bool::weighted(0.8), delivery)
            .prop_map(|(name, ours, spec)| { of_class(&name, if ours { "Eagre" } else { "Other" }, spec) }),
        ("[p-t]", "[bcd]", reference).prop_map(|(name, broker, subscriber)| {
            trigger(&name, json!({"broker": broker, "subscriber": subscriber}))
        }),
        "[st]".prop_map(|name| service(&name)),
        ("[xy]", "[12]").prop_map(|(name, host)| {
            other("Thing", &name, json!({"address": {"url": format!("http://{host}.test")}}))
        }),
        prop_oneof![Just("5ms"), Just("never"), Just("no")].prop_map(|fsync| config_map(
            "ns",
            "c",
            json!({"eagre.fsync": fsync})
        )),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => object().prop_map(Step::Apply),
        3 => (0..20_usize).prop_map(Step::Delete),
        2 => (0..20_usize).prop_map(Step::Again),
        1 => (0..8_usize).prop_map(Step::Lose),
        1 => (0..8_usize, 0..4_usize).prop_map(|(watch, after)| Step::Cut(watch, after)),
        1 => (0..8_usize).prop_map(Step::List),
        1 => Just(Step::Restart),
    ]
}

/// An API server, and a control plane that hears of it what a step lets it hear.
struct History {
    cluster: Cluster,
    objects: Objects,
    version: u64,
    deaf: Vec<Source>,
}

impl History {
    fn new() -> History {
        History { cluster: Cluster::new(), objects: Objects::new(), version: 0, deaf: Vec::new() }
    }

    /// The watches that there are now.
    fn watches(&mut self) -> Vec<Source> {
        let needs = self.cluster.state.refresh_needs().iter().cloned().map(Source::Need);
        [Source::Brokers, Source::Triggers].into_iter().chain(needs).collect()
    }

    fn tell(&mut self, source: Source, change: Change) {
        if !self.deaf.contains(&source) && self.watches().contains(&source) {
            self.cluster.tell(source, change);
        }
    }

    fn list(&mut self, source: &Source, cut: Option<usize>) {
        self.deaf.retain(|deaf| deaf != source);
        let found: Vec<Json> = self
            .objects
            .iter()
            .filter(|((of, _), _)| of == source)
            .map(|(_, object)| object.clone())
            .collect();
        self.cluster.tell(source.clone(), Change::Restarted);
        for object in found.iter().take(cut.unwrap_or(found.len())) {
            self.cluster.tell(source.clone(), Change::Found(object.clone()));
        }
        match cut {
            // What comes before it lists again is lost.
            Some(_) => self.deaf.push(source.clone()),
            None => _ = self.cluster.tell(source.clone(), Change::Listed),
        }
    }

    fn take(&mut self, step: Step) {
        self.version += 1;
        match step {
            Step::Apply(mut object) => {
                let at = (source(&object), key(&object).1);
                let before = self.objects.get(&at);
                let metadata = object["metadata"].as_object_mut().unwrap();
                metadata.insert("resourceVersion".into(), json!(self.version.to_string()));
                metadata.insert("generation".into(), json!(self.version));
                let uid = before
                    .map_or(json!(format!("uid-{}", self.version)), |one| one["metadata"]["uid"].clone());
                metadata.insert("uid".into(), uid);
                let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
                let object = trim(&version, &kind, object);
                self.objects.insert(at.clone(), object.clone());
                self.tell(at.0, Change::Applied(object));
            }
            Step::Delete(place) => {
                let Some(at) = self.objects.keys().nth(place).cloned() else { return };
                let gone = self.objects.remove(&at).unwrap();
                self.tell(at.0, Change::Deleted(gone));
            }
            Step::Again(place) => {
                let Some((at, object)) = self.objects.iter().nth(place) else { return };
                let (source, object) = (at.0.clone(), object.clone());
                self.tell(source, Change::Applied(object));
            }
            Step::Lose(watch) => {
                let watches = self.watches();
                self.deaf.push(watches[watch % watches.len()].clone());
            }
            Step::Cut(watch, after) => {
                let watches = self.watches();
                self.list(&watches[watch % watches.len()], Some(after));
            }
            Step::List(watch) => {
                let watches = self.watches();
                self.list(&watches[watch % watches.len()], None);
            }
            Step::Restart => {
                self.cluster = Cluster::new();
                self.deaf = vec![Source::Brokers, Source::Triggers];
            }
        }
        // What a step needs is watched from now on: a new watch begins with a list.
        for watch in self.watches() {
            let Source::Need(need) = &watch else { continue };
            if !self.cluster.state.referents.are_told(&[need.clone()].into()) && !self.deaf.contains(&watch) {
                self.list(&watch, None);
            }
        }
    }

    /// In the end everything is told.
    fn recover(&mut self) {
        for _ in 0..3 {
            for watch in self.watches() {
                self.list(&watch, None);
            }
        }
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_in_the_same_tables_as_the_last_state_alone(steps in prop::collection::vec(step(), 0..40)) {
        let mut history = History::new();
        for step in steps {
            history.take(step);
        }
        history.recover();
        let mut fresh = History::new();
        fresh.objects = history.objects.clone();
        fresh.recover();
        let (told, alone) = (history.cluster.compiled(), fresh.cluster.compiled());
        prop_assert_eq!(&told.snapshot, &alone.snapshot);
        prop_assert!(told.snapshot.validate().is_ok());
        prop_assert_eq!(format!("{:?}", told.brokers), format!("{:?}", alone.brokers));
        prop_assert_eq!(format!("{:?}", told.triggers), format!("{:?}", alone.triggers));
        prop_assert!(history.cluster.state.is_complete());
    }

    #[test]
    fn a_second_look_writes_nothing(objects in prop::collection::vec(object(), 0..12)) {
        let mut cluster = Cluster::new();
        for object in objects {
            cluster.apply(object);
        }
        cluster.settle();
        cluster.wait(30);
        cluster.settle();
        let writes = cluster.written.len();
        cluster.wait(30);
        cluster.settle();
        cluster.judge();
        prop_assert_eq!(cluster.written.len(), writes);
        // And what another class has is its own.
        for (at, _) in &cluster.written {
            let class = |name: &str| cluster.status(Kind::Broker, "ns", name);
            prop_assert!(at.0 == Kind::Trigger || !class(&at.1.1).is_null());
        }
    }

    /// Between all histories, an object with an error changes nothing of another.
    #[test]
    fn an_error_stays_with_its_object(objects in prop::collection::vec(object(), 0..12)) {
        let mut cluster = Cluster::new();
        cluster.apply(broker("sound", json!({})));
        cluster.apply(trigger("sound", json!({"broker": "sound"})));
        for object in objects {
            cluster.apply(object);
        }
        cluster.settle();
        prop_assert_eq!(cluster.condition(Kind::Broker, "sound", "Ready"), "True");
        prop_assert_eq!(cluster.condition(Kind::Trigger, "sound", "Ready"), "True");
    }
}
