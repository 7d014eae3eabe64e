//! The vocabulary of settings that both planes read: sizes, durations, the mode of
//! `fsync`, and what their values may be.
//!
//! Promise: a value has one grammar wherever it is written (command line,
//! `eagre.toml`, a broker's ConfigMap), its canonical text reads as the same value,
//! and a refusal says what is wrong and what may be written instead.
//!
//! Deliberately absent: which settings there are, which is each plane's own; where a
//! value is written, which its reader knows; the ISO 8601 durations of Knative's
//! delivery settings, which only the control plane reads.

mod limits;
mod quantity;
mod error;
pub mod size;
pub mod duration;
mod fsync;

pub use error::{ValueError, within};
pub use fsync::Fsync;
pub use limits::{BACKLOG_BYTES_RANGE, FSYNC_INTERVAL_MS_RANGE};
