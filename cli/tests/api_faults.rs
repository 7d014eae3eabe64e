//! An API server that misbehaves, through a proxy with a script: whatever it does,
//! statuses come out true, and no request is repeated in a hot loop.

#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use eagre_apiserver::{ApiServer, tests};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use proxy::{Fate, Proxy};
use serde_json::{Value as Json, json};
use support::{PATIENCE, Up};
use tempfile::TempDir;

tests! {
    status_writes_that_fail_are_repeated_with_growing_pauses,
    watches_that_break_in_every_way_miss_nothing,
    an_expired_token_is_no_end,
}

const KINDS: &str = include_str!("../../deploy/crds/knative.yaml");
const EVENTING: &str = "eventing.knative.dev/v1";

struct World {
    namespace: String,
    proxy: Proxy,
    client: Client,
    _dir: TempDir,
    _up: Up,
}

impl World {
    /// Everything runs, and passes.
    async fn new() -> World {
        World::with(|_, _| Fate::Pass).await
    }

    /// The script counts from the first request.
    async fn with(script: impl Fn(&str, &str) -> Fate + Send + Sync + 'static) -> World {
        let server = ApiServer::shared().await.unwrap();
        let is_definition = |document: &&str| document.contains("kind: CustomResourceDefinition");
        let definitions: Vec<&str> = KINDS.split("\n---\n").filter(is_definition).collect();
        server.apply_crds(&definitions.join("\n---\n")).await.unwrap();
        let namespace = server.namespace().await.unwrap();
        let client = server.admin().unwrap();
        let proxy = Proxy::start(client.clone());
        proxy.script(script);
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = dir.path().join("kubeconfig");
        std::fs::write(&kubeconfig, proxy.kubeconfig()).unwrap();
        let kubeconfig = kubeconfig.display().to_string();
        let arguments =
            ["--kubeconfig", &kubeconfig, "--namespace", &namespace, "--system-namespace", &namespace];
        let mut up = Up::start(&dir.path().join("data"), &arguments);
        up.line("Ctrl-C drains");
        World { namespace, proxy, client, _dir: dir, _up: up }
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("eventing.knative.dev", "v1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn apply(&self, kind: &str, name: &str, spec: Json) {
        let object = json!({"apiVersion": EVENTING, "kind": kind, "spec": spec, "metadata": {"name": name,
            "annotations": {"eventing.knative.dev/broker.class": "Eagre"}}});
        let parameters = PatchParams::apply("test").force();
        self.api(kind).patch(name, &parameters, &Patch::Apply(&object)).await.unwrap();
    }

    async fn trigger(&self, name: &str, port: u16) {
        let spec = json!({"broker": "b", "filter": {}, "subscriber": {"uri": uri(port)}});
        self.apply("Trigger", name, spec).await;
    }

    /// Waits until each of `count` triggers is ready as it is now.
    async fn until_ready(&self, count: usize, port: u16) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let triggers = self.api("Trigger").list(&kube::api::ListParams::default()).await.unwrap();
            let ready = |trigger: &&DynamicObject| {
                let status = &trigger.data["status"];
                let conditions = status["conditions"].as_array().into_iter().flatten();
                status["observedGeneration"].as_i64() == trigger.metadata.generation
                    && status["subscriberUri"] == uri(port)
                    && conditions.clone().any(|one| one["type"] == "Ready" && one["status"] == "True")
            };
            let found = triggers.iter().filter(ready).count();
            if found == count && triggers.items.len() == count {
                return;
            }
            assert!(Instant::now() < deadline, "{found} of {count} are ready in {}", self.namespace);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The script was followed: a test in which nothing fails shows nothing.
    fn assert_faults(&self, least: usize) {
        let faults = self.proxy.faults.load(Ordering::Relaxed);
        assert!(faults >= least, "only {faults} faults");
    }

    fn requests(&self) -> usize {
        self.proxy.requests.load(Ordering::Relaxed)
    }
}

fn uri(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

async fn status_writes_that_fail_are_repeated_with_growing_pauses() {
    let world = World::new().await;
    let count = AtomicUsize::new(0);
    // Two of three fail, each time in another way.
    world.proxy.script(move |method, path| {
        if method != "PATCH" || !path.contains("/status") {
            return Fate::Pass;
        }
        match count.fetch_add(1, Ordering::Relaxed) % 9 {
            0 => Fate::Refuse(409),
            1 => Fate::Refuse(500),
            3 => Fate::LoseAnswer,
            4 => Fate::Refuse(503),
            6 => Fate::Refuse(429),
            7 => Fate::Refuse(409),
            _ => Fate::Pass,
        }
    });
    world.apply("Broker", "b", json!({})).await;
    for name in 0..12 {
        world.trigger(&format!("t{name}"), 9).await;
    }
    world.until_ready(12, 9).await;
    world.assert_faults(20);
    // Everything fails: what is tried is bounded, however long that lasts.
    world.proxy.script(|method, path| match method == "PATCH" && path.contains("/status") {
        true => Fate::Refuse(500),
        false => Fate::Pass,
    });
    let before = world.requests();
    for name in 0..12 {
        world.trigger(&format!("t{name}"), 10).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let tried = world.requests() - before;
    assert!(tried < 300, "{tried} requests in ten seconds");
    world.proxy.script(|_, _| Fate::Pass);
    world.until_ready(12, 10).await;
}

async fn watches_that_break_in_every_way_miss_nothing() {
    let count = AtomicUsize::new(0);
    // No watch lives for longer than two events.
    let world = World::with(move |_, path| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        match (turn % 6, path.contains("watch=true")) {
            (0, true) => Fate::Expire,
            (1, true) => Fate::CutAfter(0),
            (2, true) => Fate::CutAfter(1),
            (3, true) => Fate::Refuse(410),
            (4, true) => Fate::Refuse(500),
            (_, true) => Fate::CutAfter(2),
            (1, false) if path.contains("limit=") => Fate::Refuse(500),
            _ => Fate::Pass,
        }
    })
    .await;
    world.apply("Broker", "b", json!({})).await;
    for round in [9, 10, 11] {
        for name in 0..8 {
            world.trigger(&format!("t{name}"), round).await;
        }
    }
    let gone = kube::api::DeleteParams::default();
    world.api("Trigger").delete("t0", &gone).await.unwrap();
    world.until_ready(7, 11).await;
    support::wait_for("enough faults", || (world.proxy.faults.load(Ordering::Relaxed) >= 20).then_some(()));
    for name in 1..8 {
        world.trigger(&format!("t{name}"), 12).await;
    }
    world.until_ready(7, 12).await;
}

async fn an_expired_token_is_no_end() {
    let world = World::new().await;
    world.apply("Broker", "b", json!({})).await;
    world.trigger("t", 9).await;
    world.until_ready(1, 9).await;
    world.proxy.script(|_, _| Fate::Refuse(401));
    world.trigger("t", 10).await;
    let before = world.requests();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.requests() - before < 300, "{} requests in five seconds", world.requests() - before);
    world.assert_faults(3);
    world.proxy.script(|_, _| Fate::Pass);
    world.until_ready(1, 10).await;
}
