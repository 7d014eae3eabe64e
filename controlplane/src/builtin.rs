//! The built-in broker of a bare `eagre up`, as a manifest like any other.
//!
//! It alone gets Knative's stock delivery settings (design section 5);
//! manifests are taken as written.

use std::path::Path;

use eagre_snapshot::{Endpoint, EndpointError};

use crate::source::files::SourceFile;

/// What positions in the manifest show as its file.
pub const NAME: &str = "<built-in>";

/// Broker `default/default` and trigger `default/event-display`, which sends
/// every event to `display`.
pub fn manifest(display: &str) -> Result<SourceFile, EndpointError> {
    Endpoint::parse(display)?;
    // Single-quoted YAML knows one escape: the doubled quote.
    let uri = display.replace('\'', "''");
    let text = format!(
        "\
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: default
spec:
  delivery:
    retry: 10
    backoffPolicy: exponential
    backoffDelay: PT0.2S
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: event-display
spec:
  broker: default
  subscriber:
    uri: '{uri}'
"
    );
    Ok(SourceFile { path: Path::new(NAME).into(), text })
}
