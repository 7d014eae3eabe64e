//! The options of the command line that go with the tuning file. `eagre up` takes the
//! same and hands them on.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;
use eagre_settings::Fsync;

use super::written::Written;
use crate::runtime::driver::Requested;

/// Where the tuning file is, and what overrides it.
#[derive(Clone, Debug, Default, Args)]
pub struct TuningArgs {
    /// Tuning file, as eagre settings prints it; --shards, --driver and --fsync override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Number of shards, one thread and one log each [default: one per core]
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,

    /// How shards wait for the kernel; auto takes io_uring where it is allowed [default: auto]
    #[arg(long, value_enum)]
    pub driver: Option<Requested>,

    /// When 202 is sent: once the disk has the event (always), at most MS milliseconds before
    /// that (interval:MS, 5ms), or without waiting for the disk (never) [default: always]
    #[arg(long, value_name = "always|never|interval:MS")]
    pub fsync: Option<Fsync>,
}

impl TuningArgs {
    /// The options as they are written on a command line.
    #[must_use]
    pub fn to_command_line(&self) -> Vec<OsString> {
        let options = [
            ("--config", self.config.as_ref().map(|path| path.as_os_str().to_owned())),
            ("--shards", self.shards.map(|shards| shards.to_string().into())),
            ("--driver", self.driver.map(|driver| driver.text().into())),
            ("--fsync", self.fsync.map(|fsync| fsync.to_string().into())),
        ];
        options.into_iter().filter_map(|(name, value)| Some([name.into(), value?])).flatten().collect()
    }
}
