//! When to stop: SIGTERM or SIGINT.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Whether the process shall stop.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Someone has asked for it.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Watches for SIGTERM and SIGINT; the second one ends the process at once.
pub(crate) fn on_signal() -> io::Result<Stop> {
    let requested = Arc::default();
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&requested))?;
        flag::register(signal, Arc::clone(&requested))?;
    }
    Ok(Stop(requested))
}
