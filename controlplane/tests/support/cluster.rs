//! A cluster without an API server: objects as JSON go in, statuses come out.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;

use eagre_controlplane::cluster::controller::{Controller, Wanted};
use eagre_controlplane::cluster::notice::{Change, Notice, Source, key, trim};
use eagre_controlplane::cluster::report::{ANNOTATION, Report, bucket_count};
use eagre_controlplane::cluster::state::{Effect, State};
use eagre_controlplane::cluster::writes::{ObjectKey, Outcome};
use eagre_controlplane::compile::{Compiled, World, compile};
use eagre_controlplane::index::Kind;
use eagre_controlplane::referents::{Gvk, Need};
use eagre_controlplane::resolve::Resolver;
use eagre_controlplane::stamp;
use eagre_snapshot::Snapshot;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::time::{Duration, Instant};

pub const SYSTEM: &str = "knative-eventing";

/// What a controller knows, and the objects as the API server has them.
pub struct Cluster {
    pub state: State,
    pub controller: Controller,
    pub resolver: Resolver,
    pub now: Instant,
    pub former: Snapshot,
    /// In the order of the last change.
    pub version: u64,
    /// Writes so far: which object, and the status.
    pub written: Vec<(ObjectKey, Json)>,
    objects: BTreeMap<(Source, String, String), Json>,
}

impl Cluster {
    /// Everything is listed, nothing is there.
    pub fn new() -> Cluster {
        let mut cluster = Cluster {
            state: State::new(SYSTEM),
            controller: Controller::default(),
            resolver: Resolver::new("http://ingress.test").unwrap(),
            now: Instant::now(),
            former: Snapshot::default(),
            version: 0,
            written: Vec::new(),
            objects: BTreeMap::new(),
        };
        for source in [Source::Brokers, Source::Triggers, Source::Agents] {
            cluster.tell(source.clone(), Change::Restarted);
            cluster.tell(source, Change::Listed);
        }
        cluster
    }

    pub fn tell(&mut self, source: Source, change: Change) -> Effect {
        self.state.take(Notice { source, change }, self.now)
    }

    /// Makes or edits an object; its generation and version are counted here.
    pub fn apply(&mut self, mut object: Json) -> Effect {
        self.version += 1;
        let source = source(&object);
        let (namespace, name) = key(&object);
        let at = (source.clone(), namespace, name);
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("resourceVersion".into(), json!(self.version.to_string()));
        let before = self.objects.get(&at);
        metadata.entry("uid").or_insert_with(|| {
            before.map_or_else(
                || json!(format!("uid-{}", self.version)),
                |before| before["metadata"]["uid"].clone(),
            )
        });
        let generation = match before {
            None => 1,
            Some(before) => {
                let same = before["spec"] == object["spec"];
                before["metadata"]["generation"].as_i64().unwrap() + i64::from(!same)
            }
        };
        object["metadata"].as_object_mut().unwrap().entry("generation").or_insert(json!(generation));
        if let (Some(before), None) = (before, object.get("status")) {
            object["status"] = before["status"].clone();
        }
        self.objects.insert(at, object.clone());
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        self.tell(source, Change::Applied(trim(&version, &kind, object)))
    }

    pub fn delete(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Effect {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}});
        let at = (source(&object), namespace.to_owned(), name.to_owned());
        let gone = self.objects.remove(&at).unwrap();
        self.tell(at.0, Change::Deleted(gone))
    }

    /// Answers every watch that something needs: all its objects, then "listed".
    pub fn answer_needs(&mut self) {
        let needs = self.state.refresh_needs().clone();
        for need in needs {
            let source = Source::Need(need);
            let found: Vec<Json> = self
                .objects
                .iter()
                .filter(|((of, ..), _)| *of == source)
                .map(|(_, object)| object.clone())
                .collect();
            self.tell(source.clone(), Change::Restarted);
            for object in found {
                self.tell(source.clone(), Change::Found(object));
            }
            self.tell(source, Change::Listed);
        }
    }

    pub fn compiled(&self) -> Compiled<'_> {
        let world =
            World { resolver: &self.resolver, referents: Some(&self.state.referents), former: &self.former };
        compile(&self.state.index, world)
    }

    /// A data plane reports that it has in force what is wanted now.
    pub fn apply_everywhere(&mut self) {
        let stamps = {
            let compiled = self.compiled();
            stamps(&compiled)
        };
        let applied = stamp::buckets(bucket_count(stamps.len()), stamps);
        self.report(
            "dp-0",
            &Report {
                version: stamp::VERSION,
                ready: true,
                fsync: Some("always".into()),
                refused: None,
                applied,
            },
        );
    }

    pub fn report(&mut self, name: &str, report: &Report) {
        self.version += 1;
        let lease = json!({
            "metadata": {"namespace": SYSTEM, "name": name, "annotations": {ANNOTATION: serde_json::to_string(report).unwrap()}},
            "spec": {"renewTime": self.version, "leaseDurationSeconds": 15},
        });
        self.tell(Source::Agents, Change::Applied(lease));
    }

    /// The controller looks once, and writes what it wants to.
    pub fn judge(&mut self) {
        self.look();
        while let Some((key, wanted, patch)) = self.controller.next_write(&self.state, self.now) {
            self.written.push((key.clone(), patch["status"].clone()));
            let held = self.state.held(&key).unwrap();
            assert_eq!(patch["metadata"]["resourceVersion"], held.resource_version);
            self.finish(&key, &wanted);
        }
    }

    /// The controller looks once.
    pub fn look(&mut self) {
        self.answer_needs();
        let time = Time(Timestamp::from_second(1_700_000_000 + self.version as i64).unwrap());
        let world =
            World { resolver: &self.resolver, referents: Some(&self.state.referents), former: &self.former };
        let compiled = compile(&self.state.index, world);
        self.controller.judge(&self.state, &compiled, &self.resolver, self.now, &time);
    }

    /// A write succeeds; whether that makes the controller look again.
    pub fn finish(&mut self, key: &ObjectKey, wanted: &Wanted) -> bool {
        let source = if key.0 == Kind::Broker { Source::Brokers } else { Source::Triggers };
        let mut object = self.objects[&(source, key.1.0.clone(), key.1.1.clone())].clone();
        object["status"] = serde_json::from_str(&wanted.status).unwrap();
        let again = match self.apply(object) {
            Effect::Status(key) => self.controller.is_surprised(&key, &self.state),
            effect => effect != Effect::None,
        };
        self.controller.done(key, Outcome::Done, &self.state, 0.0, self.now);
        again
    }

    /// Time passes: long enough for any patience, not for a lease.
    pub fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Judged with a data plane that has everything in force.
    pub fn settle(&mut self) {
        self.answer_needs();
        self.apply_everywhere();
        self.judge();
    }

    pub fn status(&self, kind: Kind, namespace: &str, name: &str) -> Json {
        let held = self.state.held(&(kind, (namespace.to_owned(), name.to_owned())));
        held.map_or(Json::Null, |held| serde_json::from_str(&held.status).unwrap())
    }

    /// A condition as `status reason`.
    pub fn condition(&self, kind: Kind, name: &str, condition: &str) -> String {
        let status = self.status(kind, "ns", name);
        let found =
            status["conditions"].as_array().and_then(|all| all.iter().find(|one| one["type"] == condition));
        let Some(found) = found else { return "none".to_owned() };
        format!("{} {}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap_or(""))
            .trim()
            .to_owned()
    }

    pub fn broker_says(&self, condition: &str) -> String {
        self.condition(Kind::Broker, "b", condition)
    }

    pub fn trigger_says(&self, condition: &str) -> String {
        self.condition(Kind::Trigger, "t", condition)
    }
}

pub fn stamps(compiled: &Compiled<'_>) -> Vec<(eagre_snapshot::Id, u64)> {
    use eagre_controlplane::outcome::Standing;
    let all = compiled.brokers.iter().map(|one| (one.id, one.standing));
    let all = all.chain(compiled.triggers.iter().map(|one| (one.id, one.standing)));
    all.filter_map(
        |(id, standing)| if let Standing::Current(stamp) = standing { Some((id, stamp)) } else { None },
    )
    .collect()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

/// The watch that tells of an object.
pub fn source(object: &Json) -> Source {
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    match (api_version.as_str(), kind.as_str()) {
        ("eventing.knative.dev/v1", "Broker") => Source::Brokers,
        ("eventing.knative.dev/v1", "Trigger") => Source::Triggers,
        ("v1", "ConfigMap") => Source::Need(Need::ConfigMap(key(object))),
        _ => Source::Need(Need::Kind(Gvk { api_version, kind })),
    }
}

/// Broker `ns/NAME` of class Eagre.
pub fn broker(name: &str, spec: Json) -> Json {
    of_class(name, "Eagre", spec)
}

pub fn of_class(name: &str, class: &str, spec: Json) -> Json {
    json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"namespace": "ns", "name": name, "annotations": {"eventing.knative.dev/broker.class": class}},
        "spec": spec,
    })
}

/// Trigger `ns/NAME` of broker `b`, with more of its spec.
pub fn trigger(name: &str, more: Json) -> Json {
    let mut spec = json!({"broker": "b", "filter": {}, "subscriber": {"uri": "http://sub.test/"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
        "metadata": {"namespace": "ns", "name": name}, "spec": spec,
    })
}

pub fn config_map(namespace: &str, name: &str, data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}, "data": data})
}

pub fn service(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "ns", "name": name}})
}

/// Something of another controller, with a status.
pub fn other(kind: &str, name: &str, status: Json) -> Json {
    json!({"apiVersion": "x.test/v1", "kind": kind, "metadata": {"namespace": "ns", "name": name}, "status": status})
}
