//! `eagre install`: what it prints, and what it takes.

mod support;

use serde_json::Value;

use support::{output, text};

const EAGRE: &str = include_str!("../../deploy/crds/eagre.yaml");
const KNATIVE: &str = include_str!("../../deploy/crds/knative.yaml");

#[test]
fn definitions_are_printed_as_the_repository_has_them() {
    for (arguments, expected) in [
        (&["install", "--crds"][..], EAGRE.to_owned()),
        (&["install", "--knative-crds"], KNATIVE.to_owned()),
        (&["install", "--crds", "--knative-crds"], format!("{EAGRE}{KNATIVE}")),
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output) == expected, "{arguments:?}");
    }
}

#[test]
fn json_is_one_list_of_all_objects() {
    let list = |arguments: &[&str]| -> Value { serde_json::from_str(&text(&output(arguments))).unwrap() };
    let own = list(&["install", "--crds", "-o", "json"]);
    assert_eq!(own["kind"], "List");
    assert_eq!(own["items"][0]["metadata"]["name"], "eagrechannels.messaging.knative.dev");

    let all = list(&["install", "--crds", "--knative-crds", "--output", "json"]);
    let documents = EAGRE.matches("\n---\n").count() + KNATIVE.matches("\n---\n").count();
    assert_eq!(all["items"].as_array().unwrap().len(), documents);
}

#[test]
fn without_a_part_it_says_which_there_are() {
    let output = output(&["install"]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--crds") && said.contains("--knative-crds"), "{said}");
}
