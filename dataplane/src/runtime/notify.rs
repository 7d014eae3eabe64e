//! Wake-ups within a shard and into one.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    sync::Mutex,
    task::{Poll, Waker},
};

use crossbeam::queue::ArrayQueue;

/// Wakes the one task of a shard that waits for it. A notification without a
/// waiter is kept; several of them count as one.
#[derive(Default)]
pub(crate) struct Notify {
    pending: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Notify {
    /// Wakes the waiter, now or when it comes.
    pub(crate) fn notify(&self) {
        self.pending.set(true);
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }

    /// Waits for a notification and consumes it.
    pub(crate) async fn notified(&self) {
        poll_fn(|context| {
            if self.pending.replace(false) {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A bounded queue into a shard, from any thread.
pub(crate) struct Mailbox<T> {
    queue: ArrayQueue<T>,
    waiter: Mutex<Option<Waker>>,
}

impl<T> Mailbox<T> {
    /// An empty mailbox for at most `capacity` messages.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { queue: ArrayQueue::new(capacity), waiter: Mutex::new(None) }
    }

    /// Puts a message in, or gives it back when the mailbox is full.
    pub(crate) fn send(&self, message: T) -> Result<(), T> {
        self.queue.push(message)?;
        let waiter = self.waiter.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        Ok(())
    }

    /// Waits for the next message. Only one task may wait.
    pub(crate) async fn receive(&self) -> T {
        poll_fn(|context| {
            if let Some(message) = self.queue.pop() {
                return Poll::Ready(message);
            }
            *self.waiter.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                Some(context.waker().clone());
            // A message that came between the look and the registration.
            match self.queue.pop() {
                Some(message) => Poll::Ready(message),
                None => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_mailbox_gives_the_message_back() {
        let mailbox = Mailbox::new(1);
        assert_eq!(mailbox.send(1), Ok(()));
        assert_eq!(mailbox.send(2), Err(2));
    }
}
