//! Real servers: what they promise to tests, and that nothing of them is left.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use eagre_apiserver::{ApiServer, tests};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client, Config,
    api::{DynamicObject, ListParams, ObjectMeta, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;

tests! {
    namespaces_are_ours_alone,
    a_kubeconfig_leads_to_the_server,
    nobody_may_do_what_no_role_allows,
    crds_are_served_when_they_are_applied,
    a_restart_keeps_data_port_and_tokens,
    a_paused_server_answers_when_the_pause_is_over,
    nothing_is_left_of_a_server_that_is_dropped,
    nothing_is_left_of_a_server_whose_process_is_killed,
    without_a_server_tests_are_ignored_unless_it_is_required,
}

async fn namespaces_are_ours_alone() {
    let server = ApiServer::shared().await.unwrap();
    let [one, two] = [server.namespace().await.unwrap(), server.namespace().await.unwrap()];
    assert_ne!(one, two);
    let namespaces: Api<Namespace> = Api::all(server.admin().unwrap());
    assert_eq!(namespaces.get(&one).await.unwrap().metadata.name, Some(one));
}

async fn a_kubeconfig_leads_to_the_server() {
    let server = ApiServer::shared().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    server.write_kubeconfig(&file, server.admin_token()).unwrap();
    let kubeconfig = Kubeconfig::read_from(file).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap().apiserver_version().await.unwrap();
}

async fn nobody_may_do_what_no_role_allows() {
    let server = ApiServer::shared().await.unwrap();
    let namespace = server.namespace().await.unwrap();
    let token = server.service_account(&namespace, "reader").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(server.client(&token).unwrap(), &namespace);
    let denied = maps.list(&ListParams::default()).await.unwrap_err();
    assert!(is_forbidden(&denied), "{denied}");

    let role: Role = serde_json::from_value(json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
    }))
    .unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    }))
    .unwrap();
    let admin = server.admin().unwrap();
    Api::namespaced(admin.clone(), &namespace).create(&PostParams::default(), &role).await.unwrap();
    Api::namespaced(admin, &namespace).create(&PostParams::default(), &binding).await.unwrap();
    eventually("the binding counts", async || maps.list(&ListParams::default()).await.is_ok()).await;
    let map = ConfigMap { metadata: named("mine"), ..Default::default() };
    let denied = maps.create(&PostParams::default(), &map).await.unwrap_err();
    assert!(is_forbidden(&denied), "{denied}");
}

async fn crds_are_served_when_they_are_applied() {
    let server = ApiServer::shared().await.unwrap();
    let crd = |plural: &str, kind: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\n\
             kind: CustomResourceDefinition\n\
             metadata: {{name: {plural}.apiserver.eagre.dev}}\n\
             spec:\n  group: apiserver.eagre.dev\n  scope: Namespaced\n  names: {{plural: {plural}, kind: {kind}}}\n  \
             versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]\n"
        )
    };
    let both = format!("{}---\n{}", crd("firsts", "First"), crd("seconds", "Second"));
    // As two tests do it that need the same.
    let (one, two) = tokio::join!(server.apply_crds(&both), server.apply_crds(&both));
    one.unwrap();
    two.unwrap();
    let namespace = server.namespace().await.unwrap();
    for kind in ["First", "Second"] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apiserver.eagre.dev", "v1", kind));
        let objects: Api<DynamicObject> =
            Api::namespaced_with(server.admin().unwrap(), &namespace, &resource);
        objects.create(&PostParams::default(), &DynamicObject::new("one", &resource)).await.unwrap();
    }
}

async fn a_restart_keeps_data_port_and_tokens() {
    let server = ApiServer::private().await.unwrap();
    let namespace = server.namespace().await.unwrap();
    let token = server.service_account(&namespace, "one").await.unwrap();
    let url = server.url().to_owned();
    let address: SocketAddr = url.trim_start_matches("https://").parse().unwrap();

    server.stop();
    TcpStream::connect(address).unwrap_err();
    server.start().await.unwrap();
    assert_eq!(server.url(), url);
    let namespaces: Api<Namespace> = Api::all(server.admin().unwrap());
    namespaces.get(&namespace).await.unwrap();
    // Known, and without a role.
    let denied = Api::<Namespace>::all(server.client(&token).unwrap()).get(&namespace).await.unwrap_err();
    assert!(is_forbidden(&denied), "{denied}");
    server.start().await.unwrap_err();
}

async fn a_paused_server_answers_when_the_pause_is_over() {
    let server = ApiServer::private().await.unwrap();
    let folder = server.folder().to_owned();
    let stopped = || processes_in(&folder).iter().any(|process| state(process) == Some('T'));
    server.pause().unwrap();
    eventually("one stands still", async || stopped()).await;
    let client = server.admin().unwrap();
    let answer = tokio::spawn(async move { client.apiserver_version().await });
    server.resume().unwrap();
    answer.await.unwrap().unwrap();
    assert!(!stopped());
}

async fn nothing_is_left_of_a_server_that_is_dropped() {
    let server = ApiServer::private().await.unwrap();
    let folder = server.folder().to_owned();
    assert_eq!(processes_in(&folder).len(), 2);
    drop(server);
    assert_eq!(processes_in(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

async fn nothing_is_left_of_a_server_whose_process_is_killed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eagre-apiserver"));
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=").unwrap();
    let folder = Path::new(kubeconfig).parent().unwrap();
    assert!(processes_in(folder).len() >= 2, "with its own two");

    process.kill().unwrap();
    process.wait().unwrap();
    eventually("both are gone", async || processes_in(folder).is_empty()).await;
    // The folder goes with the next start.
    let _next = ApiServer::private().await.unwrap();
    assert!(!folder.exists());
}

async fn without_a_server_tests_are_ignored_unless_it_is_required() {
    let cache = tempfile::tempdir().unwrap();
    let run = |required: &str| -> Output {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "namespaces_are_ours_alone"]).env("EAGRE_APISERVER_CACHE", cache.path());
        // No `go` is found, and nothing else.
        command
            .env("PATH", cache.path())
            .env_remove("KUBEBUILDER_ASSETS")
            .env("EAGRE_REQUIRE_APISERVER", required);
        command.output().unwrap()
    };
    let told = |output: &Output, what: &str| {
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(what) && text.contains("no Kubernetes API server for tests: `go` does not run"),
            "{text}"
        );
    };
    let ignored = run("");
    assert!(ignored.status.success());
    told(&ignored, "0 passed; 0 failed; 1 ignored");
    let failed = run("1");
    assert!(!failed.status.success());
    told(&failed, "0 passed; 1 failed; 0 ignored");
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), ..Default::default() }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition().await {
        assert!(Instant::now() < deadline, "not within two minutes: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The ids of the processes that run in a folder, which may be gone.
fn processes_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let place = fs::read_link(process.path().join("cwd")).unwrap_or_default();
        // The kernel appends ` (deleted)`.
        if place.to_string_lossy().starts_with(&*folder.to_string_lossy()) {
            found.push(process.file_name().into_string().unwrap());
        }
    }
    found
}

fn state(process: &str) -> Option<char> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    status.rsplit(") ").next()?.chars().next()
}
