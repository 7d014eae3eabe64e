//! What a broker's ConfigMap sets for it alone.
//!
//! A setting is a field of [`BrokerSettings`], its bounds in `limits.rs` and a
//! line of `BrokerSettings::check`. `None` always means that the broker does
//! not say, and the data plane's own configuration decides.

use crate::limits::{BACKLOG_BYTES_RANGE, FSYNC_INTERVAL_MS_RANGE};
use crate::validate::Flaw;

/// Settings of one broker; `None` leaves one to the data plane's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    /// When an event of this broker counts as stored.
    pub fsync: Option<Fsync>,
    /// Bytes of disk, on all shards together, that events may take which only
    /// this broker's lagging triggers still need.
    pub backlog_bytes_max: Option<u64>,
}

/// When an event counts as stored, and its producer gets the 202.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Once the disk has it.
    #[default]
    Always,
    /// At most this long before the disk has it.
    Interval {
        /// Milliseconds, within [`FSYNC_INTERVAL_MS_RANGE`].
        ms: u64,
    },
    /// Once the page cache has it; the kernel decides when the disk does.
    Never,
}

impl BrokerSettings {
    /// Each setting within its bounds.
    pub(crate) fn check(&self) -> Result<(), Flaw> {
        let interval_ms = match self.fsync {
            Some(Fsync::Interval { ms }) => Some(ms),
            Some(Fsync::Always | Fsync::Never) | None => None,
        };
        let bounds = [
            ("settings.fsync.ms", interval_ms, FSYNC_INTERVAL_MS_RANGE),
            ("settings.backlog_bytes_max", self.backlog_bytes_max, BACKLOG_BYTES_RANGE),
        ];
        for (field, value, allowed) in bounds {
            if let Some(value) = value.filter(|value| !allowed.contains(value)) {
                let (min, max) = allowed.into_inner();
                return Err(Flaw::Setting { field, value, min, max });
            }
        }
        Ok(())
    }
}
