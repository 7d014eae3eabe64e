//! Types, names and the committed definitions are one.

mod support;

use std::path::Path;

use eagre_api::names::*;
use serde_json::{Value, json};

/// The committed files are what an installation gets, and what a reviewer reads.
#[test]
fn the_committed_definitions_are_made_of_the_types() {
    let (policy, binding) = eagre_api::admission::broker_class();
    let mut knative: Vec<_> = eagre_api::crds::knative().iter().map(|crd| json!(crd)).collect();
    knative.extend([json!(policy), json!(binding)]);
    let eagre: Vec<_> = eagre_api::crds::eagre().iter().map(|crd| json!(crd)).collect();
    is_made_of_the_types("deploy/crds/eagre.yaml", &eagre);
    is_made_of_the_types("deploy/crds/knative.yaml", &knative);
}

#[test]
fn the_names_are_those_of_the_definitions() {
    let kinds = [
        EAGRE_CHANNEL,
        BROKER,
        TRIGGER,
        EVENT_TYPE,
        EVENT_POLICY,
        CHANNEL,
        SUBSCRIPTION,
        SEQUENCE,
        PARALLEL,
        IN_MEMORY_CHANNEL,
    ];
    let definitions = support::definitions();
    assert_eq!(kinds.len(), definitions.len());
    for (kind, crd) in kinds.iter().zip(&definitions) {
        let spec = &crd.spec;
        assert_eq!(
            (kind.group, kind.kind, kind.plural),
            (&*spec.group, &*spec.names.kind, &*spec.names.plural)
        );
        assert_eq!(crd.metadata.name.as_ref(), Some(&kind.crd_name()));
        assert!(spec.versions.iter().any(|version| version.name == kind.version), "{}", kind.api_version());
        let labels = [label::CRD_INSTALL, label::ADDRESSABLE, label::SUBSCRIBABLE];
        assert!(crd.metadata.labels.iter().flatten().all(|(key, _)| labels.contains(&key.as_str())));
    }
}

/// An API server keeps every kind in exactly one version.
#[test]
fn one_version_of_each_kind_is_stored() {
    for crd in support::definitions() {
        let stored: Vec<_> = crd.spec.versions.iter().filter(|version| version.storage).collect();
        assert_eq!(stored.len(), 1, "{:?}", crd.metadata.name);
    }
}

/// Without a webhook that converts, an API server changes `apiVersion` alone and drops what
/// the version that it stores has no field for.
#[test]
fn no_field_of_an_event_type_is_lost_between_its_versions() {
    let definitions = support::definitions();
    let crd = definitions.iter().find(|crd| crd.spec.names.kind == EVENT_TYPE.kind).unwrap();
    let versions = crd.spec.versions.iter();
    let schemas: Vec<_> = versions.map(|version| support::schema(crd, &version.name)).collect();
    assert!(schemas.iter().all(|schema| *schema == schemas[0]));
}

/// A derived schema says more than upstream's: `null` as a value, defaults of Rust's.
#[test]
fn schemas_say_nothing_that_only_rust_means() {
    for crd in support::definitions() {
        for version in &crd.spec.versions {
            let schema = support::schema(&crd, &version.name);
            each_schema("", &schema, &mut |path, schema| {
                assert!(schema["nullable"].is_null(), "{path}");
                assert!(schema["default"].is_null() || path == ".spec", "{path}");
                assert!(schema["type"].is_string(), "{path}");
            });
        }
    }
}

fn each_schema(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        each_schema(&format!("{path}.{name}"), field, look);
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            each_schema(&format!("{path}.{part}"), &schema[part], look);
        }
    }
}

/// Holds `file` of the repository equal to what is made of the types, or writes it anew.
fn is_made_of_the_types(file: &str, objects: &[Value]) {
    let renew = "EAGRE_WRITE=1 cargo test -p eagre-api --test invariants";
    let documents = objects.iter().map(|object| format!("---\n{}", serde_saphyr::to_string(object).unwrap()));
    let made = format!("# Made of the types in api/: {renew}\n{}", documents.collect::<String>());
    let read: Vec<Value> = serde_saphyr::from_multiple(&made).unwrap();
    assert_eq!(read, objects, "{file}");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("EAGRE_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    assert!(std::fs::read_to_string(&path).is_ok_and(|found| found == made), "{file} is old: {renew}");
}
