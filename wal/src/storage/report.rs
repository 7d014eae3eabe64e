//! What a thread of the log reports to its owner, its own end included.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::event::Event;

/// The thread's end of a channel. Each report, and the end of the thread, however
/// it comes about, signals the owner's event: who waits for a report learns that
/// there will be none.
pub(crate) struct Reports<T> {
    sender: Option<Sender<T>>,
    event: Event,
}

impl<T> Reports<T> {
    pub(crate) fn channel(event: Event) -> (Self, Receiver<T>) {
        let (sender, receiver) = channel();
        (Self { sender: Some(sender), event }, receiver)
    }

    pub(crate) fn send(&self, report: T) {
        // An owner that is gone wants no report.
        let _ = self.sender.as_ref().map(|sender| sender.send(report));
        self.event.signal();
    }
}

impl<T> Drop for Reports<T> {
    /// First the channel, so that who is woken finds its end.
    fn drop(&mut self) {
        self.sender = None;
        self.event.signal();
    }
}
