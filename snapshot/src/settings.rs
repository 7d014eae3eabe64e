//! What a broker's ConfigMap sets for it alone.
//!
//! A setting is a field of [`BrokerSettings`], its bounds in `eagre-settings`,
//! where those of the data plane are too, and a line of `BrokerSettings::check`.
//! `None` always means that the broker does not say, and the data plane's own
//! configuration decides.

pub use eagre_settings::Fsync;
use eagre_settings::{BACKLOG_BYTES_RANGE, FSYNC_INTERVAL_MS_RANGE};

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
