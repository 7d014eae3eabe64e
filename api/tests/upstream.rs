//! Eagre's definitions of upstream's kinds against upstream's own: what theirs accept,
//! ours accept, and what we write into a status they know.
//!
//! Theirs are read from one folder, which `KNATIVE_CRDS` names; they are the files of
//! `config/core/resources` and `config/channels/in-memory-channel/resources` of Knative
//! Eventing. Without the variable those tests say that they were skipped.

mod support;
mod inclusion;

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::{Value, json};

use inclusion::narrower;
use support::{definitions, schema};

/// What only an installation of upstream says of itself.
const THEIR_OWN_LABELS: &str = "app.kubernetes.io/";

/// Fields of upstream's types that its schemas forgot: a status with them is taken.
const FORGOTTEN: &[&str] = &[".lastTransitionTime", ".channel.address", ".deadLetterChannel.address"];

#[test]
fn what_upstreams_definitions_accept_ours_accept() {
    assert_eq!(of_each_kind(differences), Vec::<String>::new());
}

/// The webhook refuses a status for one field that it does not know.
#[test]
fn every_field_of_a_status_is_one_of_upstreams() {
    assert_eq!(of_each_kind(unknown_in_status), Vec::<String>::new());
}

/// What is found of upstream's definition of a kind and ours, of every kind.
fn of_each_kind(
    look: fn(&CustomResourceDefinition, &CustomResourceDefinition) -> Vec<String>,
) -> Vec<String> {
    let Some(folder) = std::env::var_os("KNATIVE_CRDS") else {
        eprintln!("skipped: KNATIVE_CRDS names no folder with upstream's CustomResourceDefinitions");
        return Vec::new();
    };
    let theirs = read(Path::new(&folder));
    let mut found = Vec::new();
    for ours in definitions() {
        let name = ours.metadata.name.clone().unwrap();
        if name == eagre_api::names::EAGRE_CHANNEL.crd_name() {
            continue;
        }
        let theirs = theirs.get(&name).unwrap_or_else(|| panic!("{name} is not in {}", folder.display()));
        found.extend(look(theirs, &ours).into_iter().map(|line| format!("{name} {line}")));
    }
    found
}

/// Upstream's channel controllers treat every channelable alike, so ours has all that
/// theirs has.
#[test]
fn an_eagre_channel_accepts_what_an_in_memory_channel_accepts() {
    let [ours] = eagre_api::crds::eagre().try_into().unwrap();
    let theirs = eagre_api::crds::in_memory_channel();
    assert_eq!(narrower(&schema(&theirs, "v1"), &schema(&ours, "v1alpha1")), Vec::<String>::new());
}

/// The comparison above would be worth nothing if it passed over a difference.
#[test]
fn every_way_to_accept_less_is_found() {
    let theirs = json!({"type": "object", "required": ["b"], "properties": {
        "a": {"type": "string"},
        "b": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "integer", "format": "int32"}}}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"d": {"type": "string"}}},
        "exact": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    assert_eq!(narrower(&theirs, &theirs), Vec::<String>::new());
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    assert_eq!(
        narrower(&theirs, &altered(&theirs, "/properties/exact", texts.clone())),
        Vec::<String>::new()
    );

    let table = [
        ("/type", json!("array"), ": the type is \"array\" instead of \"object\""),
        ("/required", json!(["a", "b"]), ": a is required"),
        ("/properties/a", json!({"type": "integer"}), ".a: the type is \"integer\" instead of \"string\""),
        ("/properties/a", json!({"type": "string", "enum": ["x"]}), ".a: enum is [\"x\"] instead of null"),
        ("/properties/a", json!({"type": "string", "pattern": "x"}), ".a: pattern is \"x\" instead of null"),
        (
            "/properties/b/items/properties/c/format",
            json!("int64"),
            ".b[].c: format is \"int64\" instead of \"int32\"",
        ),
        ("/properties/b/items/properties", json!({}), ".b[].c: there is no such field"),
        (
            "/properties/open/x-kubernetes-preserve-unknown-fields",
            json!(false),
            ".open: unknown fields are dropped",
        ),
        ("/properties/open", texts, ".open: unknown fields are dropped"),
        ("/properties/exact", json!({"type": "object"}), ".exact: unknown fields are dropped"),
    ];
    for (at, value, finding) in table {
        let found = narrower(&theirs, &altered(&theirs, at, value));
        assert!(found.iter().any(|line| line == finding), "{at}: {found:?}");
    }
    let open = altered(&theirs, "/properties/open/properties", json!({}));
    assert_eq!(narrower(&theirs, &open), Vec::<String>::new(), "what is kept unknown need not be named");
}

fn altered(schema: &Value, at: &str, value: Value) -> Value {
    let mut schema = schema.clone();
    *schema.pointer_mut(at).unwrap() = value;
    schema
}

/// The definitions of a folder by name; other files are passed over.
fn read(folder: &Path) -> BTreeMap<String, CustomResourceDefinition> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.unwrap().path());
    let texts = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap());
    let documents = texts.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap());
    documents
        .filter(|document| document["kind"] == "CustomResourceDefinition")
        .map(|document| serde_json::from_value::<CustomResourceDefinition>(document).unwrap())
        .map(|crd| (crd.metadata.name.clone().unwrap(), crd))
        .collect()
}

fn differences(theirs: &CustomResourceDefinition, ours: &CustomResourceDefinition) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, theirs: Value, ours: Value| {
        if theirs != ours {
            found.push(format!("{what}: {ours} instead of {theirs}"));
        }
    };
    same("group", json!(theirs.spec.group), json!(ours.spec.group));
    same("scope", json!(theirs.spec.scope), json!(ours.spec.scope));
    same("names", names(theirs), names(ours));
    same("labels", labels(theirs), labels(ours));
    let versions = |crd: &CustomResourceDefinition| {
        json!(crd.spec.versions.iter().map(|version| &version.name).collect::<Vec<_>>())
    };
    same("versions", versions(theirs), versions(ours));
    for (theirs, ours) in theirs.spec.versions.iter().zip(&ours.spec.versions) {
        same(&theirs.name, traits(theirs), traits(ours));
    }
    for version in &theirs.spec.versions {
        let narrower = narrower(&schema(theirs, &version.name), &schema(ours, &version.name));
        found.extend(narrower.into_iter().map(|line| format!("{} {line}", version.name)));
    }
    found
}

fn names(crd: &CustomResourceDefinition) -> Value {
    let names = &crd.spec.names;
    json!([
        names.kind,
        names.plural,
        names.singular,
        names.short_names.clone().unwrap_or_default(),
        names.categories
    ])
}

fn labels(crd: &CustomResourceDefinition) -> Value {
    let labels = crd.metadata.labels.iter().flatten();
    json!(labels.filter(|(key, _)| !key.starts_with(THEIR_OWN_LABELS)).collect::<BTreeMap<_, _>>())
}

/// All of a version but its schema.
fn traits(version: &CustomResourceDefinitionVersion) -> Value {
    let column = |column: &CustomResourceColumnDefinition| {
        json!([column.name, column.type_, column.json_path, column.priority.unwrap_or_default()])
    };
    json!({
        "served": version.served,
        "storage": version.storage,
        "deprecated": version.deprecated.unwrap_or_default(),
        "subresources": version.subresources,
        "columns": version.additional_printer_columns.iter().flatten().map(column).collect::<Vec<_>>(),
    })
}

fn unknown_in_status(theirs: &CustomResourceDefinition, ours: &CustomResourceDefinition) -> Vec<String> {
    let status = |crd, version| schema(crd, version)["properties"]["status"].clone();
    let versions = theirs.spec.versions.iter().map(|version| version.name.as_str());
    let refused = versions.flat_map(|name| narrower(&status(ours, name), &status(theirs, name)));
    let unknown = refused.filter_map(|line| line.strip_suffix(": there is no such field").map(str::to_owned));
    unknown.filter(|path| !FORGOTTEN.iter().any(|field| path.ends_with(field))).collect()
}
