//! Whether a schema accepts what another accepts, field by field.

use serde_json::{Map, Value};

/// Keywords that refuse values of the right type. Where `theirs` lacks one, `ours` must.
/// Not here: the lengths of `api/src/limits.rs`, which are far above what works, and
/// `x-kubernetes-validations`, which stand in for upstream's webhook.
const NARROWING: &[&str] = &[
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "minItems",
    "minProperties",
    "uniqueItems",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
];

const PRESERVES: &str = "x-kubernetes-preserve-unknown-fields";

/// Maps of texts that upstream's schemas leave open. Its webhook decodes each into a map
/// of strings and refuses anything else, so that nothing else is there to be accepted.
const MAPS_OF_TEXTS: &[&str] = &["annotations", "attributes", "exact", "prefix", "suffix", "matchLabels"];

/// Where `ours` refuses or drops what `theirs` keeps, a line each.
pub fn narrower(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", theirs, ours, &mut found);
    found
}

fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    if theirs["type"] != ours["type"] {
        found.push(format!("{path}: the type is {} instead of {}", ours["type"], theirs["type"]));
        return;
    }
    for keyword in NARROWING {
        if !ours[keyword].is_null() && ours[keyword] != theirs[keyword] {
            found.push(format!("{path}: {keyword} is {} instead of {}", ours[keyword], theirs[keyword]));
        }
    }
    // Of some kinds a spec has to say something; upstream's webhook refuses them without one.
    let missing = |field: &str| !required(theirs).any(|theirs| theirs == field);
    for field in required(ours).filter(|field| missing(field) && (path, *field) != ("", "spec")) {
        found.push(format!("{path}: {field} is required"));
    }
    if theirs[PRESERVES] == true && ours[PRESERVES] != true && !is_map_of_texts(path, ours) {
        found.push(format!("{path}: unknown fields are dropped"));
    }
    for (name, theirs) in properties(theirs).into_iter().flatten() {
        let path = format!("{path}.{name}");
        match properties(ours).and_then(|ours| ours.get(name)) {
            Some(ours) => compare(&path, theirs, ours, found),
            None if ours[PRESERVES] == true => {}
            None => found.push(format!("{path}: there is no such field")),
        }
    }
    if !theirs["items"].is_null() {
        compare(&format!("{path}[]"), &theirs["items"], &ours["items"], found);
    }
}

fn is_map_of_texts(path: &str, schema: &Value) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    MAPS_OF_TEXTS.contains(&name) && schema["additionalProperties"] == serde_json::json!({"type": "string"})
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema["properties"].as_object()
}
