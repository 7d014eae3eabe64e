//! `eagre up --kubeconfig` against a real API server: objects applied there, events
//! delivered here.
//!
//! Each test has a namespace of its own, also for leases and Knative's ConfigMaps.

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use eagre_apiserver::{ApiServer, tests};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use support::{PATIENCE, Up, eagre, kill};
use tempfile::TempDir;

tests! {
    what_is_applied_is_ready_and_its_events_are_delivered,
    a_subscriber_that_comes_late_changes_and_goes_is_followed,
    what_was_deleted_and_made_again_while_nobody_watched_is_another,
    a_trigger_that_changes_hands_loses_what_its_former_owner_made,
    an_api_server_that_is_gone_changes_nothing,
    a_leader_that_was_paused_writes_nothing_when_it_wakes,
    a_data_plane_whose_agent_is_silent_does_not_count,
}

/// Knative's kinds, as this project ships them.
const KINDS: &str = include_str!("../../deploy/crds/knative.yaml");

struct World {
    server: &'static ApiServer,
    client: Client,
    namespace: String,
    dir: TempDir,
}

impl World {
    async fn new() -> World {
        let server = ApiServer::shared().await.unwrap();
        World::on(server).await
    }

    async fn on(server: &'static ApiServer) -> World {
        // The other documents are admission policies.
        let is_definition = |document: &&str| document.contains("kind: CustomResourceDefinition");
        let definitions: Vec<&str> = KINDS.split("\n---\n").filter(is_definition).collect();
        server.apply_crds(&definitions.join("\n---\n")).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        server.write_kubeconfig(&dir.path().join("kubeconfig"), server.admin_token()).unwrap();
        let namespace = server.namespace().await.unwrap();
        World { server, client: server.admin().unwrap(), namespace, dir }
    }

    fn arguments(&self) -> Vec<String> {
        let kubeconfig = self.dir.path().join("kubeconfig").display().to_string();
        let namespace = self.namespace.clone();
        [["--kubeconfig", &kubeconfig], ["--namespace", &namespace], ["--system-namespace", &namespace]]
            .concat()
            .into_iter()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Both planes, ready to take events once there is a broker.
    fn up(&self) -> Up {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut up = Up::start(&self.dir.path().join("data"), &arguments);
        up.line("Ctrl-C drains");
        up
    }

    /// A controller without a data plane.
    fn controller(&self, name: &str) -> Controller {
        let log = std::fs::File::create(self.dir.path().join(name)).unwrap();
        let child = eagre()
            .arg0("eagre-controlplane")
            .arg("controller")
            .args(self.arguments())
            .args(["--name", name])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Controller(child)
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn apply(&self, object: Json) -> DynamicObject {
        let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let name = object["metadata"]["name"].as_str().unwrap();
        let parameters = PatchParams::apply("test").force();
        self.api(version, kind).patch(name, &parameters, &Patch::Apply(&object)).await.unwrap()
    }

    async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        self.api(api_version, kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn broker(&self, name: &str) {
        self.apply(json!({
            "apiVersion": EVENTING, "kind": "Broker",
            "metadata": {"name": name, "annotations": {"eventing.knative.dev/broker.class": "Eagre"}},
        }))
        .await;
    }

    async fn trigger(&self, name: &str, subscriber: Json) {
        self.apply(json!({
            "apiVersion": EVENTING, "kind": "Trigger", "metadata": {"name": name},
            "spec": {"broker": "b", "filter": {}, "subscriber": subscriber},
        }))
        .await;
    }

    /// Waits until `Ready` of an object is as wanted; its status.
    async fn until(&self, kind: &str, name: &str, ready: &str, reason: &str) -> Json {
        let api = self.api(EVENTING, kind);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let object = api.get(name).await.unwrap();
            let status = object.data["status"].clone();
            let found =
                status["conditions"].as_array().and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
            let is_current = status["observedGeneration"].as_i64() == object.metadata.generation;
            if let Some(found) = found.filter(|_| is_current)
                && found["status"] == ready
                && found["reason"].as_str().unwrap_or_default() == reason
            {
                return status;
            }
            assert!(Instant::now() < deadline, "{kind} {name} is not {ready} {reason}: {status:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn leader(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        leases.get_opt("eagre-controller").await.unwrap()?.spec?.holder_identity
    }

    async fn until_leader(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.leader().await.as_deref() != Some(name) {
            assert!(Instant::now() < deadline, "{name} does not lead");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn post(&self, up: &Up, id: &str) -> String {
        let mut stream = TcpStream::connect(up.listen).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST /{}/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\nce-specversion: 1.0\r\nce-id: {id}\r\n\
             ce-source: /test\r\nce-type: t\r\nContent-Length: 0\r\n\r\n",
            self.namespace
        )
        .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }
}

const EVENTING: &str = "eventing.knative.dev/v1";

struct Controller(Child);

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes events and says their ids.
struct Sink {
    address: SocketAddr,
    ids: Receiver<String>,
}

impl Sink {
    fn new() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ids) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || serve(stream, &sender));
            }
        });
        Sink { address, ids }
    }

    fn uri(&self) -> Json {
        json!({"uri": format!("http://{}/", self.address)})
    }

    fn next(&self) -> String {
        self.ids.recv_timeout(PATIENCE).expect("an event arrives")
    }
}

fn serve(mut stream: TcpStream, ids: &mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("ce-id") => id = value.trim().to_owned(),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?;
                }
                None if line.trim_end().is_empty() => break,
                Some(_) | None => {}
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
        ids.send(id).ok()?;
    }
}

async fn what_is_applied_is_ready_and_its_events_are_delivered() {
    let world = World::new().await;
    let (up, sink) = (world.up(), Sink::new());
    // Triggers may exist before their broker.
    world.trigger("t", sink.uri()).await;
    world.broker("b").await;
    let status = world.until("Trigger", "t", "True", "").await;
    assert_eq!(status["subscriberUri"], sink.uri()["uri"]);
    let status = world.until("Broker", "b", "True", "").await;
    assert_eq!(status["address"]["url"], format!("http://{}/{}/b", up.listen, world.namespace));
    // Ready means ready: the very next event is delivered.
    assert!(world.post(&up, "first").contains(" 202 "));
    assert_eq!(sink.next(), "first");
    let object = world.api(EVENTING, "Trigger").get("t").await.unwrap();
    assert_eq!(object.metadata.finalizers, None);
}

async fn a_subscriber_that_comes_late_changes_and_goes_is_followed() {
    let world = World::new().await;
    let _up = world.up();
    world.broker("b").await;
    let unresolved = "Unable to get the Subscriber's URI";
    world
        .trigger("t", json!({"ref": {"apiVersion": "v1", "kind": "Service", "name": "late"}, "uri": "/in"}))
        .await;
    world.until("Trigger", "t", "False", unresolved).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"}, "spec": {"ports": [{"port": 80}]}});
    world.apply(service).await;
    let status = world.until("Trigger", "t", "True", "").await;
    assert_eq!(status["subscriberUri"], format!("http://late.{}.svc.cluster.local/in", world.namespace));
    world.delete("v1", "Service", "late").await;
    let status = world.until("Trigger", "t", "False", unresolved).await;
    assert_eq!(status["subscriberUri"], Json::Null);

    // A kind that nothing referred to before.
    let channel =
        |url: &str| json!({"address": {"url": url}, "conditions": [{"type": "Ready", "status": "True"}]});
    world
        .apply(json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "metadata": {"name": "c"},
        "spec": {"channelTemplate": {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel"}}}))
        .await;
    world
        .trigger(
            "t",
            json!({"ref": {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "c"}}),
        )
        .await;
    world.until("Trigger", "t", "False", unresolved).await;
    for url in ["http://one.test", "http://two.test"] {
        let patch = json!({"status": channel(url)});
        let channels = world.api("messaging.knative.dev/v1", "Channel");
        channels.patch_status("c", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        while world.until("Trigger", "t", "True", "").await["subscriberUri"] != url {
            assert!(Instant::now() < deadline, "{url} is not seen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn what_was_deleted_and_made_again_while_nobody_watched_is_another() {
    let world = World::new().await;
    let (sink, other) = (Sink::new(), Sink::new());
    {
        let up = world.up();
        world.broker("b").await;
        world.trigger("t", sink.uri()).await;
        world.trigger("gone", sink.uri()).await;
        world.until("Trigger", "t", "True", "").await;
        world.until("Trigger", "gone", "True", "").await;
        assert!(world.post(&up, "one").contains(" 202 "));
        assert_eq!([sink.next(), sink.next()], ["one", "one"]);
    }
    world.delete(EVENTING, "Trigger", "t").await;
    world.delete(EVENTING, "Trigger", "gone").await;
    world.trigger("t", other.uri()).await;
    let up = world.up();
    world.until("Trigger", "t", "True", "").await;
    assert!(world.post(&up, "two").contains(" 202 "));
    assert_eq!(other.next(), "two");
    assert!(sink.ids.try_recv().is_err(), "a deleted trigger gets nothing");
}

async fn a_trigger_that_changes_hands_loses_what_its_former_owner_made() {
    let world = World::new().await;
    world.trigger("t", json!({"uri": "http://127.0.0.1:9/"})).await;
    let triggers = world.api(EVENTING, "Trigger");
    let uid = triggers.get("t").await.unwrap().metadata.uid.unwrap();
    let stale = json!({"status": {"observedGeneration": 1, "subscriberUri": "http://old.test",
        "conditions": [{"type": "BrokerReady", "status": "False", "reason": "BrokerDoesNotExist"},
            {"type": "OfTheirs", "status": "False"}, {"type": "Ready", "status": "False", "reason": "BrokerDoesNotExist"}]}});
    triggers.patch_status("t", &PatchParams::default(), &Patch::Merge(&stale)).await.unwrap();
    let subscription = |name: &str, owner: &str| {
        json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Subscription",
            "metadata": {"name": name, "labels": {"eventing.knative.dev/trigger": "t", "eventing.knative.dev/broker": "b"},
                "ownerReferences": [{"apiVersion": EVENTING, "kind": "Trigger", "name": "t", "uid": owner, "controller": true}]},
            "spec": {"channel": {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel", "name": "c"},
                "subscriber": {"uri": "http://filter.test/"}}})
    };
    world.apply(subscription("b-t-its", &uid)).await;
    world.apply(subscription("b-t-anothers", "00000000-0000-0000-0000-000000000000")).await;
    let _up = world.up();
    world.broker("b").await;
    let status = world.until("Trigger", "t", "True", "").await;
    let types: Vec<_> =
        status["conditions"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
    assert!(!types.contains(&json!("OfTheirs")), "{types:?}");
    let subscriptions = world.api("messaging.knative.dev/v1", "Subscription");
    assert!(subscriptions.get_opt("b-t-its").await.unwrap().is_none());
    assert!(subscriptions.get_opt("b-t-anothers").await.unwrap().is_some());
}

async fn an_api_server_that_is_gone_changes_nothing() {
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::private().await.unwrap()));
    let world = World::on(server).await;
    let (up, sink) = (world.up(), Sink::new());
    world.broker("b").await;
    world.trigger("t", sink.uri()).await;
    world.until("Trigger", "t", "True", "").await;
    server.stop();
    assert!(world.post(&up, "without").contains(" 202 "));
    assert_eq!(sink.next(), "without");
    server.start().await.unwrap();
    world.trigger("late", sink.uri()).await;
    world.until("Trigger", "late", "True", "").await;
    world.until("Trigger", "t", "True", "").await;
    world.server.stop();
}

async fn a_leader_that_was_paused_writes_nothing_when_it_wakes() {
    let world = World::new().await;
    let first = world.controller("first");
    world.until_leader("first").await;
    world.broker("b").await;
    world.until("Broker", "b", "False", "NoDataPlane").await;
    let pid = first.0.id() as i32;
    kill(pid, Signal::STOP);
    let _second = world.controller("second");
    // What the first would write if it believed that it leads.
    world.trigger("t", json!({"uri": "http://127.0.0.1:9/"})).await;
    world.until_leader("second").await;
    let status = world.until("Trigger", "t", "False", "NoDataPlane").await;
    let version = world.api(EVENTING, "Trigger").get("t").await.unwrap().metadata.resource_version;
    kill(pid, Signal::CONT);
    support::wait_for("the first to notice", || world.log("first").contains("leads no more").then_some(()));
    assert_eq!(world.leader().await.as_deref(), Some("second"));
    let now = world.api(EVENTING, "Trigger").get("t").await.unwrap();
    assert_eq!((now.metadata.resource_version, &now.data["status"]), (version, &status));
}

async fn a_data_plane_whose_agent_is_silent_does_not_count() {
    let world = World::new().await;
    let up = world.up();
    world.broker("b").await;
    world.until("Broker", "b", "True", "").await;
    let _other = world.controller("other");
    let agent = up.plane("eagre-controlplane");
    kill(agent, Signal::STOP);
    world.until("Broker", "b", "False", "NoDataPlane").await;
    assert_eq!(world.leader().await.as_deref(), Some("other"));
    kill(agent, Signal::CONT);
    world.until("Broker", "b", "True", "").await;
}
