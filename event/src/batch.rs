//! Batch mode: a JSON array of envelopes.

use serde_json::value::RawValue;
use thiserror::Error;

use crate::draft::Draft;
use crate::error::Error as EventError;
use crate::limits::BATCH_EVENTS_MAX;
use crate::mode::{Mode, mode};
use crate::structured;

/// Why a batch is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError<E> {
    /// The array itself is not acceptable.
    #[error(transparent)]
    Batch(EventError),
    /// One of the events is not acceptable.
    #[error("event {position} of the batch: {error}")]
    Event {
        /// Counted from 0.
        position: usize,
        /// What is wrong with it.
        #[source]
        error: EventError,
    },
    /// The caller refused an event.
    #[error("event {position} of the batch: {error}")]
    Refused {
        /// Counted from 0.
        position: usize,
        /// What the caller said.
        error: E,
    },
}

/// Decodes a batch event by event into `draft` and calls `each` with the draft
/// and the event's own body slice. Returns how many events there were.
///
/// A batch is stored as a whole or not at all (design section 5): what `each`
/// collected must be thrown away if this returns an error. Pass-through fields
/// belong to every event of the batch.
pub fn decode_batch<'h, E>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
    draft: &mut Draft,
    mut each: impl FnMut(&mut Draft, &[u8]) -> Result<(), E>,
) -> Result<usize, BatchError<E>> {
    if mode(headers.clone()) != Some(Mode::Batch) {
        let error = EventError::WrongMode { found: "one event", expected: "a batch" };
        return Err(BatchError::Batch(error));
    }
    let events: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| BatchError::Batch(structured::json_error(&error, "array")))?;
    if events.len() > BATCH_EVENTS_MAX {
        let error = EventError::Limit { what: "events of a batch", max: BATCH_EVENTS_MAX };
        return Err(BatchError::Batch(error));
    }
    for ((position, event), headers) in events.iter().enumerate().zip(std::iter::repeat(headers)) {
        let body = event.get().as_bytes();
        structured::decode(draft, headers, body).map_err(|error| BatchError::Event { position, error })?;
        each(draft, body).map_err(|error| BatchError::Refused { position, error })?;
    }
    Ok(events.len())
}
