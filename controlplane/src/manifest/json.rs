//! An object as an API server serves it, to the tree that manifests are read into.
//!
//! So every rule of meaning exists once. What such an object lacks is lines: its
//! place is what it is called, and messages name the field.

use serde_json::Value as Json;

use super::yaml::{Field, Node, Value};

/// The tree of a JSON value; every position is 0:0, "the object as a whole".
pub fn node(json: &Json) -> Node {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(boolean) => Value::Boolean(*boolean),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Sequence(items.iter().map(node).collect()),
        Json::Object(fields) => Value::Mapping(
            fields
                .iter()
                .map(|(name, json)| Field { name: name.clone(), at: (0, 0), node: node(json) })
                .collect(),
        ),
    };
    Node { at: (0, 0), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_its_counterpart() {
        let json = serde_json::json!({"a": [null, true, -1, 1.5, "x"], "b": u64::MAX});
        let Value::Mapping(fields) = node(&json).value else { panic!() };
        let Value::Sequence(items) = &fields[0].node.value else { panic!() };
        let kinds: Vec<_> = items.iter().map(|item| item.value.kind()).collect();
        assert_eq!(kinds, ["nothing", "a Boolean", "an integer", "a number", "a string"]);
        // Larger than any integer of Kubernetes: no wrap-around.
        assert!(matches!(fields[1].node.value, Value::Number(number) if number > 1e19));
    }
}
