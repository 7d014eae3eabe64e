//! What several test files need.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// Every definition that there is.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = eagre_api::crds::eagre();
    all.extend(eagre_api::crds::knative());
    all.push(eagre_api::crds::in_memory_channel());
    all
}

/// The schema of a version.
pub fn schema(crd: &CustomResourceDefinition, version: &str) -> Value {
    let version = crd.spec.versions.iter().find(|found| found.name == version).expect("the version is there");
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    serde_json::to_value(schema.expect("a version has a schema")).expect("a schema is JSON")
}
