//! `eagre install`: what a cluster needs to know before Eagre runs on it, printed for
//! `kubectl apply -f -`.
//!
//! Promise: what is printed is what the repository holds under `deploy/`, byte for byte,
//! or the same as JSON. Deliberately absent: a client of the API server. Whoever may
//! install definitions in a cluster has `kubectl`, and sees there what will change.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::{
    args::{InstallArgs, Manifest},
    exit,
};

const EAGRE: &str = include_str!("../../../deploy/crds/eagre.yaml");
const KNATIVE: &str = include_str!("../../../deploy/crds/knative.yaml");

/// Runs the command; returns the exit code.
pub fn run(args: &InstallArgs) -> u8 {
    let chosen = [(args.crds, EAGRE), (args.knative_crds, KNATIVE)];
    let texts = chosen.into_iter().filter_map(|(wanted, text)| wanted.then_some(text));
    let printed = match args.output {
        Manifest::Yaml => texts.collect(),
        Manifest::Json => json(texts),
    };
    // A reader that closed the pipe has seen enough.
    let _ = io::stdout().write_all(printed.as_bytes());
    exit::OK
}

/// One document: `kubectl` takes a list as it takes its items.
fn json<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let items =
        texts.flat_map(|text| serde_saphyr::from_multiple::<Value>(text).expect("the text is our own"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()});
    serde_json::to_string_pretty(&list).expect("plain data") + "\n"
}
