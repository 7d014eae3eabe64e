//! `eagre filter`: what triggers ask for, judged without their surroundings.
//!
//! A trigger's filter needs neither its broker nor its subscriber, so nothing
//! is resolved: manifests of a cluster can be read anywhere.

use std::path::PathBuf;

use eagre_filter::Filter;

use crate::compile::orphan;
use crate::load::{Objects, arrange, objects};
use crate::manifest::Diagnostic;
use crate::source::files;

/// A trigger and its filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerFilter {
    /// Namespace of the trigger and of its broker.
    pub namespace: String,
    /// Name of the trigger.
    pub name: String,
    /// Name of its broker, of whatever class; it need not be among the manifests.
    pub broker: String,
    /// Which events it wants; valid.
    pub filter: Filter,
}

/// The triggers of a set of manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerFilters {
    /// By namespace, broker and name; empty if there is an error.
    pub triggers: Vec<TriggerFilter>,
    /// Every remark, in the order of files and positions. A missing broker is
    /// one only where other brokers are given: it is most likely misspelt there.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the triggers of manifest files and folders.
pub fn trigger_filters(paths: &[PathBuf]) -> TriggerFilters {
    let sources = files::read(paths);
    let Objects { index, mut diagnostics, gaps } = objects(&sources);
    if !gaps && index.brokers().next().is_some() {
        let has_broker = |namespace, name| index.broker(namespace, name).is_some();
        let orphans =
            index.triggers().filter(|trigger| !has_broker(trigger.broker_key().0, trigger.broker_key().1));
        diagnostics.extend(orphans.map(|trigger| orphan(&trigger.metadata, &trigger.broker)));
    }
    arrange(&mut diagnostics, &sources);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return TriggerFilters { triggers: Vec::new(), diagnostics };
    }
    let mut triggers: Vec<_> = index
        .triggers()
        .map(|trigger| TriggerFilter {
            namespace: trigger.metadata.namespace.clone(),
            name: trigger.metadata.name.clone(),
            broker: trigger.broker.name.clone(),
            filter: trigger.filter.clone(),
        })
        .collect();
    // Names are in order already, and the sort is stable.
    triggers.sort_by(|a, b| (&a.namespace, &a.broker).cmp(&(&b.namespace, &b.broker)));
    TriggerFilters { triggers, diagnostics }
}
