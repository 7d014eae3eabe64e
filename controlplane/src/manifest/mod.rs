//! Manifests, and objects of an API server: YAML or JSON to typed objects.
//!
//! Promise: every mistake of a file is reported, each with its line and column,
//! unless the file is no YAML at all; what is returned without an error is
//! well-formed by itself.
//!
//! Absent on purpose: everything that needs more than one object (duplicates,
//! a trigger's broker, references), which is the index's and the compiler's,
//! and all I/O.

pub mod yaml;
pub mod json;
pub mod reader;
pub mod object;
pub mod broker;
pub mod trigger;
pub mod filter;
pub mod delivery;
pub mod destination;
pub mod config_map;
pub mod setting;
pub mod duration;
pub mod name;
pub mod diagnostic;

use std::{path::Path, sync::Arc};

pub use broker::Broker;
pub use config_map::ConfigMap;
pub use delivery::Delivery;
pub use destination::{Destination, Reference};
pub use diagnostic::{Diagnostic, Located, Place, Severity};
pub use object::{API_VERSION, Broken, CLASS, Metadata, Object};
pub use trigger::{BrokerName, Trigger};

/// What one file holds.
#[derive(Debug)]
pub struct Parsed {
    /// The objects; meaningful only if no diagnostic is an error.
    pub objects: Vec<Object>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a broker may be missing from the objects.
    pub gaps: bool,
}

/// Reads one object that an API server served. Where it has an error, what is
/// left of it says whose it is, and the errors.
pub fn read(place: &str, object: &serde_json::Value) -> Option<Object> {
    let mut reader = reader::Reader::new(&Path::new(place).into(), "");
    let node = json::node(object);
    reader.object(&node);
    if reader.errors == 0 {
        return reader.objects.pop();
    }
    let errors = std::mem::take(&mut reader.diagnostics).into_iter().filter(Diagnostic::is_error).collect();
    reader.broken(&node, errors).map(|broken| Object::Broken(Box::new(broken)))
}

/// Reads one file.
pub fn parse(path: &Arc<Path>, text: &str) -> Parsed {
    let mut reader = reader::Reader::new(path, text);
    match yaml::documents(path, text) {
        Ok(documents) => documents.iter().for_each(|document| reader.object(document)),
        Err(diagnostic) => {
            reader.gaps = true;
            reader.report(diagnostic);
        }
    }
    Parsed { objects: reader.objects, diagnostics: reader.diagnostics, gaps: reader.gaps }
}
