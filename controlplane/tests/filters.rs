//! Filters of triggers, read without brokers and subscribers.

use std::{fs, path::PathBuf};

use eagre_controlplane::{Severity, TriggerFilters, trigger_filters};
use eagre_filter::Filter;
use tempfile::TempDir;

/// A trigger in namespace `ns` whose subscriber only a cluster could resolve.
fn trigger(name: &str, broker: &str, filters: &str) -> String {
    format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: {name}, namespace: ns}}\nspec:\n  \
         broker: {broker}\n  filters: {filters}\n  subscriber:\n    \
         ref: {{apiVersion: serving.knative.dev/v1, kind: Service, name: s}}\n---\n"
    )
}

const BROKER: &str =
    "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b, namespace: ns}\n---\n";

fn read(text: &str) -> TriggerFilters {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("t.yaml"), text).unwrap();
    trigger_filters(&[folder.path().to_owned()])
}

#[test]
fn a_filter_needs_neither_broker_nor_subscriber() {
    let read = read(&trigger("t", "b", "[{exact: {type: a}}]"));
    assert_eq!(read.diagnostics, []);
    assert_eq!(read.triggers.len(), 1);
    let trigger = &read.triggers[0];
    assert_eq!(
        (trigger.namespace.as_str(), trigger.name.as_str(), trigger.broker.as_str()),
        ("ns", "t", "b")
    );
    assert_eq!(trigger.filter, Filter::All(vec![Filter::Exact(vec![("type".into(), "a".into())])]));
}

#[test]
fn triggers_come_by_broker_then_by_name() {
    let text = [("a", "z"), ("c", "b"), ("b", "b")].map(|(name, broker)| trigger(name, broker, "[]"));
    let read = read(&text.concat());
    let names: Vec<_> = read.triggers.iter().map(|trigger| trigger.name.as_str()).collect();
    assert_eq!(names, ["b", "c", "a"]);
}

#[test]
fn a_broker_missing_among_others_is_worth_a_warning() {
    let read = read(&format!("{BROKER}{}{}", trigger("t", "b", "[]"), trigger("u", "typo", "[]")));
    assert_eq!(read.triggers.len(), 2);
    assert_eq!(read.diagnostics.len(), 1);
    assert_eq!(read.diagnostics[0].severity, Severity::Warning);
    assert!(read.diagnostics[0].message.contains("ns/typo"), "{}", read.diagnostics[0]);
    assert!(read.diagnostics[0].source.contains("typo"), "{}", read.diagnostics[0]);
}

#[test]
fn after_a_mistake_there_are_no_triggers() {
    let read = read(&format!("{}{}", trigger("t", "b", "[]"), trigger("u", "b", "[{cesql: type =}]")));
    assert_eq!(read.triggers, []);
    assert!(read.diagnostics[0].is_error() && read.diagnostics[0].line > 0, "{}", read.diagnostics[0]);
    let missing = trigger_filters(&[PathBuf::from("no/such/folder")]);
    assert!(missing.triggers.is_empty() && missing.diagnostics[0].is_error());
}
