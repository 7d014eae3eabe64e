//! One large request after another, and everybody else in between.
//!
//! To decode and append a large request takes milliseconds. When several are
//! ready in one turn of the loop, each but the first waits for its own turn, so
//! that nobody waits for more than one of them.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
};

use crate::runtime::task;

/// Lets one pass a turn.
#[derive(Default)]
pub(super) struct Turnstile {
    taken: Cell<bool>,
    waiting: RefCell<VecDeque<Waker>>,
}

impl Turnstile {
    /// Waits for a turn of one's own.
    pub(super) async fn pass(&self) -> Passage<'_> {
        while self.taken.replace(true) {
            let mut is_queued = false;
            poll_fn(|context| {
                if is_queued {
                    return Poll::Ready(());
                }
                is_queued = true;
                self.waiting.borrow_mut().push_back(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
        let passage = Passage(self);
        task::next_turn().await;
        passage
    }
}

/// The turn of one large request.
pub(super) struct Passage<'t>(&'t Turnstile);

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.0.taken.set(false);
        if let Some(next) = self.0.waiting.borrow_mut().pop_front() {
            next.wake();
        }
    }
}
