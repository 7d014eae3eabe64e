//! What is told about an event that could not be delivered (contract 3.8).

use eagre_event::Record;

/// The last failure of an event at its subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The URL that failed, as resolved.
    pub(super) destination: String,
    /// The last HTTP status; none when there was no response.
    pub(super) code: Option<u16>,
    /// The beginning of the response's body, or the transport's error.
    pub(super) data: Vec<u8>,
}

impl Failure {
    /// A failure with at most as much of `data` as a dead letter carries.
    pub(super) fn new(destination: &str, code: Option<u16>, data: &[u8]) -> Self {
        let kept = data.len().min(crate::limits::delivery::ERROR_BODY_BYTES_MAX);
        Self { destination: destination.to_owned(), code, data: data[..kept].to_vec() }
    }

    /// The header block of the event as a dead letter.
    pub(super) fn write_headers(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let failure =
            eagre_event::Failure { destination: &self.destination, code: self.code, data: &self.data };
        record.write_dead_letter_headers(out, &failure);
    }
}
