//! From what is derived to what an API server takes and upstream's schemas say.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::Schema;
use schemars::transform::transform_subschemas;
use serde_json::Value;

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// What controllers copy from objects that were judged already is not judged again: the
/// list has no bound, and a rule in it would need one.
pub(crate) fn without_rules(schema: &mut Schema) {
    schema.remove("x-kubernetes-validations");
    transform_subschemas(&mut without_rules, schema);
}

/// Keeps fields that the schema does not name, as upstream does where it tries new ones.
pub(crate) fn open(schema: &mut Schema) {
    schema.insert(PRESERVE.to_owned(), true.into());
}

/// The same for the field `ref` of a destination.
pub(crate) fn open_ref(schema: &mut Schema) {
    let reference = schema.get_mut("properties").and_then(|properties| properties.get_mut("ref"));
    let reference = reference.and_then(Value::as_object_mut).expect("a destination has a ref");
    reference.insert(PRESERVE.to_owned(), true.into());
}

/// Conditions as upstream has them in a Parallel: no field is required, and where one says
/// how another object is, unknown ones are kept.
pub(crate) fn lenient_conditions(schema: &mut Schema) {
    schema.remove("required");
    let ready = schema.get_mut("properties").and_then(|properties| properties.get_mut("ready"));
    if let Some(ready) = ready.and_then(Value::as_object_mut) {
        ready.insert(PRESERVE.to_owned(), true.into());
    }
    transform_subschemas(&mut lenient_conditions, schema);
}

/// Takes out what schemars derives for Rust and an API server would act upon: `null` as a
/// value, the values that absent lists have here, the shapes of numbers and texts beyond
/// upstream's.
pub(crate) fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.default = None;
    schema.title = None;
    schema.format = schema.format.take().filter(|format| matches!(format.as_str(), "int32" | "int64"));
    schema.properties.iter_mut().flat_map(BTreeMap::values_mut).for_each(tidy);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}
