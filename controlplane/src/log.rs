//! Log lines and diagnostics on standard error.

use std::io::{self, Write};

use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::limits::DIAGNOSTICS_PRINTED_MAX;
use crate::manifest::{Diagnostic, Severity};

/// Begins to log, unless the process logs already. `RUST_LOG` chooses the level.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // Whoever logs already has decided how.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Writes remarks: for people like a compiler, for collectors a line each.
pub fn report(diagnostics: &[Diagnostic], format: LogFormat) {
    for diagnostic in diagnostics.iter().take(DIAGNOSTICS_PRINTED_MAX) {
        match format {
            // A terminal that is gone is no reason to stop.
            LogFormat::Text => _ = writeln!(io::stderr().lock(), "{diagnostic}"),
            LogFormat::Json => report_line(diagnostic),
        }
    }
    let more = diagnostics.len().saturating_sub(DIAGNOSTICS_PRINTED_MAX);
    if more > 0 {
        warn!("{more} more remarks are not shown");
    }
}

fn report_line(diagnostic: &Diagnostic) {
    let Diagnostic { path, line, column, message, hint, .. } = diagnostic;
    let file = path.display().to_string();
    match diagnostic.severity {
        Severity::Error => error!(file, line, column, hint, "{message}"),
        Severity::Warning => warn!(file, line, column, hint, "{message}"),
        Severity::Info => info!(file, line, column, hint, "{message}"),
    }
}
