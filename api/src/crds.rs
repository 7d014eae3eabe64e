//! The CustomResourceDefinitions, made of the types.
//!
//! Those of Eagre are installed everywhere. Those of upstream only where Knative Eventing
//! is not: there they belong to its core, with a webhook in front of them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion, JSON,
    JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::eventing::{Broker, EventPolicy, EventType, Trigger};
use crate::flows::{Parallel, Sequence};
use crate::messaging::{Channel, EagreChannel, InMemoryChannel, Subscription};
use crate::names::EVENT_TYPE_STORED;
use crate::schema::tidy;

/// Eagre's own kinds.
pub fn eagre() -> Vec<CustomResourceDefinition> {
    vec![with_empty_spec(crd::<EagreChannel>())]
}

/// The kinds of upstream that Eagre serves in a cluster.
pub fn knative() -> Vec<CustomResourceDefinition> {
    vec![
        with_empty_spec(crd::<Broker>()),
        crd::<Trigger>(),
        with_empty_spec(event_type()),
        with_empty_spec(crd::<EventPolicy>()),
        with_empty_spec(crd::<Channel>()),
        crd::<Subscription>(),
        crd::<Sequence>(),
        crd::<Parallel>(),
    ]
}

/// Upstream's channel in memory, which Eagre serves without a cluster only: installed
/// nowhere, as nobody would reconcile it there.
pub fn in_memory_channel() -> CustomResourceDefinition {
    with_empty_spec(crd::<InMemoryChannel>())
}

fn crd<T: CustomResourceExt>() -> CustomResourceDefinition {
    let mut crd = T::crd();
    schemas(&mut crd).for_each(tidy);
    crd
}

/// A kind of which an object may come without a spec: it gets an empty one, so that
/// everybody reads the same.
fn with_empty_spec(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for schema in schemas(&mut crd) {
        schema.required = None;
        let spec = schema.properties.as_mut().and_then(|properties| properties.get_mut("spec"));
        spec.expect("every kind has a spec").default = Some(JSON(json!({})));
    }
    crd
}

fn schemas(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    let versions = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    versions.filter_map(|schema| schema.open_api_v3_schema.as_mut())
}

/// The three versions of an EventType have one schema (see there), and the older two other
/// columns.
fn event_type() -> CustomResourceDefinition {
    let mut crd = crd::<EventType>();
    let newest = crd.spec.versions[0].clone();
    let stored = CustomResourceDefinitionVersion {
        name: EVENT_TYPE_STORED.to_owned(),
        storage: true,
        additional_printer_columns: newest.additional_printer_columns.as_ref().map(|columns| older(columns)),
        ..newest.clone()
    };
    let deprecated = CustomResourceDefinitionVersion {
        name: "v1beta1".to_owned(),
        storage: false,
        deprecated: Some(true),
        deprecation_warning: Some(
            "eventing.knative.dev/v1beta1 EventType is deprecated; write eventing.knative.dev/v1beta2"
                .to_owned(),
        ),
        ..stored.clone()
    };
    crd.spec.versions =
        vec![CustomResourceDefinitionVersion { storage: false, ..newest }, stored, deprecated];
    crd
}

fn older(columns: &[CustomResourceColumnDefinition]) -> Vec<CustomResourceColumnDefinition> {
    let field = |name: &str, path: &str| CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: "string".to_owned(),
        json_path: path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    };
    let fields =
        [field("Type", ".spec.type"), field("Source", ".spec.source"), field("Schema", ".spec.schema")];
    let rest = columns.iter().filter(|column| !matches!(column.name.as_str(), "Type" | "Source")).cloned();
    fields.into_iter().chain(rest).collect()
}
