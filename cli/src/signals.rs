//! The signals a supervisor lives by, as messages.

use std::{io, sync::mpsc::Sender, thread};

use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// What a signal means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A child may have ended.
    Child,
    /// The user or the system asks to stop.
    Stop,
}

/// Sends every signal to `events` until the receiver is gone.
///
/// # Errors
/// The system refused the handlers or the thread.
pub fn forward(events: Sender<Signal>) -> io::Result<()> {
    let mut signals = Signals::new([SIGCHLD, SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let meaning = if signal == SIGCHLD { Signal::Child } else { Signal::Stop };
            if events.send(meaning).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
