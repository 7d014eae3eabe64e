//! When to stop: a signal, or the end of standard input where a supervisor asks
//! for that.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Whether, and why, the process shall stop.
pub(crate) struct Stop {
    signal: Arc<AtomicBool>,
    orphaned: Arc<AtomicBool>,
}

impl Stop {
    /// The reason, once there is one.
    pub(crate) fn requested(&self) -> Option<&'static str> {
        if self.signal.load(Relaxed) {
            return Some("asked to stop by a signal");
        }
        self.orphaned.load(Relaxed).then_some("the supervisor is gone")
    }
}

/// Watches for SIGTERM and SIGINT; the second one ends the process at once.
pub(crate) fn on_signal_or_end_of_input(watch_input: bool) -> io::Result<Stop> {
    let stop = Stop { signal: Arc::default(), orphaned: Arc::default() };
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop.signal))?;
        flag::register(signal, Arc::clone(&stop.signal))?;
    }
    if watch_input {
        let orphaned = Arc::clone(&stop.orphaned);
        thread::Builder::new().name("eagre-stdin".into()).spawn(move || {
            let mut ignored = [0; 64];
            while io::stdin().read(&mut ignored).is_ok_and(|bytes| bytes > 0) {}
            orphaned.store(true, Relaxed);
        })?;
    }
    Ok(stop)
}
