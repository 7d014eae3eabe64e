//! Moments between two steps that belong together: whoever makes trouble can wait
//! for one and come just then.

use std::{
    sync::Mutex,
    task::{Poll, Waker},
};

use super::lock;

/// What has just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A log is on the platter: a reply is stored and the place of its delivery is not,
    /// or an event is and nobody knows of it.
    Synced,
    /// A backlog is: what was moved to it is there, and still in the shard's log.
    Moved,
}

/// The last one that nobody has seen.
#[derive(Default)]
pub(crate) struct Moments(Mutex<(Option<Moment>, Option<Waker>)>);

impl Moments {
    pub(super) fn pass(&self, moment: Moment) {
        let waker = {
            let mut last = lock(&self.0);
            last.0 = Some(moment);
            last.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next one, from now on.
    pub(crate) async fn next(&self) -> Moment {
        lock(&self.0).0 = None;
        std::future::poll_fn(|context| {
            let mut last = lock(&self.0);
            if let Some(moment) = last.0.take() {
                return Poll::Ready(moment);
            }
            last.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
