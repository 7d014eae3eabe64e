//! Places for connections: a fixed number, and who leaves when there is none.
//!
//! A probe is answered whatever other clients do: a connection that comes when
//! all places are taken gets the place of the one that has waited longest for its
//! request. Where each has sent its request, one is given a moment to read its
//! answer; then the first of them leaves.

use std::{
    collections::BTreeMap,
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The places, by the order in which they were taken.
#[derive(Default)]
pub(super) struct Places {
    guests: Mutex<BTreeMap<u64, Guest>>,
    /// Somebody has left.
    left: Condvar,
}

struct Guest {
    stream: Arc<TcpStream>,
    has_asked: bool,
}

/// A place that is taken, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    pub(super) stream: Arc<TcpStream>,
}

impl Places {
    /// A place for `stream`, of `max`. Waits until there is one.
    pub(super) fn take(self: &Arc<Self>, stream: TcpStream, max: usize) -> Place {
        let is_full = |guests: &mut BTreeMap<u64, Guest>| guests.len() >= max;
        let mut guests = self.lock();
        if is_full(&mut guests) && guests.values().all(|guest| guest.has_asked) {
            let waited = self.left.wait_timeout_while(guests, ANSWER_PATIENCE, is_full);
            guests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if is_full(&mut guests) {
            let silent = guests.values().find(|guest| !guest.has_asked);
            if let Some(guest) = silent.or_else(|| guests.values().next()) {
                // Wakes its thread. It fails where the client has just left.
                let _ = guest.stream.shutdown(Shutdown::Both);
            }
            guests = self.left.wait_while(guests, is_full).unwrap_or_else(PoisonError::into_inner);
        }
        let number = guests.last_key_value().map_or(0, |(last, _)| last + 1);
        let stream = Arc::new(stream);
        guests.insert(number, Guest { stream: Arc::clone(&stream), has_asked: false });
        Place { places: Arc::clone(self), number, stream }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Its request has arrived.
    pub(super) fn has_asked(&self) {
        if let Some(guest) = self.places.lock().get_mut(&self.number) {
            guest.has_asked = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(&self.number);
        self.places.left.notify_one();
    }
}

/// An answer is read in this time, unless its reader hangs.
const ANSWER_PATIENCE: Duration = Duration::from_millis(200);
