//! From one JSON value to another, as a merge patch (RFC 7396).

use serde_json::{Map, Value};

/// What has to be patched for `from` to become `to`; `None` if nothing. No null may be
/// in `to`: in a patch it means removal.
pub fn patch(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        _ if from == to => None,
        (Value::Object(from), Value::Object(to)) => {
            let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
            let changed = to.iter().filter_map(|(key, to)| {
                let changed = match from.get(key) {
                    Some(from) => patch(from, to)?,
                    None => to.clone(),
                };
                Some((key.clone(), changed))
            });
            Some(Value::Object(gone.chain(changed).collect::<Map<_, _>>()))
        }
        _ => Some(to.clone()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 7396 section 2, as it stands there.
    fn apply(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut target = if let Value::Object(target) = target { target } else { Map::new() };
        for (key, value) in patch {
            if value.is_null() {
                target.remove(key);
            } else {
                let before = target.remove(key).unwrap_or(Value::Null);
                target.insert(key.clone(), apply(before, value));
            }
        }
        Value::Object(target)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[ab]".prop_map(Value::from)];
        let object = |inner| proptest::collection::btree_map("[a-d]", inner, 0..4);
        leaf.prop_recursive(3, 16, 4, move |inner| {
            prop_oneof![
                object(inner.clone()).prop_map(|map| Value::Object(map.into_iter().collect())),
                proptest::collection::vec(inner, 0..3).prop_map(Value::Array),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_leads_from_one_to_the_other(from in value(), to in value()) {
            match patch(&from, &to) {
                Some(patch) => prop_assert_eq!(apply(from, &patch), to),
                None => prop_assert_eq!(from, to),
            }
        }
    }

    #[test]
    fn a_patch_names_only_what_differs() {
        let from = json!({"address": {"url": "a", "name": "http"}, "old": 1, "same": [1]});
        let to = json!({"address": {"url": "b", "name": "http"}, "same": [1]});
        assert_eq!(patch(&from, &to), Some(json!({"address": {"url": "b"}, "old": null})));
    }
}
